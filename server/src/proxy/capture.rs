//! A copy of what passes by, within bounds: of one body, and of all bodies together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Largest body of which the text is kept.
pub const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// What is kept of the beginning of a larger one: a stream says there which model answers.
const KEPT_BEGINNING_BYTES: usize = 64 * 1024;
/// What is kept of its end: a stream says there what was used.
const KEPT_END_BYTES: usize = 1024 * 1024;

/// How much all copies may take together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max_bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            max_bytes,
        })
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// A reservation in the budget, released when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// Nothing of it.
    pub fn of(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes more; false when there is no more.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if used.saturating_add(bytes) > self.budget.max_bytes {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Nothing of the same budget.
    pub fn another(&self) -> Self {
        Self::of(&self.budget)
    }

    /// Takes so much and no more, whether or not there is so much: of what exists already.
    pub fn set_to(&mut self, bytes: usize) {
        self.shrink_to(bytes);
        let missing = bytes - self.bytes;
        self.budget.used.fetch_add(missing, Ordering::Relaxed);
        self.bytes = bytes;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(surplus, Ordering::Relaxed);
        self.bytes -= surplus;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// The copy of one body. Chunks are copied and not held: each of them would keep the whole buffer alive that the
/// network was read into.
#[derive(Debug)]
pub struct Capture {
    bytes: Vec<u8>,
    /// The end, once the middle was let go.
    end: Option<Vec<u8>>,
    total: usize,
    held: Reservation,
}

impl Capture {
    /// A copy of nothing yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            bytes: Vec::new(),
            end: None,
            total: 0,
            held: Reservation::of(budget),
        }
    }

    /// Copies a chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.total += chunk.len();
        if let Some(end) = &mut self.end {
            keep_end(end, chunk);
            return;
        }
        let fits = self.bytes.len() + chunk.len() <= MAX_KEPT_BYTES && self.held.grow(chunk.len());
        if fits {
            self.bytes.extend_from_slice(chunk);
            return;
        }
        let from = self.bytes.len().saturating_sub(KEPT_END_BYTES);
        let mut end = self
            .bytes
            .split_off(from.max(KEPT_BEGINNING_BYTES.min(self.bytes.len())));
        self.bytes.truncate(KEPT_BEGINNING_BYTES);
        self.bytes.shrink_to_fit();
        keep_end(&mut end, chunk);
        self.held.shrink_to(self.bytes.len());
        self.end = Some(end);
    }

    /// All of it; `None` when the middle was let go.
    pub fn whole(&self) -> Option<&[u8]> {
        self.end.is_none().then_some(&self.bytes)
    }

    /// What was kept, with where it begins.
    pub fn parts(&self) -> Vec<(usize, &[u8])> {
        let mut parts = vec![(0, &self.bytes[..])];
        if let Some(end) = &self.end {
            parts.push((self.total - end.len(), end));
        }
        parts
    }

    /// How many bytes passed by.
    pub fn total(&self) -> usize {
        self.total
    }
}

fn keep_end(end: &mut Vec<u8>, chunk: &[u8]) {
    end.extend_from_slice(chunk);
    if end.len() > 2 * KEPT_END_BYTES {
        end.drain(..end.len() - KEPT_END_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_bounds_everything_is_kept() {
        let budget = Budget::new(usize::MAX);
        let mut capture = Capture::new(&budget);
        capture.push(b"abc");
        capture.push(b"def");
        assert_eq!(capture.whole(), Some(&b"abcdef"[..]));
        assert_eq!(budget.used(), 6);
        drop(capture);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn of_more_the_beginning_and_the_end_are_kept() {
        let check = |max_bytes: usize, total: usize| {
            let budget = Budget::new(max_bytes);
            let mut capture = Capture::new(&budget);
            let all: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
            for chunk in all.chunks(100_003) {
                capture.push(chunk);
            }
            assert_eq!((capture.whole(), capture.total()), (None, total));
            for (start, bytes) in capture.parts() {
                assert_eq!(bytes, &all[start..start + bytes.len()]);
            }
            let (start, end) = capture.parts()[1];
            assert_eq!(start + end.len(), total);
            assert!(capture.bytes.len() <= KEPT_BEGINNING_BYTES && end.len() <= 2 * KEPT_END_BYTES);
            assert!(budget.used() <= KEPT_BEGINNING_BYTES);
        };
        check(usize::MAX, MAX_KEPT_BYTES + 1);
        check(3_000_000, 5_000_000);
        check(10, 300_000);
    }
}
