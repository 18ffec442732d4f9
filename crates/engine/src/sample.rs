//! A sorted sample of whole numbers that is kept up to date by single values, so that a quantile costs nothing.

/// Values in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted(Vec<i64>);

impl Sorted {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }

    pub(crate) fn insert(&mut self, value: i64) {
        let at = self.0.partition_point(|known| *known < value);
        self.0.insert(at, value);
    }

    /// Takes one value out again, if it is there.
    pub(crate) fn remove(&mut self, value: i64) {
        if let Ok(at) = self.0.binary_search(&value) {
            self.0.remove(at);
        }
    }

    /// The two values around a quantile and how far it lies between them, in twentieths: 10 is the median, 19 is
    /// p95. Twentieths keep the interpolation exact.
    pub(crate) fn around(&self, twentieths: usize) -> Option<(i64, i64, usize)> {
        let position = self.0.len().checked_sub(1)? * twentieths;
        let low = *self.0.get(position / 20)?;
        let high = self.0.get(position / 20 + 1).copied().unwrap_or(low);
        Some((low, high, position % 20))
    }

    /// A quantile by linear interpolation.
    pub(crate) fn quantile(&self, twentieths: usize) -> Option<f64> {
        self.times_20(twentieths).map(|value| value as f64 / 20.0)
    }

    /// A quantile rounded down. A whole number is above the quantile exactly when it is above this.
    pub(crate) fn quantile_floor(&self, twentieths: usize) -> Option<i64> {
        self.times_20(twentieths)
            .and_then(|value| i64::try_from(value.div_euclid(20)).ok())
    }

    fn times_20(&self, twentieths: usize) -> Option<i128> {
        let (low, high, between) = self.around(twentieths)?;
        Some(i128::from(low) * 20 + (i128::from(high) - i128::from(low)) * between as i128)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(values: &[i64]) -> Sorted {
        let mut sample = Sorted::default();
        values.iter().for_each(|value| sample.insert(*value));
        sample
    }

    #[test]
    fn interpolates_between_ranks() {
        let check = |values: &[i64], twentieths: usize, expected: Option<f64>| {
            assert_eq!(sorted(values).quantile(twentieths), expected, "{values:?}");
        };
        check(&[], 19, None);
        check(&[7], 19, Some(7.0));
        check(&[1, 2], 10, Some(1.5));
        check(&[3, 1, 2], 10, Some(2.0));
        check(&(1..=100).collect::<Vec<_>>(), 19, Some(95.05));
        check(&[i64::MIN, i64::MAX], 10, Some(-0.5));
        assert_eq!(sorted(&[-2, -1]).quantile_floor(10), Some(-2));
    }

    proptest! {
        #[test]
        fn stays_sorted(values in prop::collection::vec(-9i64..9, 1..40), gone in any::<prop::sample::Index>()) {
            let mut sample = sorted(&values);
            let mut rest = values.clone();
            sample.remove(rest.swap_remove(gone.index(values.len())));
            rest.sort_unstable();
            prop_assert_eq!(sample.0, rest);
        }
    }
}
