use super::*;
use crate::chunk::END_MARKER;
use crate::format::made::{fixed_event, header, variable_event};
use ghc_eventlog::ids;

fn store() -> Definitions {
    let mut store = Definitions::default();
    store.learn_chunk(
        &header(&[
            (ids::BLOCK_MARKER, 14),
            (ids::CAP_CREATE, 2),
            (ids::TASK_CREATE, 18),
            (ids::TASK_DELETE, 8),
            (ids::IPE, 0xFFFF),
            (ids::USER_MSG, 0xFFFF),
        ]),
        None,
    );
    store
}

fn chunk(events: &[Vec<u8>]) -> Vec<u8> {
    let events = events.concat();
    let mut chunk = block_marker(None, 1, 2, events.len()).to_vec();
    chunk.extend_from_slice(&events);
    chunk
}

fn replayed(store: &Definitions) -> Vec<u8> {
    let (pieces, _) = store.replay(u64::MAX, &mut Delta::default()).unwrap();
    let bytes: Vec<u8> = pieces
        .iter()
        .flat_map(|piece| piece.iter().copied())
        .collect();
    bytes.strip_prefix(store.log.header()).unwrap().to_vec()
}

#[test]
fn the_latest_definition_of_a_key_is_replayed_once() {
    let mut store = store();
    let cap = |time| fixed_event(ids::CAP_CREATE, time, &[&[0, 1]]);
    store.learn_chunk(&chunk(&[cap(1), cap(2)]), None);
    let replay = replayed(&store);
    assert_eq!(&replay[MARKER_LEN..], cap(2));
    assert_eq!(replay[10..14], (replay.len() as u32).to_be_bytes());
}

#[test]
fn what_is_deleted_is_not_replayed() {
    let mut store = store();
    let task = 7u64.to_be_bytes();
    let create = fixed_event(ids::TASK_CREATE, 1, &[&task, &[0; 10]]);
    let delete = fixed_event(ids::TASK_DELETE, 2, &[&task]);
    store.learn_chunk(&chunk(&[create]), None);
    assert!(replayed(&store).len() > MARKER_LEN);
    store.learn_chunk(&chunk(&[delete]), None);
    assert_eq!(replayed(&store).len(), MARKER_LEN);
}

#[test]
fn events_that_define_nothing_are_passed_over() {
    let mut store = store();
    let message = variable_event(ids::USER_MSG, 1, &[b"hello"]);
    let cap = fixed_event(ids::CAP_CREATE, 1, &[&[0, 1]]);
    let mut delta = Delta::default();
    store.learn_chunk(&chunk(&[message, cap.clone()]), Some(&mut delta));
    assert_eq!(delta.take(u64::MAX).unwrap().events, cap);
    assert_eq!(delta.take(u64::MAX).unwrap().events, []);
}

#[test]
fn megabytes_of_provenance_are_replayed_whole_with_their_real_length() {
    let mut store = store();
    let mut expected = Vec::new();
    for address in 0..20_000u64 {
        let strings = b"table\0descr\0type\0label\0module\0file:1:2\0";
        let exact = variable_event(ids::IPE, 1, &[&address.to_be_bytes(), strings]);
        let mut declared = exact.clone();
        declared[11] += 1;
        store.learn_chunk(&chunk(&[declared]), None);
        expected.extend_from_slice(&exact);
    }
    assert_eq!(&replayed(&store)[MARKER_LEN..], expected);
    let (pieces, _) = store.replay(u64::MAX, &mut Delta::default()).unwrap();
    assert!(pieces.len() > 3, "in shared segments");
}

#[test]
fn definitions_survive_a_new_log_and_are_not_doubled_by_it() {
    let mut store = store();
    let cap = fixed_event(ids::CAP_CREATE, 1, &[&[0, 1]]);
    let ipe = variable_event(ids::IPE, 1, &[&[0; 8], b"a\0b\0c\0d\0e\0f\0"]);
    store.learn_chunk(&chunk(&[cap.clone(), ipe.clone()]), None);
    let header = store.log.header().to_vec();
    store.learn_chunk(&header, None);
    assert_eq!(&replayed(&store)[MARKER_LEN..], [&cap[..], &ipe].concat());
    store.learn_chunk(&chunk(std::slice::from_ref(&ipe)), None);
    assert_eq!(&replayed(&store)[MARKER_LEN..], [cap, ipe].concat());
}

