//! The numbers of lost records.

use std::ops::Range;

/// Sequence numbers of lost records that are not acknowledged yet.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// Sorted; none touches another.
    ranges: Vec<Range<u64>>,
    count: u64,
}

impl Gaps {
    /// How many numbers.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Adds `missing` and returns how many of its numbers are new.
    pub(crate) fn add(&mut self, missing: Range<u64>) -> u64 {
        if missing.is_empty() {
            return 0;
        }
        let first = self.ranges.partition_point(|range| range.end < missing.start);
        let touching = self.ranges[first..].partition_point(|range| range.start <= missing.end);
        let mut union = missing;
        let mut known = 0;
        for range in self.ranges.drain(first..first + touching) {
            known += range.end - range.start;
            union = union.start.min(range.start)..union.end.max(range.end);
        }
        let new = union.end - union.start - known;
        self.ranges.insert(first, union);
        self.count += new;
        new
    }

    /// Forgets all numbers below `sequence`.
    pub(crate) fn forget_before(&mut self, sequence: u64) {
        let gone = self.ranges.partition_point(|range| range.end <= sequence);
        self.count -= self
            .ranges
            .drain(..gone)
            .map(|range| range.end - range.start)
            .sum::<u64>();
        if let Some(first) = self.ranges.first_mut().filter(|first| first.start < sequence) {
            self.count -= sequence - first.start;
            first.start = sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_like_a_set(changes in proptest::collection::vec((any::<bool>(), 0_u64..40, 0_u64..8), 0..40)) {
            let mut gaps = Gaps::default();
            let mut set = BTreeSet::new();
            for (forget, start, length) in changes {
                if forget {
                    gaps.forget_before(start);
                    set.retain(|number| *number >= start);
                } else {
                    let new = (start..start + length).filter(|number| set.insert(*number)).count();
                    prop_assert_eq!(gaps.add(start..start + length), new as u64);
                }
                prop_assert_eq!(gaps.count(), set.len() as u64);
            }
        }
    }
}
