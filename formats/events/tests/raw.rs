//! Events that are only delimited: the same that a decoder finds, without allocation.

mod common;

use common::*;
use ghc_eventlog::layout::{HEADER_SIGN, HEADER_TAIL, block_marker};
use ghc_eventlog::notes::{Loss, Note};
use ghc_eventlog::{Decoder, ErrorKind, Item, RawEvents, SizeTable, definition_of};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is forwarded to the system's allocator unchanged; the counter is a plain
// number, which needs neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the contract is the same, and the memory is from there.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

/// A header with only these types.
fn header(types: &[(u16, u16)]) -> Vec<u8> {
    let mut header = HEADER_SIGN.to_vec();
    for (id, size) in types {
        header.extend_from_slice(b"etb\0");
        header.extend_from_slice(&id.to_be_bytes());
        header.extend_from_slice(&size.to_be_bytes());
        header.extend_from_slice(&[0, 0, 0, 1, b'x', 0, 0, 0, 2, 1, 2]);
        header.extend_from_slice(b"ete\0");
    }
    header.extend_from_slice(HEADER_TAIL);
    header
}

fn table(header: &[u8]) -> SizeTable {
    let mut table = SizeTable::with_room(8).unwrap();
    table.read(header).unwrap();
    table
}

/// What a decoder finds up to the end, a fault, or the next header: type and bytes of each.
fn decoded(decoder: &mut Decoder, mut input: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Item::Event(event)) => found.push((event.body.id(), event.raw.to_vec())),
            Ok(Item::Block(block)) => found.push((18, block.raw.to_vec())),
            _ => return found,
        }
    }
}

#[track_caller]
fn assert_same(name: &str, header: &[u8], events: &[u8]) {
    let mut decoder = Decoder::new();
    let mut input = header;
    assert_eq!(decoder.decode(&mut input), Ok(Item::Header), "{name}");
    let table = table(header);
    let expected = decoded(&mut decoder, events);
    let mut raw = table.events(events);
    let found: Vec<_> = raw.by_ref().map(|e| (e.id, e.bytes.to_vec())).collect();
    let taken: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(found == expected, "{name}: {} events", found.len());
    assert_eq!(raw.rest(), &events[taken..], "{name}");
}

#[test]
fn what_a_decoder_finds_is_found() {
    let mut seed = 7u64;
    let mut noise = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let mut logs = vec![("everything".to_owned(), everything())];
    logs.extend(kept_logs());
    logs.extend(generated_logs());
    for (name, bytes) in logs {
        let at = bytes.windows(12).position(|w| w == HEADER_TAIL).unwrap() + 12;
        let (header, events) = bytes.split_at(at);
        assert_same(&name, header, events);
        // The same events, damaged and cut.
        let start = &events[..events.len().min(20_000)];
        for n in 0..200 {
            // A program that was killed early leaves only a header.
            let mut damaged = start[..noise(start.len() + 1)].to_vec();
            for _ in 0..noise(4).min(damaged.len()) {
                let at = noise(damaged.len());
                damaged[at] = [0, 0xff, 18, noise(256) as u8][noise(4)];
            }
            assert_same(&format!("{name}, {n}"), header, &damaged);
        }
    }
}

#[test]
fn info_tables_end_where_they_do() {
    let header = header(&[(18, 14), (1, 4), (169, 0xffff)]);
    let payload = ipe_payload(7, ["a", "21", "c", "d", "e", "f"]);
    let declared = |excess: u16| variable(169, 5, payload.len() as u16 + excess, &payload);
    let more = [&payload[..], b"one more\0"].concat();
    let more = variable(169, 5, more.len() as u16, &more);
    let other = variable(169, 5, 11, b"12345678abc");
    let follows = block(Some(1), 1, 9, &[run(6, 1)]);
    for (table, length) in [
        (declared(0), payload.len()),
        (declared(1), payload.len()),
        (more, payload.len() + 9),
        // Fewer strings than an info table has: its declared length counts, and none is taken
        // from what follows.
        (other, 11),
    ] {
        let chunk = [
            block(None, 1, 9, &[table.clone(), run(6, 1)]),
            follows.clone(),
        ]
        .concat();
        assert_same("info table", &header, &chunk);
        // As the last event, in its block and outside any.
        let alone = block(None, 1, 9, std::slice::from_ref(&table));
        assert_same("info table of a block", &header, &alone);
        assert_same("info table, last", &header, &table);
        let sizes = self::table(&header);
        let found: Vec<_> = sizes.events(&chunk).map(|e| e.payload.len()).collect();
        assert_eq!(found, [14, length, 4, 14, 4]);
    }
}

