//! Logs to test with, and what decoding them gives, in owned form.
#![allow(dead_code)]

use ghc_eventlog::{
    BlockBuilder, Breakdown, CapsetType, Decoder, Ending, Error, Event, EventBody, EventType,
    Header, Item, Stack, StopStatus, Stream, Text, Texts,
};
use std::path::PathBuf;
use std::sync::LazyLock;

/// An item that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    Header(Vec<u8>),
    Block {
        time: u64,
        end: u64,
        size: u32,
        cap: Option<u16>,
        raw: Vec<u8>,
        offset: u64,
    },
    Event {
        time: u64,
        cap: Option<u16>,
        name: &'static str,
        raw: Vec<u8>,
        offset: u64,
        text: String,
    },
    End,
    Gap {
        error: Error,
        offset: u64,
        length: u64,
    },
}

impl Owned {
    pub fn new(item: &Item<'_>, header: Option<&Header>) -> Option<Self> {
        Some(match item {
            Item::Header => Self::Header(header.unwrap().as_bytes().to_vec()),
            Item::Block(b) => Self::Block {
                time: b.time,
                end: b.end,
                size: b.size,
                cap: b.cap,
                raw: b.raw.to_vec(),
                offset: b.offset,
            },
            Item::Event(e) => Self::Event {
                time: e.time,
                cap: e.cap,
                name: e.name(),
                raw: e.raw.to_vec(),
                offset: e.offset,
                text: format!("{e}"),
            },
            Item::End => Self::End,
            Item::Gap(gap) => Self::Gap {
                error: gap.error,
                offset: gap.offset,
                length: gap.length,
            },
            _ => return None,
        })
    }

    pub fn raw(&self) -> &[u8] {
        match self {
            Self::Header(raw) | Self::Block { raw, .. } | Self::Event { raw, .. } => raw,
            Self::End => &[0xff, 0xff],
            Self::Gap { .. } => &[],
        }
    }

    /// `cap: text` of an event.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Event { cap, text, .. } => Some(match cap {
                Some(cap) => format!("{cap}: {text}"),
                None => text.clone(),
            }),
            _ => None,
        }
    }
}

/// Everything that was decoded from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub items: Vec<Owned>,
    pub error: Option<Error>,
    pub ending: Ending,
    pub rest: Vec<u8>,
}

impl Outcome {
    pub fn lines(&self) -> Vec<String> {
        self.items.iter().filter_map(Owned::line).collect()
    }

    pub fn events(&self) -> usize {
        self.items
            .iter()
            .filter(|item| matches!(item, Owned::Event { .. }))
            .count()
    }

    /// The log that the items make up.
    pub fn bytes(&self) -> Vec<u8> {
        self.items
            .iter()
            .flat_map(|item| item.raw().to_vec())
            .chain(self.rest.clone())
            .collect()
    }
}

/// Decodes pieces in turn.
pub fn decode_pieces<'a>(decoder: Decoder, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut stream = Stream::with_decoder(decoder);
    let mut items = Vec::new();
    let mut error = None;
    'pieces: for piece in pieces {
        stream.push(piece);
        loop {
            let header = stream.header().cloned();
            let owned = match stream.next_item() {
                Ok(Item::NeedMore) => break,
                Ok(Item::Header) => None,
                Ok(item) => Owned::new(&item, header.as_deref()),
                Err(fault) => {
                    error = Some(fault);
                    break 'pieces;
                }
            };
            items
                .push(owned.unwrap_or_else(|| {
                    Owned::Header(stream.header().unwrap().as_bytes().to_vec())
                }));
        }
    }
    let rest = [stream.decoder().unfinished_header(), stream.rest()].concat();
    Outcome {
        items,
        error,
        ending: stream.ending(),
        rest,
    }
}

/// Decodes a log in pieces of `split` bytes.
pub fn decode_split(bytes: &[u8], split: usize) -> Outcome {
    decode_pieces(Decoder::new(), bytes.chunks(split.max(1)))
}

/// Decodes a whole log at once.
pub fn decode(bytes: &[u8]) -> Outcome {
    decode_split(bytes, bytes.len())
}

/// Decodes a log, going on after faults.
pub fn recover(bytes: &[u8]) -> Outcome {
    decode_pieces(
        Decoder::new().with_recovery(true),
        bytes.chunks(bytes.len().max(1)),
    )
}

/// An event type for a header.
pub fn kind(id: u16, size: Option<u16>) -> EventType {
    EventType {
        id,
        size,
        description: format!("type {id}"),
        extra: Vec::new(),
    }
}

/// The standard header with some declarations replaced or added.
pub fn header_with(changes: &[(u16, Option<u16>)]) -> Header {
    let mut types = Header::standard().types().to_vec();
    for &(id, size) in changes {
        types.retain(|kind| kind.id != id);
        types.push(kind(id, size));
    }
    Header::from_types(types).unwrap()
}

/// An event made by hand, with a payload of fixed size.
pub fn fixed(id: u16, time: u64, payload: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &time.to_be_bytes(), payload].concat()
}

