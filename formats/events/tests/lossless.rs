//! Writing the items of a log gives the same log.

mod common;

use common::*;
use ghc_eventlog::{Block, BlockBuilder, Header, Item, Reader, Writer, encode_event};

fn samples() -> Vec<(String, Vec<u8>)> {
    let mut logs = vec![
        ("everything".to_owned(), everything()),
        ("twice".to_owned(), [everything(), everything()].concat()),
        ("cut".to_owned(), everything()[..4100].to_vec()),
    ];
    logs.extend(kept_logs());
    logs.extend(generated_logs());
    logs
}

#[test]
fn items_written_back_are_the_log() {
    for (name, bytes) in samples() {
        let mut writer = Writer::new(Vec::new());
        let mut reader = Reader::new(&bytes[..]);
        loop {
            let item = match reader.next_item() {
                Ok(Some(Item::Header)) => {
                    let header = reader.header().unwrap().clone();
                    writer.item(&Item::Header, Some(&header)).unwrap();
                    continue;
                }
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => panic!("{name}: {error}"),
            };
            writer.item(&item, None).unwrap();
        }
        writer.raw(reader.decoder().unfinished_header()).unwrap();
        writer.raw(reader.rest()).unwrap();
        assert_eq!(writer.written(), bytes.len() as u64);
        assert!(writer.into_inner() == bytes, "{name}");
    }
}

#[test]
fn typed_events_encode_to_the_bytes_they_came_from() {
    for (name, bytes) in samples() {
        let mut reader = Reader::new(&bytes[..]);
        let mut out = Vec::new();
        let mut header: Option<Header> = None;
        loop {
            match reader.next_item().unwrap() {
                Some(Item::Header) => header = reader.header().map(|header| (**header).clone()),
                Some(Item::Event(event)) => {
                    out.clear();
                    encode_event(header.as_ref().unwrap(), event.time, &event.body, &mut out)
                        .unwrap();
                    if event.name() == "ipe" {
                        // The length that GHC declares may be one too many.
                        let (told, true_length) = (event.raw[11], out[11]);
                        assert!(told == true_length || told == true_length.wrapping_add(1));
                        assert_eq!(out[12..], event.raw[12..]);
                    } else {
                        assert_eq!(out, event.raw, "{name} at {}: {event}", event.offset);
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
    }
}

#[test]
fn headers_are_built_as_they_are_read() {
    let header = Header::standard();
    let outcome = decode(header.as_bytes());
    assert_eq!(outcome.items, [Owned::Header(header.as_bytes().to_vec())]);
    let mut reader = Reader::new(header.as_bytes());
    reader.next_item().unwrap();
    assert_eq!(**reader.header().unwrap(), header);
    assert_eq!(Header::from_types(header.types().to_vec()).unwrap(), header);
}

#[test]
fn a_built_block_covers_its_events() {
    let mut builder = BlockBuilder::new(Some(5));
    assert!(builder.is_empty());
    let empty = builder.finish().to_vec();
    assert_eq!(empty, marker(Some(5), 0, 24, 0));
    let bytes = log(&[run(70, 1), run(30, 2)]);
    let mut reader = Reader::new(&bytes[..]);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            builder.push(&event);
        }
    }
    let expected = block(Some(5), 30, 70, &[run(70, 1), run(30, 2)]);
    assert_eq!(builder.finish(), expected);
    assert_eq!(builder.len(), expected.len());
    builder.cover(10, 100);
    let wide = log(&[builder.finish().to_vec()]);
    let outcome = decode(&wide);
    assert!(matches!(
        outcome.items[1],
        Owned::Block {
            time: 10,
            end: 100,
            cap: Some(5),
            ..
        }
    ));
    builder.reset(None);
    assert_eq!(builder.finish(), marker(None, 0, 24, 0));
}

#[test]
fn an_empty_block_says_so() {
    let bytes = log(&[
        block(Some(0), 1, 9, &[]),
        block(Some(0), 1, 9, &[run(1, 1)]),
    ]);
    let mut reader = Reader::new(&bytes[..]);
    let mut empty = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            empty.push(Block::is_empty(&block));
        }
    }
    assert_eq!(empty, [true, false]);
}
