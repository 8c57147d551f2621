//! Series and forests of intervals, compared with plain lists.

#[path = "../../state/tests/common/mod.rs"]
mod state;

use eventlog_series::{Forest, Pyramid};
use state::Random;

/// At any resolution: no value is lost, no peak is flattened, and no bucket is outside.
#[test]
fn pyramids_keep_what_there_was() {
    let mut random = Random(1);
    for (most, length) in [(16, 10), (16, 1000), (64, 5000), (1 << 15, 20_000)] {
        let mut pyramid = Pyramid::new(most);
        let mut plain: Vec<(u64, f64)> = Vec::new();
        let mut time = 0;
        for _ in 0..length {
            time += random.below(10);
            let value = random.below(1000) as f64 - 500.0;
            pyramid.push(time, value);
            plain.push((time, value));
        }
        assert_eq!(pyramid.last(), plain.last().copied());
        for _ in 0..200 {
            let (from, to) = (random.below(time + 9), random.below(time + 9));
            let (from, to) = (from.min(to), from.max(to));
            let count = 1 + random.below(300) as usize;
            let buckets = pyramid.buckets(from, to, count);
            assert!(buckets.len() <= count);
            let width = pyramid.width();
            // At most one bucket at each end is not wholly inside.
            let inside = plain.iter().filter(|(time, _)| (from..to).contains(time));
            let inside = inside.count() as u64;
            let told: u64 = buckets.iter().map(|bucket| bucket.count).sum();
            assert!(
                told.abs_diff(inside) <= 2 * width,
                "{told} {inside} {width}"
            );
            if width == 1 {
                assert_eq!(told, inside);
            }
            for pair in buckets.windows(2) {
                assert!(pair[0].to <= pair[1].from);
            }
            // Each bucket matches its values, which are consecutive.
            let first = buckets.first().map(|bucket| bucket.from);
            let mut at = first.map_or(0, |first| plain.partition_point(|it| it.0 < first));
            // Of several values of the same time, the first may be in the bucket before.
            if width == 1 {
                for bucket in &buckets {
                    let values = &plain[at..at + bucket.count as usize];
                    at += values.len();
                    let numbers = values.iter().map(|it| it.1);
                    assert_eq!(bucket.sum, numbers.clone().sum::<f64>());
                    assert_eq!(bucket.min, numbers.clone().fold(f64::MAX, f64::min));
                    assert_eq!(bucket.max, numbers.clone().fold(f64::MIN, f64::max));
                    assert_eq!(
                        (bucket.from, bucket.to),
                        (values[0].0, values[values.len() - 1].0)
                    );
                    assert_eq!(Some(bucket.last), values.last().map(|it| it.1));
                }
            }
        }
        let all = pyramid.buckets(0, u64::MAX, 1);
        assert_eq!(all[0].count, length);
        let peak = plain.iter().map(|it| it.1).fold(f64::MIN, f64::max);
        assert_eq!(all[0].max, peak);
    }
}

#[test]
fn the_longest_come_first_and_the_rest_is_counted() {
    let mut random = Random(2);
    for length in [0, 1, 15, 16, 17, 100, 3000] {
        let mut forest = Forest::default();
        let mut plain: Vec<(u64, u64, u64)> = Vec::new();
        let mut time = 0;
        for tag in 0..length {
            time += random.below(20);
            let from = time - random.below(time.min(100) + 1);
            let to = from + random.below(5) * random.below(500);
            forest.push(from, to, tag);
            plain.push((from, to, tag));
        }
        assert_eq!(forest.len(), plain.len());
        for round in 0..300 {
            if round % 60 == 59 {
                let gone = random.below(time + 1) / 4;
                forest.retain(|_, to, tag| to > gone || *tag == 7);
                plain.retain(|it| it.1 > gone || it.2 == 7);
                assert!(
                    forest
                        .iter()
                        .map(|it| *it.2)
                        .eq(plain.iter().map(|it| it.2))
                );
            }
            let (from, to) = (random.below(time + 9), random.below(time + 9));
            let (from, to) = (from.min(to), from.max(to));
            let meets = |it: &&(u64, u64, u64)| {
                it.0 < to && (it.1 > from || (it.0 == it.1 && it.1 == from))
            };
            let mut wanted: Vec<_> = plain.iter().filter(meets).copied().collect();
            let count = wanted.len();
            wanted.sort_by_key(|it| (std::cmp::Reverse(it.1 - it.0), it.2));
            let most = random.below(40) as usize;
            wanted.truncate(most);
            let mut found = Vec::new();
            let told = forest.visit(from, to, most, &mut |from, to, tag| {
                found.push((from, to, *tag));
            });
            assert_eq!((told, forest.count(from, to)), (count, count));
            let lengths = |all: &[(u64, u64, u64)]| -> Vec<u64> {
                all.iter().map(|it| it.1 - it.0).collect()
            };
            assert_eq!(lengths(&found), lengths(&wanted));
            assert!(found.iter().all(|it| plain.contains(it)));
        }
    }
}