/// An event made by hand, with a declared length that may be wrong.
pub fn variable(id: u16, time: u64, length: u16, payload: &[u8]) -> Vec<u8> {
    [
        &id.to_be_bytes()[..],
        &time.to_be_bytes(),
        &length.to_be_bytes(),
        payload,
    ]
    .concat()
}

/// A block around finished events.
pub fn block(cap: Option<u16>, time: u64, end: u64, events: &[Vec<u8>]) -> Vec<u8> {
    let body = events.concat();
    let size = 24 + body.len() as u32;
    [marker(cap, time, size, end), body].concat()
}

/// A marker with these fields, whether they are right or not.
pub fn marker(cap: Option<u16>, time: u64, size: u32, end: u64) -> Vec<u8> {
    let cap = cap.unwrap_or(0xffff);
    [
        &18u16.to_be_bytes()[..],
        &time.to_be_bytes(),
        &size.to_be_bytes(),
        &end.to_be_bytes(),
        &cap.to_be_bytes(),
    ]
    .concat()
}

/// The standard header, made once.
pub fn standard() -> &'static Header {
    static STANDARD: LazyLock<Header> = LazyLock::new(Header::standard);
    &STANDARD
}

/// A typed event under the standard header.
pub fn event(time: u64, body: EventBody<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    ghc_eventlog::encode_event(standard(), time, &body, &mut out).unwrap();
    out
}

pub fn run(time: u64, thread: u32) -> Vec<u8> {
    event(time, EventBody::RunThread { thread })
}

/// A log: the standard header and these parts.
pub fn log(parts: &[Vec<u8>]) -> Vec<u8> {
    [standard().as_bytes().to_vec(), parts.concat()].concat()
}

/// The payload of an info table event.
pub fn ipe_payload(info: u64, strings: [&str; 6]) -> Vec<u8> {
    let mut payload = info.to_be_bytes().to_vec();
    for string in strings {
        payload.extend_from_slice(string.as_bytes());
        payload.push(0);
    }
    payload
}

