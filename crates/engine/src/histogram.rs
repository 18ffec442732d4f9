//! A mergeable histogram of latencies in microseconds.
//!
//! Values below 64 have a bucket each; above, every octave is cut into 64 buckets, so a bucket's middle is within
//! 0.8 % of every value in it. Merging adds counts, which makes the order of merging irrelevant.

use serde::{Deserialize, Serialize};

/// Exact buckets at the bottom, and buckets per octave above.
const PER_OCTAVE: u64 = 64;
const OCTAVE_BITS: u32 = 6;
/// The bucket of the largest value.
const LAST_BUCKET: u16 = 57 * 64 + 63;

/// Counts per bucket, only where there are any. Serialised as [`Histogram::encode`] writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<u8>", try_from = "Vec<u8>")]
pub struct Histogram {
    /// (bucket, count), ascending, no count of 0.
    buckets: Vec<(u16, u64)>,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value, in microseconds; below 0 counts as 0.
    pub fn add(&mut self, value_us: i64) {
        self.add_count(bucket_of(value_us), 1);
    }

    /// Adds one value, in microseconds, so many times.
    pub fn add_times(&mut self, value_us: i64, times: u64) {
        if times > 0 {
            self.add_count(bucket_of(value_us), times);
        }
    }

    /// Adds one latency in milliseconds; anything but a number is left out.
    pub fn add_ms(&mut self, latency_ms: f64) {
        if let Some(value_us) = crate::facts::us_from_ms(latency_ms) {
            self.add(value_us);
        }
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        // Most buckets of another are known when many are merged: then nothing has to move.
        let (mut at, mut new) = (0, Vec::new());
        for (bucket, more) in &other.buckets {
            while self.buckets.get(at).is_some_and(|(known, _)| known < bucket) {
                at += 1;
            }
            match self.buckets.get_mut(at) {
                Some((known, count)) if known == bucket => *count = count.saturating_add(*more),
                _ => new.push((*bucket, *more)),
            }
        }
        if !new.is_empty() {
            self.buckets.extend(new);
            self.buckets.sort_by_key(|(bucket, _)| *bucket);
        }
    }

    /// Adds all values of many histograms that [`Histogram::encode`] wrote. Anything else among them is left out.
    pub fn merge_encoded<'a>(&mut self, encoded: impl IntoIterator<Item = &'a [u8]>) {
        let mut encoded = encoded.into_iter();
        let (Some(first), second) = (encoded.next(), encoded.next()) else {
            return;
        };
        let Some(second) = second else {
            if let Some(more) = Self::decode(first) {
                self.merge(&more);
            }
            return;
        };
        // Of many, each adds to a count of its own for every bucket there can be.
        let mut counts = vec![0_u64; usize::from(LAST_BUCKET) + 1];
        let mut read = Self::default();
        for bytes in [first, second].into_iter().chain(encoded) {
            if read.decode_from(bytes).is_none() {
                continue;
            }
            for (bucket, count) in &read.buckets {
                if let Some(sum) = counts.get_mut(usize::from(*bucket)) {
                    *sum = sum.saturating_add(*count);
                }
            }
        }
        let all = Self {
            buckets: (0..=LAST_BUCKET)
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .collect(),
        };
        self.merge(&all);
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The value in microseconds below or at which a share `p` (0 to 1) of the values lies, by the nearest rank;
    /// `None` when the histogram is empty or `p` is not a number.
    pub fn quantile(&self, p: f64) -> Option<i64> {
        if p.is_nan() {
            return None;
        }
        let count = self.count();
        let rank = ((p.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0u64;
        self.buckets.iter().find_map(|(bucket, count)| {
            seen = seen.saturating_add(*count);
            (seen >= rank).then(|| middle_of(*bucket))
        })
    }

    /// The buckets with their middles in microseconds and counts, ascending: what a chart draws.
    pub fn bars(&self) -> impl Iterator<Item = (i64, u64)> {
        self.buckets
            .iter()
            .map(|(bucket, count)| (middle_of(*bucket), *count))
    }

    /// How many values lie above `value_us`, as far as buckets tell.
    pub fn count_above(&self, value_us: i64) -> u64 {
        let limit = bucket_of(value_us);
        let from = self.buckets.partition_point(|(bucket, _)| *bucket <= limit);
        let above = self.buckets.get(from..).unwrap_or_default();
        above.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// A compact form: for each bucket the distance to the one before and the count, as variable-length integers.
    /// Equal histograms give equal bytes; an empty one gives none.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.buckets.len() * 3);
        let mut next = 0u16;
        for (bucket, count) in &self.buckets {
            push_varint(&mut out, u64::from(bucket - next));
            push_varint(&mut out, *count);
            next = bucket + 1;
        }
        out
    }

    /// Reads what [`Histogram::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut read = Self::default();
        read.decode_from(bytes)?;
        Some(read)
    }

    /// The same in place of what it was. After `None` it is of no use.
    fn decode_from(&mut self, bytes: &[u8]) -> Option<()> {
        self.buckets.clear();
        let mut rest = bytes;
        let mut next = 0u64;
        while !rest.is_empty() {
            let bucket = next.checked_add(take_varint(&mut rest)?)?;
            let count = take_varint(&mut rest)?;
            let bucket_u16 = u16::try_from(bucket)
                .ok()
                .filter(|bucket| *bucket <= LAST_BUCKET)?;
            if count == 0 {
                return None;
            }
            self.buckets.push((bucket_u16, count));
            next = bucket + 1;
        }
        Some(())
    }

    fn add_count(&mut self, bucket: u16, more: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, count)) = self.buckets.get_mut(at) {
                    *count = count.saturating_add(more);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, more)),
        }
    }
}

