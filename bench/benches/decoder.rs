//! What decoding a log costs, per byte: typed events, one by one, from memory.
//!
//! The log is made here, of the events that fill real ones: a thread that runs and
//! stops, messages, collections with their statistics, in blocks of 2 MiB.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ghc_eventlog::{
    BlockBuilder, Decoder, EventBody, Header, Item, Reader, StopStatus, Stream, Text, Writer,
};

const BLOCK: usize = 2 << 20;
const BLOCKS: usize = 16;

/// A log of [`BLOCKS`] full blocks of two capabilities, and its number of events.
fn log() -> (Vec<u8>, u64) {
    let header = Header::standard();
    let mut writer = Writer::new(Vec::new());
    let mut events = 0;
    writer.header(&header).expect("memory");
    let mut time = 0;
    for number in 0..BLOCKS {
        let mut block = BlockBuilder::new(Some((number % 2) as u16));
        while block.len() < BLOCK - 256 {
            let message = format!("request {time} served");
            for body in [
                EventBody::RunThread { thread: 7 },
                EventBody::UserMsg {
                    message: Text::from(message.as_str()),
                },
                EventBody::StopThread {
                    thread: 7,
                    status: StopStatus::YIELDING,
                    info: Some(0),
                },
                EventBody::GcStart,
                EventBody::GcEnd,
            ] {
                block.push_body(&header, time, &body).expect("declared");
                time += 40;
                events += 1;
            }
        }
        writer.raw(block.finish()).expect("memory");
    }
    writer.end().expect("memory");
    (writer.into_inner(), events)
}

fn count(item: &Item<'_>) -> u64 {
    match item {
        Item::Event(event) => {
            black_box(&event.body);
            1
        }
        _ => 0,
    }
}

fn decode(criterion: &mut Criterion) {
    let (log, events) = log();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(log.len() as u64));

    // The minimum for any decoder: read every byte once.
    group.bench_function("sum of bytes", |bencher| {
        bencher.iter(|| log.iter().map(|&byte| u64::from(byte)).sum::<u64>());
    });
    group.bench_function("Reader::for_each", |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            let mut reader = Reader::new(&log[..]);
            let flow = reader.for_each(|item| {
                seen += count(&item);
                ControlFlow::<()>::Continue(())
            });
            assert!(flow.is_ok_and(|flow| flow.is_continue()));
            assert_eq!(seen, events);
        });
    });
    group.bench_function("Reader::next_item", |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            let mut reader = Reader::new(&log[..]);
            while let Some(item) = reader.next_item().expect("a sound log") {
                seen += count(&item);
            }
            assert_eq!(seen, events);
        });
    });
    group.bench_function("Decoder::for_each_event", |bencher| {
        bencher.iter(|| {
            let (mut decoder, mut input) = (Decoder::new(), &log[..]);
            let mut seen = 0;
            while decoder.decode(&mut input).expect("a sound log") != Item::NeedMore {
                let _ = decoder.for_each_event(&mut input, |event| {
                    black_box(&event.body);
                    seen += 1;
                    ControlFlow::<()>::Continue(())
                });
            }
            assert_eq!(seen, events);
        });
    });
    // Two readers that take turns: each time, the next event of the other has to be read again.
    group.bench_function("Decoder::for_each_event_while", |bencher| {
        bencher.iter(|| {
            let (mut decoder, mut input) = (Decoder::new(), &log[..]);
            let mut seen = 0;
            while decoder.decode(&mut input).expect("a sound log") != Item::NeedMore {
                let mut turn = 0;
                while decoder
                    .for_each_event_while(&mut input, |event| {
                        if seen == turn {
                            return ControlFlow::Break(());
                        }
                        black_box(&event.body);
                        seen += 1;
                        ControlFlow::Continue(())
                    })
                    .is_break()
                {
                    turn = seen + 100;
                }
            }
            assert_eq!(seen, events);
        });
    });
    for push in [1500, 64 << 10] {
        let id = BenchmarkId::new("Stream, pushed", push);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let mut seen = 0;
                let mut stream = Stream::with_decoder(Decoder::new());
                for bytes in log.chunks(push) {
                    stream.push(bytes);
                    loop {
                        match stream.next_item().expect("a sound log") {
                            Item::NeedMore => break,
                            item => seen += count(&item),
                        }
                    }
                }
                assert_eq!(seen, events);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10);
    targets = decode
}
criterion_main!(benches);
