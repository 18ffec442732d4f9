//! The latest of what arrived, some of which may yet be undone.

use std::collections::VecDeque;

/// Whether a step may still be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Yes,
    No,
}

/// The latest of what arrived, in order of arrival. Beyond its capacity it keeps, hidden, as many older entries as
/// pending ones: should these be undone, the hidden ones take their places.
#[derive(Clone, Debug)]
pub(super) struct Ring<T> {
    pub(super) entries: VecDeque<(i64, T)>,
    pending: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            pending: 0,
        }
    }
}

/// How what a ring shows has changed.
pub(super) struct Change<T> {
    pub(super) is_shown: bool,
    /// What no longer shows in its place.
    pub(super) hidden: Option<T>,
}

impl<T: Copy> Ring<T> {
    /// Adds an entry. `None` when it is known, or older than all that is kept.
    pub(super) fn insert(
        &mut self,
        capacity: usize,
        sequence: i64,
        value: T,
        pending: Pending,
    ) -> Option<Change<T>> {
        let place = self.place(sequence);
        if self
            .entries
            .get(place)
            .is_some_and(|(known, _)| *known == sequence)
        {
            return None;
        }
        let was_hiding = self.hidden(capacity);
        let is_full = self.entries.len() >= capacity;
        if place == 0 && is_full && pending == Pending::No && was_hiding >= self.pending {
            return None;
        }
        self.entries.insert(place, (sequence, value));
        self.pending += usize::from(pending == Pending::Yes);
        let is_shown = !is_full || place > was_hiding;
        // The oldest that showed is now the last of the hidden ones.
        let hidden = (is_full && is_shown)
            .then(|| self.entries.get(was_hiding).map(|(_, value)| *value))
            .flatten();
        self.trim(capacity);
        Some(Change { is_shown, hidden })
    }

    /// Takes a pending entry out: it, when it was shown, and what shows in its place.
    pub(super) fn undo(&mut self, capacity: usize, sequence: i64) -> Option<(T, Option<T>)> {
        let place = self.place(sequence);
        let hidden = self.hidden(capacity);
        self.pending = self.pending.saturating_sub(1);
        if self
            .entries
            .get(place)
            .is_none_or(|(known, _)| *known != sequence)
        {
            self.trim(capacity);
            return None;
        }
        let (_, undone) = self.entries.remove(place)?;
        let shown_instead = hidden
            .checked_sub(1)
            .and_then(|last| self.entries.get(last))
            .map(|(_, value)| *value);
        self.trim(capacity);
        (place >= hidden).then_some((undone, shown_instead))
    }

    pub(super) fn confirm(&mut self, capacity: usize) {
        self.pending = self.pending.saturating_sub(1);
        self.trim(capacity);
    }

    fn trim(&mut self, capacity: usize) {
        while self.hidden(capacity) > self.pending {
            self.entries.pop_front();
        }
    }

    fn hidden(&self, capacity: usize) -> usize {
        self.entries.len().saturating_sub(capacity)
    }

    pub(super) fn shown(&self, capacity: usize) -> impl Iterator<Item = &T> {
        self.entries
            .iter()
            .skip(self.hidden(capacity))
            .map(|(_, value)| value)
    }

    /// How many arrived before. Nearly always all of them.
    fn place(&self, sequence: i64) -> usize {
        if self.last() < sequence {
            self.entries.len()
        } else {
            self.entries.partition_point(|(known, _)| *known < sequence)
        }
    }

    /// When the latest arrived.
    pub(super) fn last(&self) -> i64 {
        self.entries.back().map_or(i64::MIN, |(sequence, _)| *sequence)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(i64, T)>()
    }
}
