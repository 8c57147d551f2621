//! What a push costs beside a plain memcpy of the same chunk into memory of the same size.
//!
//! One thread pushes a chunk and releases it, so every figure is the whole way of a record without another core's cache
//! misses and without reading the payload: what the ring adds to the one copy that cannot be avoided.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventlog_ring::{Doorbell, Ring, Storage};

const CAPACITY: usize = 16 << 20;
const SIZES: [(usize, &str); 5] = [
    (64, "64B"),
    (1 << 10, "1KiB"),
    (8 << 10, "8KiB"),
    (64 << 10, "64KiB"),
    (2 << 20, "2MiB"),
];

/// Zeroed memory whose pages have all been touched.
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

impl Region {
    fn new(size: usize) -> Self {
        let layout = Layout::from_size_align(size, 4096).expect("a sane size");
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory");
        // SAFETY: freshly allocated with this size.
        unsafe { black_box(start).write_bytes(0, size) };
        Self { start, layout }
    }

    fn ring(&mut self) -> Ring<'_> {
        // SAFETY: zeroed, of that size, and borrowed for as long as the ring lives; used once.
        let storage = unsafe { Storage::from_region(self.start, CAPACITY) };
        Ring::new(storage.expect("a power of two"))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

fn push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push");
    for (size, name) in SIZES {
        let chunk = vec![0xa5_u8; size];
        group.throughput(Throughput::Bytes(size as u64));

        group.bench_function(BenchmarkId::new("memcpy", name), |bencher| {
            let region = Region::new(CAPACITY);
            let mut at = 0;
            bencher.iter(|| {
                // SAFETY: CAPACITY is a multiple of every size, so the chunk fits at every multiple of it below.
                unsafe {
                    let to = black_box(region.start).as_ptr().add(at);
                    std::ptr::copy_nonoverlapping(black_box(&chunk[..]).as_ptr(), to, size);
                }
                at = (at + size) % CAPACITY;
            });
        });

        group.bench_function(BenchmarkId::new("spsc", name), |bencher| {
            let mut region = Region::new(Storage::region_size(CAPACITY));
            let mut ring = region.ring();
            let (mut producer, mut consumer) = ring.spsc();
            bencher.iter(|| {
                producer.push(black_box(&chunk)).expect("room");
                consumer.release(1);
            });
        });

        group.bench_function(BenchmarkId::new("mpsc", name), |bencher| {
            let mut region = Region::new(Storage::region_size(CAPACITY));
            let mut ring = region.ring();
            let (producer, mut consumer) = ring.mpsc();
            bencher.iter(|| {
                producer.push(black_box(&chunk)).expect("room");
                consumer.release(1);
            });
        });

        // As a producer does it that may have to wake the consumer.
        group.bench_function(BenchmarkId::new("mpsc+bell", name), |bencher| {
            let mut region = Region::new(Storage::region_size(CAPACITY));
            let mut ring = region.ring();
            let bell = Doorbell::new();
            let (producer, mut consumer) = ring.mpsc();
            bencher.iter(|| {
                producer.push(black_box(&chunk)).expect("room");
                assert!(!bell.ring());
                consumer.release(1);
            });
        });
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
