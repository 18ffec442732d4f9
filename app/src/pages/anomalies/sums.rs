//! The counts added up the ways the page shows them. Pure.

use std::collections::BTreeMap;

use crate::api::anomalies::AnomaliesView;

/// Steps that have a column of their own in the matrix.
const COLUMNS: usize = 7;

/// How many now and how many before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    /// In the window.
    pub(super) now: i64,
    /// In as much time before it.
    pub(super) before: i64,
}

impl Pair {
    fn add(&mut self, is_now: bool, count: i64) {
        *(if is_now { &mut self.now } else { &mut self.before }) += count;
    }

    /// `+58`, `−3`, `±0`.
    pub(super) fn change(self) -> String {
        match self.now - self.before {
            0 => "±0".to_owned(),
            n if n > 0 => format!("+{}", domain::text::grouped(n.unsigned_abs())),
            n => format!("−{}", domain::text::grouped(n.unsigned_abs())),
        }
    }

    /// Whether it is worse than chance would make it: doubled, and by ten or more.
    pub(super) fn is_much_more(self) -> bool {
        self.now - self.before >= 10 && self.now >= self.before.saturating_mul(2)
    }
}

/// One row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeSum {
    pub(super) code: u16,
    pub(super) all: Pair,
    /// By bucket.
    pub(super) series: Vec<i64>,
    /// By column, in the window.
    pub(super) cells: Vec<i64>,
    /// In steps without a column.
    pub(super) other: i64,
}

/// Everything added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    /// All conditions.
    pub(super) all: Pair,
    /// By layer, 1 to 5.
    pub(super) layers: [Pair; 5],
    /// By code, in ascending order.
    pub(super) codes: Vec<CodeSum>,
    /// The steps with most conditions, most first.
    pub(super) columns: Vec<String>,
    /// Steps without a column.
    pub(super) other_steps: usize,
    /// The highest number in a cell.
    pub(super) highest: i64,
}

impl Sums {
    /// Adds a reading up.
    pub(super) fn of(view: &AnomaliesView) -> Self {
        let buckets = view.span.count().max(1);
        let half = buckets / 2;
        let mut by_step: BTreeMap<&str, i64> = BTreeMap::new();
        for cell in view.counts.cells.iter().filter(|cell| cell.now > 0) {
            *by_step.entry(&cell.step).or_default() += cell.now;
        }
        let mut steps: Vec<(&str, i64)> = by_step.into_iter().collect();
        steps.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let other_steps = steps.len().saturating_sub(COLUMNS);
        let columns: Vec<String> = steps
            .iter()
            .take(COLUMNS)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let mut codes: BTreeMap<u16, CodeSum> = BTreeMap::new();
        let (mut all, mut layers) = (Pair::default(), [Pair::default(); 5]);
        for count in &view.counts.by_code {
            let bucket = (count.bucket as usize).min(buckets - 1);
            let is_now = bucket >= half;
            let sum = codes.entry(count.code).or_insert_with(|| CodeSum {
                code: count.code,
                all: Pair::default(),
                series: vec![0; buckets],
                cells: vec![0; columns.len()],
                other: 0,
            });
            sum.series[bucket] += count.count;
            sum.all.add(is_now, count.count);
            all.add(is_now, count.count);
            if let Some(layer) = layers.get_mut(usize::from(count.code / 1_000).wrapping_sub(1)) {
                layer.add(is_now, count.count);
            }
        }
        for cell in &view.counts.cells {
            let Some(sum) = codes.get_mut(&cell.code) else {
                continue;
            };
            match columns.iter().position(|name| *name == cell.step) {
                Some(column) => sum.cells[column] += cell.now,
                None => sum.other += cell.now,
            }
        }
        let codes: Vec<CodeSum> = codes.into_values().collect();
        let highest = codes
            .iter()
            .flat_map(|sum| sum.cells.iter().chain([&sum.other]))
            .copied()
            .max();
        Self {
            all,
            layers,
            codes,
            columns,
            other_steps,
            highest: highest.unwrap_or(0),
        }
    }