#[test]
fn what_does_not_belong_to_a_log_is_survived() {
    let mut store = store();
    store.learn_chunk(&[0; 100], None);
    store.learn_chunk(&[0xFF; 100], None);
    store.learn_chunk(&chunk(&[])[..20], None);
    assert_eq!(replayed(&store).len(), MARKER_LEN);
}

fn task(kind: u16, time: u64, id: u64) -> Vec<u8> {
    let rest: &[u8] = if kind == ids::TASK_CREATE {
        &[0xFF; 10]
    } else {
        &[]
    };
    fixed_event(kind, time, &[&id.to_be_bytes(), rest])
}

#[test]
fn what_is_learnt_out_of_order_does_not_come_back() {
    let mut store = store();
    store.learn_chunk(&chunk(&[task(ids::TASK_DELETE, 9, 7)]), None);
    store.learn_chunk(&chunk(&[task(ids::TASK_CREATE, 5, 7)]), None);
    assert_eq!(replayed(&store).len(), MARKER_LEN);
}

#[test]
fn what_came_and_went_is_not_told() {
    let (mut store, mut delta) = (store(), Delta::default());
    let events = [
        task(ids::TASK_CREATE, 1, 7),
        task(ids::TASK_DELETE, 2, 7),
        task(ids::TASK_CREATE, 3, 8),
        task(ids::TASK_DELETE, 4, 6),
    ];
    store.learn_chunk(&chunk(&events), Some(&mut delta));
    assert_eq!(
        delta.take(u64::MAX).unwrap().events,
        [&events[3][..], &events[2]].concat()
    );
}

/// What a client that knows task 7 is told when these came in chunks it did not get.
fn told(events: &[Vec<u8>]) -> Vec<u8> {
    let (mut store, mut delta) = (store(), Delta::default());
    store.learn_chunk(&chunk(&[task(ids::TASK_CREATE, 1, 7)]), None);
    for event in events {
        store.learn_chunk(&chunk(std::slice::from_ref(event)), Some(&mut delta));
    }
    delta.take(u64::MAX).unwrap().events
}

#[test]
fn the_end_of_a_task_is_told_though_its_id_is_used_again() {
    let create = |time| task(ids::TASK_CREATE, time, 7);
    let delete = |time| task(ids::TASK_DELETE, time, 7);
    assert_eq!(told(&[delete(2)]), delete(2));
    let again = [delete(2), create(3)];
    assert_eq!(told(&again), again.concat());
    assert_eq!(told(&[delete(2), create(3), delete(4)]), delete(2));
    let twice = [delete(2), create(3), delete(4), create(5)];
    assert_eq!(told(&twice), [delete(2), create(5)].concat());
    // It has come in a chunk that the client has got, and will go in one.
    assert_eq!(told(&[create(3), delete(4)]), []);
}

#[test]
fn an_older_task_of_the_same_id_does_not_come_back() {
    let mut store = store();
    let create = |time| task(ids::TASK_CREATE, time, 7);
    let delete = |time| task(ids::TASK_DELETE, time, 7);
    // Refused: these overtake.
    for event in [delete(2), create(3), delete(4)] {
        store.learn_chunk(&chunk(&[event]), None);
    }
    store.learn_chunk(&chunk(&[create(1)]), None);
    assert_eq!(replayed(&store).len(), MARKER_LEN);
    // Alive, with its end in the ring; that of the next is refused.
    store.learn_chunk(&chunk(&[create(5)]), None);
    store.learn_chunk(&chunk(&[delete(8)]), None);
    for event in [delete(6), create(7)] {
        store.learn_chunk(&chunk(&[event]), None);
    }
    assert_eq!(replayed(&store).len(), MARKER_LEN);
}