impl From<Histogram> for Vec<u8> {
    fn from(histogram: Histogram) -> Self {
        histogram.encode()
    }
}

impl TryFrom<Vec<u8>> for Histogram {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::decode(&bytes).ok_or("not a histogram")
    }
}

fn bucket_of(value_us: i64) -> u16 {
    let value = u64::try_from(value_us).unwrap_or(0);
    if value < PER_OCTAVE {
        return value as u16;
    }
    let octave = value.ilog2() - OCTAVE_BITS;
    let within = (value >> octave) & (PER_OCTAVE - 1);
    (PER_OCTAVE + u64::from(octave) * PER_OCTAVE + within) as u16
}

fn middle_of(bucket: u16) -> i64 {
    let bucket = u64::from(bucket);
    if bucket < PER_OCTAVE {
        return bucket as i64;
    }
    let octave = (bucket - PER_OCTAVE) / PER_OCTAVE;
    let low = (PER_OCTAVE + bucket % PER_OCTAVE) << octave;
    let width = 1u64 << octave;
    i64::try_from(low + (width - 1) / 2).unwrap_or(i64::MAX)
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            // A trailing zero group is not what the encoder writes.
            return (*byte != 0 || shift == 0).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(values: &[i64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|value| histogram.add(*value));
        histogram
    }

    #[test]
    fn small_values_are_exact() {
        let check = |values: &[i64], p: f64, expected: Option<i64>| {
            assert_eq!(histogram(values).quantile(p), expected, "{values:?} {p}");
        };
        check(&[], 0.5, None);
        check(&[5], 0.5, Some(5));
        check(&[1, 2, 3, 4], 0.5, Some(2));
        check(&[1, 2, 3, 4], 0.0, Some(1));
        check(&[1, 2, 3, 4], 1.0, Some(4));
        check(&[127, 1], 1.0, Some(127));
        check(&[-9], 0.5, Some(0));
        check(&[1], f64::NAN, None);
        assert_eq!(bucket_of(i64::MAX), LAST_BUCKET);
        assert_eq!(Histogram::decode(&[]), Some(Histogram::new()));
        assert_eq!(Histogram::decode(&[0x80]), None);
        assert_eq!(Histogram::decode(&[0, 0]), None);
        assert_eq!(Histogram::decode(&[1]), None);
        assert_eq!(Histogram::decode(&[0xFF, 0xFF, 0x7F, 1]), None);
    }

    proptest! {
        #[test]
        fn merging_is_the_union(
            a in prop::collection::vec(any::<i64>(), 0..50),
            b in prop::collection::vec(0i64..100_000_000, 0..50),
        ) {
            let mut merged = histogram(&a);
            merged.merge(&histogram(&b));
            prop_assert_eq!(&merged, &histogram(&[a, b].concat()));
            prop_assert_eq!(Histogram::decode(&merged.encode()), Some(merged));
        }

        #[test]
        fn merging_many_is_merging_one_by_one(
            parts in prop::collection::vec(prop::collection::vec(0i64..100_000_000, 0..20), 0..6),
        ) {
            let encoded: Vec<Vec<u8>> = parts.iter().map(|part| histogram(part).encode()).collect();
            let mut merged = histogram(&[7]);
            // What is no histogram is left out.
            merged.merge_encoded(encoded.iter().map(Vec::as_slice).chain([&[0x80][..]]));
            prop_assert_eq!(merged, histogram(&[vec![7], parts.concat()].concat()));
        }

        #[test]
        fn quantiles_are_within_one_percent(
            mut values in prop::collection::vec(0i64..60_000_000_000, 1..200),
            p in 0.0f64..=1.0,
        ) {
            let found = histogram(&values).quantile(p).unwrap() as f64;
            values.sort_unstable();
            let rank = ((p * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1] as f64;
            prop_assert!((found - exact).abs() <= exact * 0.008, "{found} for {exact}");
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(histogram) = Histogram::decode(&bytes) {
                prop_assert_eq!(histogram.encode(), bytes);
                histogram.quantile(0.95);
            }
        }
    }
}