    /// How dark a cell is: 0 for nothing, 1 to 5 by the logarithm of its number.
    pub(super) fn heat(&self, n: i64) -> u8 {
        if n <= 0 || self.highest <= 0 {
            return 0;
        }
        let share = (n as f64 + 1.0).ln() / (self.highest as f64 + 1.0).ln();
        (share * 5.0).round().clamp(1.0, 5.0) as u8
    }
}

#[cfg(test)]
pub(super) mod tests {
    use domain::Timestamp;
    use domain::anomaly::{AnomalousSteps, BucketSpan, CellCount, CodeCount, ConditionCounts};
    use domain::run::Facets;

    use super::*;

    /// A reading of four days by day.
    pub(crate) fn view(by_code: &[(u32, u16, i64)], cells: &[(u16, &str, i64, i64)]) -> AnomaliesView {
        let now = Timestamp::from_micros(4 * 86_400_000_000);
        AnomaliesView {
            now,
            span: BucketSpan {
                from: Timestamp::from_micros(0),
                to: now,
                bucket_hours: 24,
            },
            counts: ConditionCounts {
                by_code: by_code
                    .iter()
                    .map(|(bucket, code, count)| CodeCount {
                        bucket: *bucket,
                        code: *code,
                        count: *count,
                    })
                    .collect(),
                by_name: Vec::new(),
                cells: cells
                    .iter()
                    .map(|(code, step, now, before)| CellCount {
                        code: *code,
                        step: (*step).to_owned(),
                        now: *now,
                        before: *before,
                    })
                    .collect(),
                steps_now: 1_000,
                steps_before: 900,
            },
            severities: Vec::new(),
            rise: Vec::new(),
            precision: Vec::new(),
            steps: AnomalousSteps::default(),
            muted: Default::default(),
            points: Default::default(),
            facets: Facets::default(),
            ever: true,
            any_run: true,
        }
    }

    #[test]
    fn every_total_is_the_sum_of_its_parts() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let cells: Vec<(u16, &str, i64, i64)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (2001, *name, n as i64 + 1, 1))
            .collect();
        let sums = Sums::of(&view(
            &[(0, 2001, 4), (1, 2001, 5), (2, 2001, 40), (3, 2001, 5)],
            &cells,
        ));
        assert_eq!(sums.all, Pair { now: 45, before: 9 });
        assert_eq!(sums.layers[1], sums.all);
        assert_eq!((sums.columns.len(), sums.other_steps), (7, 2));
        assert_eq!(sums.columns[0], "i");
        let row = &sums.codes[0];
        assert_eq!(row.cells.iter().sum::<i64>() + row.other, row.all.now);
        assert_eq!(row.series, [4, 5, 40, 5]);
    }

    #[test]
    fn a_code_that_stopped_keeps_its_row() {
        let sums = Sums::of(&view(&[(0, 3011, 7)], &[(3011, "s", 0, 7)]));
        assert_eq!(sums.codes[0].all.change(), "−7");
        assert_eq!((sums.columns.len(), sums.heat(0)), (0, 0));
    }

    #[test]
    fn heat_follows_the_order_of_magnitude() {
        let sums = Sums {
            highest: 61,
            ..Sums::of(&view(&[], &[]))
        };
        let heat: Vec<u8> = [0, 1, 3, 9, 27, 61].map(|n| sums.heat(n)).to_vec();
        assert_eq!(heat, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn changes() {
        let check = |now: i64, before: i64, expected: &str, much: bool| {
            let pair = Pair { now, before };
            assert_eq!((pair.change().as_str(), pair.is_much_more()), (expected, much));
        };
        check(84, 26, "+58", true);
        check(18, 21, "−3", false);
        check(5, 5, "±0", false);
        check(9, 0, "+9", false);
        check(1_500, 0, "+1,500", true);
    }
}
