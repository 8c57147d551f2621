//! What the events of the scheduler say about threads and capabilities.

mod common;

use common::{block, event, log};
use eventlog_state::{CapState, Fact, Keep, Merge, MergeOptions, State, Step, ThreadState};
use ghc_eventlog::{EventBody, StopStatus};

/// The state at the end of a log, and the intervals of its threads.
fn fold(log: &[u8]) -> (State, Vec<(ThreadState, u64, u64)>) {
    let mut merge = Merge::new(MergeOptions::default());
    merge.push_bytes(log);
    merge.flush();
    let (mut state, mut intervals) = (None, Vec::new());
    merge
        .drain(&mut |step| match (step, &mut state) {
            (Step::Session(header), state) => *state = Some(State::new(header, Keep::all())),
            (Step::Event(it, turn), Some(state)) => state.apply(it, turn, &mut |fact| {
                if let Fact::Thread(it) = fact {
                    intervals.push((it.state, it.from, it.to));
                }
            }),
            _ => {}
        })
        .unwrap();
    (state.unwrap(), intervals)
}

/// The runtime system passes on only threads that are ready: one that was blocked was woken,
/// although the log does not say so.
#[test]
fn a_thread_that_is_passed_on_is_ready() {
    let thread = 7;
    let stop = EventBody::StopThread {
        thread,
        status: StopStatus::MVAR,
        info: Some(0),
    };
    let away = [
        event(10, EventBody::CreateThread { thread }),
        event(20, EventBody::RunThread { thread }),
        event(30, stop),
        event(40, EventBody::MigrateThread { thread, new_cap: 1 }),
    ];
    let idle = EventBody::UserMsg {
        message: "nothing to do".into(),
    };
    let log = log(&[
        block(Some(0), 10, 50, &away),
        block(Some(1), 10, 50, &[event(50, idle)]),
    ]);
    let (state, intervals) = fold(&log);
    let blocked = ThreadState::Blocked {
        why: StopStatus::MVAR,
        by: None,
    };
    assert_eq!(
        intervals,
        [
            (ThreadState::Runnable, 10, 20),
            (ThreadState::Running { cap: 0 }, 20, 30),
            (blocked, 30, 40)
        ]
    );
    let thread = state.thread(thread).unwrap();
    assert_eq!(
        (thread.state(), thread.cap()),
        (ThreadState::Runnable, Some(1))
    );
    assert_eq!(state.cap(0).unwrap().state(), CapState::Idle);
    assert_eq!(state.cap(1).unwrap().state(), CapState::Switching);
}
