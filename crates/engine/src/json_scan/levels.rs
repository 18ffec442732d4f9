//! The brackets that are open while JSON is scanned.

use super::Inside;

pub(super) const ARRAY: bool = false;
pub(super) const OBJECT: bool = true;

/// The open brackets, one bit each: 1 for an object, 0 for an array.
#[derive(Default)]
pub(super) struct Levels {
    first: [u64; 16],
    rest: Vec<u64>,
    depth: usize,
}

impl Levels {
    pub(super) fn push(&mut self, object: bool) {
        let index = self.depth / 64;
        if index >= 16 + self.rest.len() {
            self.rest.push(0);
        }
        let word = match self.first.get_mut(index) {
            Some(word) => Some(word),
            None => self.rest.get_mut(index - 16),
        };
        if let Some(word) = word {
            let bit = 1u64 << (self.depth % 64);
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn top(&self) -> Option<bool> {
        let last = self.depth.checked_sub(1)?;
        let word = match self.first.get(last / 64) {
            Some(word) => *word,
            None => *self.rest.get(last / 64 - 16)?,
        };
        Some(word >> (last % 64) & 1 == 1)
    }

    pub(super) fn inside(&self) -> Inside {
        match self.top() {
            None => Inside::Top,
            Some(OBJECT) => Inside::Object,
            Some(ARRAY) => Inside::Array,
        }
    }
}
