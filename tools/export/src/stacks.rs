//! Cost-centre stacks, each stored only once.

use std::collections::{BTreeSet, HashMap};

/// The largest number of different stacks that are kept; the rest count as one.
const MOST: usize = 1 << 20;

/// Numbers for stacks, innermost cost centre first.
#[derive(Debug, Default)]
pub struct Stacks {
    numbers: HashMap<Box<[u32]>, u32>,
    stacks: Vec<Box<[u32]>>,
    scratch: Vec<u32>,
}

impl Stacks {
    /// The number of a stack.
    pub fn intern(&mut self, stack: ghc_eventlog::Stack<'_>) -> u32 {
        self.scratch.clear();
        if self.stacks.len() < MOST {
            self.scratch.extend(stack.iter());
        }
        if let Some(&number) = self.numbers.get(self.scratch.as_slice()) {
            return number;
        }
        let number = self.stacks.len() as u32;
        let stack: Box<[u32]> = self.scratch.as_slice().into();
        self.numbers.insert(stack.clone(), number);
        self.stacks.push(stack);
        number
    }

    /// The stack with this number, innermost first.
    pub fn get(&self, number: u32) -> &[u32] {
        self.stacks.get(number as usize).map_or(&[], |stack| stack)
    }

    /// The numbers in all stacks.
    pub fn ids(&self) -> BTreeSet<u32> {
        self.stacks.iter().flatten().copied().collect()
    }
}
