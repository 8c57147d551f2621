//! Losses recorded and told at the same time.
#![cfg(loom)]

use eventlog_ring::{Consumer, GRANULE, Loss};
use loom::thread;
use loom_tests::Bed;

const fn loss(records: u64, bytes: u64, since: u64, until: u64) -> Loss {
    Loss {
        records,
        bytes,
        since,
        until,
    }
}

/// Adds up what live records tell, and releases everything.
fn listen(consumer: &mut Consumer<'_>, told: &mut Loss) {
    let mut count = 0;
    for record in consumer.records() {
        count += 1;
        if record.is_live() {
            add(told, record.loss_before());
        }
    }
    consumer.release(count);
}

fn add(told: &mut Loss, note: Option<Loss>) {
    if let Some(note) = note {
        assert!(note.records > 0 && note.since <= note.until);
        told.records += note.records;
        told.bytes += note.bytes;
        told.since = told.since.min(note.since);
        told.until = told.until.max(note.until);
    }
}

/// Every loss is told exactly once, by a note or at the end, however notes and losses interleave.
#[test]
fn losses_add_up() {
    loom::model(|| {
        let bed = Bed::new(8);
        // SAFETY: both threads are joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
        let threads = [loss(1, 10, 5, 6), loss(2, 30, 4, 4)].map(|loss| {
            thread::spawn(move || {
                producer.record_loss(loss);
                producer.push(&[0; GRANULE]).unwrap();
            })
        });
        let mut told = loss(0, 0, u64::MAX, 0);
        listen(&mut consumer, &mut told);
        for thread in threads {
            thread.join().unwrap();
        }
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        assert_eq!(told, loss(3, 40, 4, 6));
        let lost = consumer.counters().lost;
        assert_eq!((lost.records, lost.bytes), (3, 40));
        assert!(consumer.is_idle());
    });
}

/// A loss of the new session is told in it, even when a producer left over from the old one gets hold of it.
#[test]
fn an_old_record_swallows_no_new_loss() {
    loom::model(|| {
        let bed = Bed::new(4);
        // SAFETY: both threads are joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
        let first = producer.epoch();
        let pushing = thread::spawn(move || producer.push_in(first, b"old").is_ok());
        let losing = thread::spawn(move || {
            let now = producer.epoch();
            let new = now != first && producer.push_in(now, b"new").is_ok();
            if new {
                producer.record_loss(loss(1, 10, 5, 6));
            }
            new
        });
        consumer.reset();
        consumer.open();
        let mut told = loss(0, 0, u64::MAX, 0);
        listen(&mut consumer, &mut told);
        pushing.join().unwrap();
        let lost = losing.join().unwrap();
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        assert_eq!(told.records, u64::from(lost));
        assert_eq!(told.bytes, u64::from(lost) * 10);
    });
}

/// A reservation given up passes its note on, exactly once.
#[test]
fn an_aborted_record_passes_its_note_on() {
    loom::model(|| {
        let bed = Bed::new(8);
        // SAFETY: the thread is joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
        let other = thread::spawn(move || {
            producer.record_loss(loss(1, 10, 5, 6));
            drop(producer.reserve(1).unwrap());
        });
        producer.push(b"x").unwrap();
        let mut told = loss(0, 0, u64::MAX, 0);
        listen(&mut consumer, &mut told);
        other.join().unwrap();
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        assert_eq!(told, loss(1, 10, 5, 6));
    });
}
