//! The other tests are as good as the checker of streams: it must find faults.

use crate::support;

use support::Stream;

/// A small stream: two types, three blocks, the end mark in the last.
fn stream() -> Vec<u8> {
    let mut bytes = b"hdrbhetb".to_vec();
    for (number, size) in [(18_u16, 14_u16), (19, 0xFFFF)] {
        bytes.extend(b"etb\0");
        bytes.extend(number.to_be_bytes());
        bytes.extend(size.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(b"ete\0");
    }
    bytes.extend(b"hetehdredatb");
    bytes.extend(block(0, 100, &message(90, b"c0 0000000000 hello")));
    let loss = b"eventlog-socket: lost 2 chunks, 99 bytes, between 0.000000 s and 1.500000 s";
    bytes.extend(block(0xFFFF, 110, &message(110, loss)));
    let mut last = message(120, b"c0 0000000001 bye");
    last.extend([0xFF, 0xFF]);
    bytes.extend(block(0, 130, &last));
    bytes
}

fn message(time: u64, text: &[u8]) -> Vec<u8> {
    let mut bytes = 19_u16.to_be_bytes().to_vec();
    bytes.extend(time.to_be_bytes());
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text);
    bytes
}

fn block(cap: u16, end: u64, events: &[u8]) -> Vec<u8> {
    let mut bytes = 18_u16.to_be_bytes().to_vec();
    bytes.extend(end.to_be_bytes());
    bytes.extend((24 + events.len() as u32).to_be_bytes());
    bytes.extend(end.to_be_bytes());
    bytes.extend(cap.to_be_bytes());
    bytes.extend(events);
    bytes
}

fn is_cut(bytes: &[u8]) -> bool {
    Stream::try_cut(bytes).is_ok()
}

fn is_complete(bytes: &[u8]) -> bool {
    Stream::try_complete(bytes).is_ok()
}

#[test]
fn a_good_stream_is_good() {
    let bytes = stream();
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.numbers(0), [0, 1]);
    assert_eq!((stream.lost_chunks(), stream.lost_bytes()), (2, 99));
    assert_eq!(stream.messages.len(), 2);
    assert_eq!(stream.blocks.len(), 3);
}

/// Cut anywhere, it is a good beginning, and is not complete.
#[test]
fn every_beginning_is_good() {
    let bytes = stream();
    for length in 0..bytes.len() {
        assert!(is_cut(&bytes[..length]), "{length} bytes are no beginning");
        assert!(
            !is_complete(&bytes[..length]),
            "{length} bytes are complete"
        );
    }
}

/// A byte too many or too few, anywhere after the header's tags, is found.
#[test]
fn lost_and_added_bytes_are_found() {
    let good = stream();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes.remove(at);
        assert!(!is_complete(&bytes), "without byte {at}");
        let mut bytes = good.clone();
        bytes.insert(at, 0x55);
        assert!(!is_complete(&bytes), "with a byte at {at}");
    }
    let mut bytes = good.clone();
    bytes.push(0);
    assert!(!is_complete(&bytes), "with a byte after the end");
}

#[test]
fn faults_are_found() {
    let good = stream();
    let header = good
        .windows(4)
        .position(|word| word == b"datb")
        .expect("datb")
        + 4;
    let (head, blocks) = good.split_at(header);

    let twice = [head, head, blocks].concat();
    assert!(!is_cut(&twice), "two headers");
    let ended = [head, &[0xFF, 0xFF], blocks].concat();
    assert!(!is_cut(&ended), "data after an end mark");
    let twice = [good.clone(), blocks.to_vec()].concat();
    assert!(!is_cut(&twice), "data after the end");
    let late = [head, &block(0, 50, &message(51, b"late"))].concat();
    assert!(!is_cut(&late), "an event later than its block");
    let backwards = [head, &block(3, 50, b""), &block(3, 49, b"")].concat();
    assert!(!is_cut(&backwards), "blocks out of order");
    let nested = [head, &block(0, 50, &block(0, 50, b""))].concat();
    assert!(!is_cut(&nested), "a block in a block");
    let mut unknown = message(1, b"text");
    unknown[1] = 20;
    let unknown = [head, &block(0, 50, &unknown)].concat();
    assert!(!is_cut(&unknown), "an event that is not in the header");
    let outside = [head, &message(1, b"text")].concat();
    assert!(!is_cut(&outside), "an event outside of a block");
    let of_cap = block(
        0,
        99,
        &message(
            9,
            b"eventlog-socket: lost 1 chunks, 9 bytes, between 0 s and 1 s",
        ),
    );
    let of_cap = [head, &of_cap].concat();
    assert!(!is_cut(&of_cap), "a loss told for a capability");
    assert!(!is_cut(b"\0\x12hdrb"), "something before the header");
    let silent = block(0xFFFF, 99, &message(9, b"eventlog-socket: lost much"));
    assert!(
        !is_cut(&[head, &silent].concat()),
        "a loss told in other words"
    );
    assert!(is_cut(&[head, &block(0, 50, b"")].concat()));
}
