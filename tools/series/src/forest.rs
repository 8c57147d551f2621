//! Large sets of intervals, searched for the longest first.

use std::collections::BinaryHeap;

/// Intervals under one node of the lowest level.
const LEAVES: usize = 16;

/// What is under a node.
#[derive(Clone, Copy, Debug)]
struct Node {
    from: u64,
    to: u64,
    longest: u64,
}

impl Node {
    fn join(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
            longest: self.longest.max(other.longest),
        }
    }
}

/// Intervals in the order in which they were added, with the longest of each run of 16,
/// 32, 64 and so on, so that a few of many are found quickly.
///
/// Intervals that are near in time should be added near each other: the order only
/// affects the speed of searches.
///
/// ```
/// use eventlog_series::Forest;
///
/// let mut spans = Forest::default();
/// for n in 0..100_000 {
///     spans.push(n * 10, n * 10 + 5, n);
/// }
/// spans.push(0, 500_000, 7_777_777);
/// let mut found = Vec::new();
/// let counted = spans.visit(0, 1_000_000, 3, &mut |from, to, tag| found.push((from, to, *tag)));
/// assert_eq!(found[0], (0, 500_000, 7_777_777));
/// assert_eq!((found.len(), counted), (3, 100_001));
/// ```
#[derive(Clone, Debug)]
pub struct Forest<T> {
    leaves: Vec<(u64, u64, T)>,
    /// The complete nodes of each level.
    levels: Vec<Vec<Node>>,
}

impl<T> Default for Forest<T> {
    fn default() -> Self {
        Self {
            leaves: Vec::new(),
            levels: Vec::new(),
        }
    }
}

/// A node, or a single interval, in a search for the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    longest: u64,
    /// 0 for a leaf.
    level: usize,
    /// Lower values are visited first.
    at: std::cmp::Reverse<usize>,
}

impl<T> Forest<T> {
    /// How many intervals there are.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// All of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, &T)> {
        self.leaves.iter().map(|(from, to, tag)| (*from, *to, tag))
    }

    /// Removes the intervals for which `stays` does not hold; the others stay in their order.
    pub fn retain(&mut self, mut stays: impl FnMut(u64, u64, &T) -> bool) {
        self.leaves.retain(|(from, to, tag)| stays(*from, *to, tag));
        self.levels.clear();
        for end in (LEAVES..=self.leaves.len()).step_by(LEAVES) {
            self.join(end);
        }
    }

    /// Adds an interval. If `to` is before `from`, the interval is empty, at `from`.
    pub fn push(&mut self, from: u64, to: u64, tag: T) {
        self.leaves.push((from, to.max(from), tag));
        if self.leaves.len().is_multiple_of(LEAVES) {
            self.join(self.leaves.len());
        }
    }

    /// Adds the nodes that are complete with the leaves up to `end`.
    fn join(&mut self, end: usize) {
        let mut node = node_of(&self.leaves[end - LEAVES..end]);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            if !nodes.len().is_multiple_of(2) {
                return;
            }
            node = nodes[nodes.len() - 2].join(nodes[nodes.len() - 1]);
        }
    }

    /// Visits the intervals that overlap the time from `from` to `to` (exclusive), the
    /// longest first, at most `most`. Returns how many there are in all. An empty
    /// interval counts at its time.
    pub fn visit(
        &self,
        from: u64,
        to: u64,
        most: usize,
        each: &mut impl FnMut(u64, u64, &T),
    ) -> usize {
        let mut heap = BinaryHeap::new();
        self.each_root(&mut |level, at| {
            let node = self.node(level, at);
            if meets(&node, level, from, to) {
                heap.push(place(&node, level, at));
            }
        });
        let mut found = 0;
        while found < most
            && let Some(next) = heap.pop()
        {
            let at = next.at.0;
            if next.level == 0 {
                let (from, to, tag) = &self.leaves[at];
                each(*from, *to, tag);
                found += 1;
                continue;
            }
            self.each_below(next.level, at, &mut |level, at| {
                let node = self.node(level, at);
                if meets(&node, level, from, to) {
                    heap.push(place(&node, level, at));
                }
            });
        }
        self.count(from, to)
    }

    /// How many intervals overlap this time.
    pub fn count(&self, from: u64, to: u64) -> usize {
        let mut count = 0;
        let mut open = Vec::new();
        self.each_root(&mut |level, at| open.push((level, at)));
        while let Some((level, at)) = open.pop() {
            let node = self.node(level, at);
            if !meets(&node, level, from, to) {
                continue;
            }
            let inside = from <= node.from && node.to < to;
            match level {
                0 => count += 1,
                _ if inside => count += self.leaves_of(level),
                _ => self.each_below(level, at, &mut |level, at| open.push((level, at))),
            }
        }
        count
    }

    /// How many leaves are under a node.
    fn leaves_of(&self, level: usize) -> usize {
        match level {
            0 => 1,
            level => LEAVES << (level - 1),
        }
    }

    fn node(&self, level: usize, at: usize) -> Node {
        match level {
            0 => {
                let (from, to, _) = self.leaves[at];
                Node {
                    from,
                    to,
                    longest: to - from,
                }
            }
            level => self.levels[level - 1][at],
        }
    }

    /// The nodes without a parent, and the leaves without a node.
    fn each_root(&self, each: &mut impl FnMut(usize, usize)) {
        for (level, nodes) in self.levels.iter().enumerate() {
            if !nodes.len().is_multiple_of(2) {
                each(level + 1, nodes.len() - 1);
            }
        }
        let first = self.leaves.len() / LEAVES * LEAVES;
        (first..self.leaves.len()).for_each(|at| each(0, at));
    }

    fn each_below(&self, level: usize, at: usize, each: &mut impl FnMut(usize, usize)) {
        match level {
            0 => {}
            1 => (at * LEAVES..(at + 1) * LEAVES).for_each(|at| each(0, at)),
            level => (at * 2..(at + 1) * 2).for_each(|at| each(level - 1, at)),
        }
    }
}

fn place(node: &Node, level: usize, at: usize) -> Place {
    Place {
        longest: node.longest,
        level,
        at: std::cmp::Reverse(at),
    }
}

/// Whether an interval overlaps this time; for a node of several intervals, whether one
/// may.
fn meets(node: &Node, level: usize, from: u64, to: u64) -> bool {
    let touches = node.to == from && (level > 0 || node.from == node.to);
    node.from < to && (node.to > from || touches)
}

fn node_of<T>(leaves: &[(u64, u64, T)]) -> Node {
    let mut joined = Node {
        from: u64::MAX,
        to: 0,
        longest: 0,
    };
    for (from, to, _) in leaves {
        joined = joined.join(Node {
            from: *from,
            to: *to,
            longest: to - from,
        });
    }
    joined
}

impl<T> Forest<T> {
    /// Approximate memory use in bytes.
    pub fn memory(&self) -> usize {
        let nodes: usize = self.levels.iter().map(Vec::capacity).sum();
        self.leaves.capacity() * size_of::<(u64, u64, T)>() + nodes * size_of::<Node>()
    }
}