#[test]
fn what_is_not_a_header_changes_nothing() {
    let whole = header(&[(18, 14), (45, 2), (19, 0xffff), (300, 1)]);
    let before = table(&whole);
    let mut table = before.clone();
    for length in 0..whole.len() {
        let error = table.read(&whole[..length]).unwrap_err();
        assert!(matches!(error, ErrorKind::BadHeader(_)), "{length}");
    }
    for bad in [header(&[(18, 13)]), header(&[(18, 0xffff)])] {
        assert!(table.read(&bad).is_err());
    }
    assert_eq!(table, before);
    // What follows is not looked at.
    let longer = [&whole[..], b"etb"].concat();
    assert_eq!(table.read(&longer), Ok(()));
    assert_eq!(table, before);
}

#[test]
fn high_types_need_room() {
    let mut table = SizeTable::with_room(2).unwrap();
    let before = table.clone();
    let three = header(&[(256, 1), (300, 2), (65_534, 3)]);
    assert_eq!(table.read(&three), Err(ErrorKind::HeaderTooLarge));
    assert_eq!(table, before);
    // The last declaration of a type counts.
    let two = header(&[(300, 9), (300, 2), (1, 4)]);
    assert_eq!(table.read(&two), Ok(()));
    let event = fixed(300, 1, &[0, 0]);
    let found: Vec<_> = table.events(&event).map(|e| e.payload.len()).collect();
    assert_eq!(found, [2]);
    // 0xffff is the mark at the end, not a type.
    let mut none = SizeTable::with_room(0).unwrap();
    assert_eq!(none.read(&header(&[(0xffff, 2), (1, 4)])), Ok(()));
    assert_eq!(none.events(&[0xff; 12]).next(), None);
}

#[test]
fn nothing_is_allocated() {
    struct Fixed([u8; 256], usize);
    impl Write for Fixed {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0[self.1..self.1 + text.len()].copy_from_slice(text.as_bytes());
            self.1 += text.len();
            Ok(())
        }
    }
    let bytes = everything();
    let at = bytes.windows(12).position(|w| w == HEADER_TAIL).unwrap() + 12;
    let (header, events) = bytes.split_at(at);
    let mut table = SizeTable::with_room(1000).unwrap();
    let high: Vec<(u16, u16)> = (0..1000).map(|n| (256 + 7 * n % 1000, n)).collect();
    let many = self::header(&high);
    assert!(allocations(|| drop(vec![0; 9])) > 0, "they are counted");
    let (mut found, mut defining) = (0, 0);
    let mut text = Fixed([0; 256], 0);
    let allocated = allocations(|| {
        assert_eq!(table.read(&many), Ok(()));
        assert_eq!(table.read(header), Ok(()));
        let each: RawEvents<'_> = table.events(events);
        for event in each {
            found += 1;
            defining += usize::from(definition_of(event.id, event.payload).is_some());
        }
        let _ = block_marker(None, 1, 2, 3);
        let between = Some((u64::MAX, u64::MAX));
        for note in [
            Note::Sync(u64::MAX),
            Note::Dump(u64::MAX),
            Note::LogsNothing,
            Note::Loss(Loss {
                chunks: u64::MAX,
                bytes: u64::MAX,
                between,
            }),
        ] {
            text.1 = 0;
            write!(text, "{note}").unwrap();
        }
    });
    assert_eq!(allocated, 0);
    assert!(found > 50 && defining > 20, "{found}, {defining}");
    assert!(
        text.0
            .starts_with(b"eventlog-socket: lost 18446744073709551615 chunks")
    );
}
