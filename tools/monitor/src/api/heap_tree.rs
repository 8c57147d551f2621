//! `heap/tree`: the cost-centre stacks of a sample as a tree, callers first.

use super::heap::Profile;
use super::question::{Answer, Question, Refusal, json};
use crate::fold::heap::{Heap, Key, Taken};
use ghc_eventlog::Breakdown;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

#[derive(Debug, Serialize)]
struct Tree {
    /// The time of the sample.
    time: u64,
    total: u64,
    /// Each node after its caller, the largest first.
    nodes: Vec<Line>,
    /// How many more nodes there are.
    other_nodes: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    /// The index of its caller in the list.
    parent: Option<usize>,
    depth: usize,
    /// `null`: the root, or bands whose stack is not known.
    cost_centre: Option<u32>,
    label: String,
    module: Option<String>,
    location: Option<String>,
    /// Bytes of this stack, and of all stacks that continue it.
    inclusive: u64,
    /// Bytes of exactly this stack.
    own: u64,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Frame {
    /// The program, outside all cost centres.
    Main,
    Centre(u32),
    /// Bands beyond the limit, whose stacks were not kept.
    Other,
}

#[derive(Debug)]
struct Node {
    frame: Frame,
    parent: Option<usize>,
    depth: usize,
    inclusive: u64,
    own: u64,
}

/// All nodes, each after its caller, in any order.
fn nodes(heap: &Heap, sample: &Taken) -> Vec<Node> {
    let mut nodes = vec![Node {
        frame: Frame::Main,
        parent: None,
        depth: 0,
        inclusive: 0,
        own: 0,
    }];
    let mut children: FxHashMap<(usize, Frame), usize> = FxHashMap::default();
    for &(band, bytes) in &sample.bands {
        let other = [Frame::Other];
        let (frames, rest): (&[u32], &[Frame]) = match heap.key(band) {
            Key::Stack(frames) => (frames, &[]),
            Key::Name(_) | Key::Other => (&[], &other),
        };
        // Frames are stored innermost first.
        let callers_first = frames.iter().rev().map(|&id| Frame::Centre(id));
        let mut at = 0;
        nodes[0].inclusive = nodes[0].inclusive.saturating_add(bytes);
        for frame in callers_first.chain(rest.iter().copied()) {
            let next = nodes.len();
            let depth = nodes[at].depth + 1;
            let child = *children.entry((at, frame)).or_insert(next);
            if child == next {
                nodes.push(Node {
                    frame,
                    parent: Some(at),
                    depth,
                    inclusive: 0,
                    own: 0,
                });
            }
            at = child;
            nodes[at].inclusive = nodes[at].inclusive.saturating_add(bytes);
        }
        nodes[at].own = nodes[at].own.saturating_add(bytes);
    }
    nodes
}

/// At most this many nodes, the largest ones: a caller is never smaller than what it calls, so that
/// no node lacks its caller. In the order of a walk through the tree, the largest first.
fn largest(nodes: &[Node], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    // Of equal ones the caller comes first, because it was created first.
    order.sort_by_key(|&at| (Reverse(nodes[at].inclusive), at));
    order.truncate(most.max(1));
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    // The smallest is added first, so that the largest is taken first from the end.
    for &at in order.iter().rev() {
        if let Some(parent) = nodes[at].parent {
            children[parent].push(at);
        }
    }
    let mut walk = Vec::with_capacity(order.len());
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        walk.push(at);
        open.append(&mut children[at]);
    }
    walk
}

pub(super) fn tree(profile: Profile<'_>, question: &Question) -> Result<Answer, Refusal> {
    let at = question.time("at")?.unwrap_or(u64::MAX);
    let limit = question.count("limit", 2000, 20_000)?;
    let heap = profile.heap;
    let Some(symbols) = profile.symbols else {
        return Err(Refusal::missing(
            "a .hp file has the stacks of cost centres only as text that may be cut off; use the \
             eventlog of a run with +RTS -l -hc",
        ));
    };
    let sample = profile.nearest(at).ok_or_else(|| profile.none())?;
    if heap.breakdown() != Some(Breakdown::COST_CENTRE) {
        return Err(Refusal::missing(
            "the heap profile is not by cost centre; run the program, built with -prof, with \
             +RTS -l -hc",
        ));
    }
    let nodes = nodes(heap, sample);
    let walk = largest(&nodes, limit);
    let mut places = vec![0; nodes.len()];
    for (place, &at) in walk.iter().enumerate() {
        places[at] = place;
    }
    let line = |&at: &usize| {
        let node = &nodes[at];
        let (cost_centre, label) = match node.frame {
            Frame::Main => (None, "MAIN".to_owned()),
            Frame::Other => (None, "(other)".to_owned()),
            Frame::Centre(id) => (Some(id), format!("cost centre {id}")),
        };
        let known = cost_centre.and_then(|id| symbols.cost_centre(id));
        let (label, module, location) = match known {
            None => (label, None, None),
            Some(known) => (
                known.label.into_owned(),
                Some(known.module.into_owned()),
                Some(known.location.into_owned()),
            ),
        };
        Line {
            parent: node.parent.map(|parent| places[parent]),
            depth: node.depth,
            cost_centre,
            label,
            module,
            location,
            inclusive: node.inclusive,
            own: node.own,
        }
    };
    json(&Tree {
        time: sample.time,
        total: nodes[0].inclusive,
        nodes: walk.iter().map(line).collect(),
        other_nodes: nodes.len() - walk.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stacks are innermost first.
    fn heap(stacks: &[(&[u32], u64)]) -> Heap {
        let mut heap = Heap::default();
        let bands = stacks.iter();
        heap.add(
            5,
            bands.map(|&(frames, bytes)| (Key::Stack(frames.into()), bytes)),
        );
        heap
    }

    #[test]
    fn callers_come_first_and_have_the_sum() {
        let heap = heap(&[(&[2, 1], 10), (&[], 1), (&[1], 5), (&[3, 1], 30), (&[2], 7)]);
        let all = nodes(&heap, &heap.samples()[0]);
        let told = |most| {
            let walk = largest(&all, most);
            let line = |&at: &usize| {
                let node = &all[at];
                (node.depth, node.frame, node.inclusive, node.own)
            };
            walk.iter().map(line).collect::<Vec<_>>()
        };
        let whole = [
            (0, Frame::Main, 53, 1),
            (1, Frame::Centre(1), 45, 5),
            (2, Frame::Centre(3), 30, 30),
            (2, Frame::Centre(2), 10, 10),
            (1, Frame::Centre(2), 7, 7),
        ];
        assert_eq!(told(100), whole);
        assert_eq!(told(4), whole[..4]);
        assert_eq!(told(0), whole[..1]);
    }

    #[test]
    fn a_caller_that_is_as_large_is_kept() {
        let heap = heap(&[(&[4, 3, 2, 1], 10)]);
        let all = nodes(&heap, &heap.samples()[0]);
        for most in 1..=5 {
            let depths: Vec<usize> = largest(&all, most)
                .iter()
                .map(|&at| all[at].depth)
                .collect();
            assert_eq!(depths, (0..most).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bands_without_a_stack_are_no_part_of_one() {
        let mut heap = Heap::default();
        let bands = [(Key::Other, 3), (Key::Stack([1].into()), 4)];
        heap.add(5, bands.into_iter());
        let all = nodes(&heap, &heap.samples()[0]);
        let other = all.iter().find(|node| node.frame == Frame::Other).unwrap();
        assert_eq!((other.depth, other.own, other.parent), (1, 3, Some(0)));
        assert_eq!((all[0].inclusive, all[0].own), (7, 0));
    }
}