/// One event of every typed kind.
pub fn one_of_each() -> Vec<EventBody<'static>> {
    use EventBody::*;
    let text = |text: &'static str| Text::from(text);
    let (a, b, c) = (0x0102_0304, 0x0506, 0x0708_090a_0b0c_0d0e);
    vec![
        CreateThread { thread: a },
        RunThread { thread: a },
        StopThread {
            thread: a,
            status: StopStatus::MVAR,
            info: Some(3),
        },
        ThreadRunnable { thread: a },
        MigrateThread {
            thread: a,
            new_cap: b,
        },
        Shutdown,
        ThreadWakeup {
            thread: a,
            other_cap: b,
        },
        GcStart,
        GcEnd,
        RequestSeqGc,
        RequestParGc,
        CreateSparkThread { spark_thread: a },
        LogMsg {
            message: text("message"),
        },
        Startup { capabilities: b },
        UserMsg {
            message: Text(b"caf\xe9 \0 \"quoted\"\n"),
        },
        GcIdle,
        GcWork,
        GcDone,
        Version {
            version: text("1.2"),
        },
        ProgramInvocation {
            command: text("prog -x"),
        },
        CapsetCreate {
            capset: a,
            capset_type: CapsetType::CLOCK_DOMAIN,
        },
        CapsetDelete { capset: a },
        CapsetAssignCap {
            capset: a,
            assigned_cap: b,
        },
        CapsetRemoveCap {
            capset: a,
            removed_cap: b,
        },
        RtsIdentifier {
            capset: a,
            identifier: text("GHC-9.10.3 rts_thr"),
        },
        ProgramArgs {
            capset: a,
            args: Texts(b"prog\0-a\0\0b c\0"),
        },
        ProgramEnv {
            capset: a,
            env: Texts(b"A=1\0B=\0"),
        },
        OsprocessPid {
            capset: a,
            pid: 4711,
        },
        OsprocessPpid { capset: a, ppid: 1 },
        SparkCounters {
            created: 1,
            dud: 2,
            overflowed: 3,
            converted: 4,
            gcd: 5,
            fizzled: 6,
            remaining: 7,
        },
        SparkCreate,
        SparkDud,
        SparkOverflow,
        SparkRun,
        SparkSteal { victim_cap: b },
        SparkFizzle,
        SparkGc,
        InternString {
            string: text("interned"),
            string_id: a,
        },
        WallClockTime {
            capset: a,
            seconds: c,
            nanoseconds: 999_999_999,
        },
        ThreadLabel {
            thread: a,
            label: text("worker \u{3bb}"),
        },
        CapCreate { created_cap: b },
        CapDelete { deleted_cap: b },
        CapDisable { disabled_cap: b },
        CapEnable { enabled_cap: b },
        HeapAllocated {
            capset: a,
            bytes: c,
        },
        HeapSize {
            capset: a,
            bytes: c,
        },
        HeapLive {
            capset: a,
            bytes: c,
        },
        HeapInfoGhc {
            capset: a,
            generations: 2,
            max_heap: 0,
            alloc_area: 1 << 20,
            mblock_size: 1 << 20,
            block_size: 4096,
        },
        GcStatsGhc {
            capset: a,
            generation: 1,
            copied: c,
            slop: 2,
            fragmentation: 3,
            par_threads: 4,
            par_max_copied: 5,
            par_tot_copied: 6,
            par_balanced_copied: Some(7),
        },
        GcGlobalSync,
        TaskCreate {
            task: c,
            task_cap: b,
            kernel_thread: 12,
        },
        TaskMigrate {
            task: c,
            old_cap: 1,
            new_cap: 2,
        },
        TaskDelete { task: c },
        UserMarker { marker: text("") },
        HackBugT9003,
        MemReturn {
            capset: a,
            current: 3,
            needed: 2,
            returned: 1,
        },
        BlocksSize {
            capset: a,
            bytes: c,
        },
        HeapProfBegin {
            profile: 0,
            period: c,
            breakdown: Breakdown::CLOSURE_TYPE,
            module_filter: text(""),
            closure_filter: text("x"),
            type_filter: text(""),
            cost_centre_filter: text(""),
            stack_filter: text(""),
            retainer_filter: text(""),
            biography_filter: text("drag"),
        },
        HeapProfCostCentre {
            cost_centre: a,
            label: text("main"),
            module: text("Main"),
            location: text("Main.hs:1:1-4"),
            is_caf: 1,
        },
        HeapProfSampleBegin { era: c },
        HeapProfSampleCostCentre {
            profile: 0,
            residency: c,
            stack: Stack::new(&[0, 0, 0, 1, 0, 0, 1, 0]).unwrap(),
        },
        HeapProfSampleString {
            profile: 0,
            residency: c,
            label: text("ARR_WORDS"),
        },
        HeapProfSampleEnd { era: c },
        HeapBioProfSampleBegin {
            era: c,
            sample_time: 5,
        },
        ProfSampleCostCentre {
            sampled_cap: a,
            tick: c,
            stack: Stack::default(),
        },
        ProfBegin { tick_interval: c },
        Ipe {
            info: c,
            table_name: text("Main_foo_info"),
            closure_desc: text("21"),
            type_desc: text("Int"),
            label: text("foo"),
            module: text("Main"),
            location: text("Main.hs:3:1-10"),
        },
        UserBinaryMsg {
            data: &[0, 255, 1, 254],
        },
        ConcMarkBegin,
        ConcMarkEnd { marked: a },
        ConcSyncBegin,
        ConcSyncEnd,
        ConcSweepBegin,
        ConcSweepEnd,
        ConcUpdRemSetFlush { flushed_cap: b },
        NonmovingHeapCensus {
            block_size: ghc_eventlog::BlockSize::Bytes(64),
            active_segments: 1,
            filled_segments: 2,
            live_blocks: 3,
        },
        NonmovingPrunedSegments { pruned: 1, free: 2 },
        TickyCounterDef {
            counter: c,
            arity: 2,
            arg_kinds: text("iM"),
            name: text("foo{v r1}"),
            info: Some(c),
            json: Some(text("{\"type\":\"entCntr\"}")),
        },
        TickyCounterSample {
            counter: c,
            entries: 1,
            allocs: 2,
            allocated: 3,
        },
        TickyCounterBeginSample,
    ]
}

/// A log that has one of everything, in blocks of three capabilities.
pub fn everything() -> Vec<u8> {
    let header = Header::standard();
    let mut out = header.as_bytes().to_vec();
    for (index, bodies) in one_of_each().chunks(30).enumerate() {
        let cap = [None, Some(0), Some(1)][index % 3];
        let mut block = BlockBuilder::new(cap);
        for (at, body) in bodies.iter().enumerate() {
            block
                .push_body(&header, 1000 * (at as u64 + 1), body)
                .unwrap();
        }
        out.extend_from_slice(block.finish());
    }
    out.extend_from_slice(&[0xff, 0xff]);
    out
}

/// The small logs that are kept with the sources.
pub fn kept_logs() -> Vec<(String, Vec<u8>)> {
    logs_in("corpus")
}

/// The logs that `corpus/make.sh` has generated, if it has been run.
pub fn generated_logs() -> Vec<(String, Vec<u8>)> {
    logs_in("corpus/logs")
}

fn logs_in(dir: &str) -> Vec<(String, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(dir);
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut logs: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "eventlog")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    logs.sort();
    logs
}

/// The raw bytes of an event, for comparisons.
pub fn raw(event: &Event<'_>) -> (u64, Option<u16>, Vec<u8>) {
    (event.time, event.cap, event.raw.to_vec())
}

/// Checks the only event of a log: its body and its payload.
pub fn only_body(bytes: &[u8], check: impl FnOnce(EventBody<'_>, &[u8])) {
    let mut stream = Stream::new();
    stream.push(bytes);
    assert_eq!(stream.next_item().unwrap(), Item::Header);
    match stream.next_item().unwrap() {
        Item::Event(event) => check(event.body, event.payload()),
        other => panic!("{other:?}"),
    }
}
