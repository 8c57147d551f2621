//! The cost of a push in the ring and in other queues, beside a plain memcpy of the same chunk into
//! memory of the same size.
//!
//! One thread pushes a chunk and releases it, so every figure is the whole way of a record without
//! the cache misses of another core and without reading the payload; for the recorder it is a push
//! alone, because it has no consumer. `ratios` measures the same with all of them taking turns.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::time::Duration;

use bench::queues::{
    ArrayQueue, BbQueue, Consumer, Locked, Memcpy, Mpsc, MpscBell, Overwriting, Producer, Queue,
    RingBuf, Rtrb, Spsc, SyncChannel,
};
use bench::report::bytes;
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};

const SIZES: [usize; 6] = [64, 1 << 10, 8 << 10, 64 << 10, 512 << 10, 2 << 20];

fn measure<Q: Queue>(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let chunk = vec![0xa5_u8; size];
    let id = BenchmarkId::new(Q::NAME, bytes(size as u64));
    group.bench_function(id, |bencher| {
        let mut queue = Q::new(size);
        let (mut producers, mut consumer) = queue.split(1).expect("one producer");
        let producer = &mut producers[0];
        bencher.iter(|| {
            assert!(producer.push(black_box(&chunk)), "there is room");
            assert!(consumer.release(), "there is a record");
        });
    });
}

fn push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        measure::<Memcpy>(&mut group, size);
        measure::<Spsc>(&mut group, size);
        measure::<Mpsc>(&mut group, size);
        measure::<MpscBell>(&mut group, size);
        measure::<Overwriting>(&mut group, size);
        measure::<Rtrb>(&mut group, size);
        measure::<BbQueue>(&mut group, size);
        measure::<RingBuf>(&mut group, size);
        measure::<ArrayQueue>(&mut group, size);
        measure::<SyncChannel>(&mut group, size);
        measure::<Locked>(&mut group, size);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = push
}
criterion_main!(benches);