#[test]
fn the_end_of_an_older_task_does_not_end_one_of_the_same_id() {
    let mut store = store();
    let task = |kind, time| task(kind, time, 7);
    store.learn_chunk(&chunk(&[task(ids::TASK_CREATE, 1)]), None);
    store.learn_chunk(&chunk(&[task(ids::TASK_CREATE, 3)]), None);
    store.learn_chunk(&chunk(&[task(ids::TASK_DELETE, 2)]), None);
    let replay = replayed(&store);
    assert_eq!(&replay[MARKER_LEN..], task(ids::TASK_CREATE, 3));
}

#[test]
fn only_the_end_marker_after_the_last_event_ends_the_log() {
    let mut store = store();
    // The payload of this one ends in the same bytes.
    let mut chunk = chunk(&[task(ids::TASK_CREATE, 1, 7)]);
    assert!(chunk.ends_with(&END_MARKER));
    assert!(!store.learn_chunk(&chunk, None).ends_log);
    chunk.extend_from_slice(&END_MARKER);
    assert!(store.learn_chunk(&chunk, None).ends_log);
    // The capability of an empty global block.
    assert!(
        !store
            .learn_chunk(&block_marker(None, 1, 2, 0), None)
            .ends_log
    );
    assert!(store.learn_chunk(&END_MARKER, None).ends_log);
}

/// What every type of event does here is what the list says.
#[test]
fn what_each_event_defines_is_kept_and_nothing_else() {
    let mut definitions = Definitions::with_room().unwrap();
    let (mut kept, mut deleted, mut in_bulk, mut nothing) = (0, 0, 0, 0);
    listed::for_each(|case| {
        definitions.store = Store::default();
        definitions.learn_chunk(&case.header, None);
        // What is migrated or deleted is there.
        let before = |class, key| ((class, key), 1, b"before".to_vec());
        let known: Vec<Key> = match case
            .listed
            .map(|listed| (listed.op, listed.class, listed.key))
        {
            Some((Op::Define, Class::TaskMigrate, key)) => vec![(Class::Task, key)],
            Some((Op::Delete { with }, class, key)) => {
                // The task before its migration.
                let classes = [Some(class), with];
                classes
                    .into_iter()
                    .flatten()
                    .map(|class| (class, key))
                    .collect()
            }
            _ => Vec::new(),
        };
        for &(class, key) in &known {
            let (key, time, event) = before(class, key);
            assert_eq!(definitions.store.keyed.define(key, time, event), Ok(true));
        }
        let mut delta = Delta::default();
        definitions.learn_chunk(&chunk(std::slice::from_ref(&case.event)), Some(&mut delta));
        let store = &definitions.store;
        let defined: Vec<_> = store.keyed.in_order().unwrap();
        let bulks = (store.cost_centres.len(), store.info_tables.len());
        let told = delta.take(u64::MAX).unwrap().events;
        let len = case.event.len();
        match case.listed {
            None => {
                assert_eq!(
                    (defined.len(), bulks, told.len()),
                    (0, (0, 0), 0),
                    "{}",
                    case.id
                );
                nothing += 1;
            }
            Some(listed) => {
                assert_eq!(told, case.event, "{}", case.id);
                let key = (listed.class, listed.key);
                match listed.op {
                    Op::Define => {
                        let new: Vec<_> = defined.iter().filter(|d| d.event != b"before").collect();
                        assert_eq!((new.len(), new[0].key, new[0].time), (1, key, 5));
                        assert_eq!(new[0].event, case.event);
                        assert_eq!(bulks, (0, 0));
                        kept += 1;
                    }
                    Op::Delete { .. } => {
                        assert!(defined.is_empty(), "{}: {defined:?}", case.id);
                        assert!(store.keyed.is_deleted(&key), "{}", case.id);
                        assert_eq!(bulks, (0, 0));
                        deleted += 1;
                    }
                    Op::Bulk => {
                        let expected = match listed.class {
                            Class::CostCentre => (len, 0),
                            _ => (0, len),
                        };
                        assert_eq!((defined.len(), bulks), (0, expected), "{}", case.id);
                        in_bulk += 1;
                    }
                }
            }
        }
    });
    let counts = (kept > 100, deleted > 20, in_bulk > 20, nothing > 200_000);
    assert_eq!(counts, (true, true, true, true));
}
