//! The ledger's arithmetic: received = stored + duplicate + rejected.

use std::collections::BTreeMap;

use domain::LedgerMinute;
use domain::text::{counted, grouped};

/// The sums over some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LedgerSums {
    /// Steps that arrived.
    pub(crate) received: i64,
    /// Steps that became rows.
    pub(crate) stored: i64,
    /// Steps that were there already.
    pub(crate) duplicate: i64,
    /// Steps that were refused, by reason.
    pub(crate) rejected: BTreeMap<String, i64>,
    /// Stored steps that the hourly sums count as `other`, by what had too many values.
    pub(crate) limited: BTreeMap<String, i64>,
}

impl LedgerSums {
    /// Adds up rows.
    pub(crate) fn of(minutes: &[LedgerMinute]) -> Self {
        let mut sums = Self::default();
        for row in minutes {
            sums.received += row.received;
            sums.stored += row.stored;
            sums.duplicate += row.duplicate;
            for (reason, n) in &row.rejected {
                *sums.rejected.entry(reason.clone()).or_default() += n;
            }
            for (dimension, n) in &row.limited {
                *sums.limited.entry(dimension.clone()).or_default() += n;
            }
        }
        sums
    }

    /// Steps that were refused.
    pub(crate) fn rejected_total(&self) -> i64 {
        self.rejected.values().sum()
    }

    /// Steps that arrived and became nothing. Anything but 0 is a defect, and is said.
    pub(crate) fn unaccounted(&self) -> i64 {
        self.received - self.stored - self.duplicate - self.rejected_total()
    }

    /// `1,402 steps received in 24 hours: 1,390 stored, 2 duplicate, 10 rejected`.
    pub(crate) fn sentence(&self, window: &str) -> String {
        let mut text = format!(
            "{} received in {window}: {} stored, {} duplicate, {} rejected",
            counted(self.received, "step"),
            figure(self.stored),
            figure(self.duplicate),
            figure(self.rejected_total()),
        );
        if self.unaccounted() != 0 {
            text.push_str(&format!("; {} unaccounted for", figure(self.unaccounted())));
        }
        text
    }

    /// Which values were counted as `other`, and how often; `None` when none was.
    pub(crate) fn limited_sentence(&self) -> Option<String> {
        (!self.limited.is_empty()).then(|| {
            format!(
                "More distinct values arrived in an hour than are counted separately. These steps are stored as sent and counted as “other”: {}",
                reasons(&self.limited)
            )
        })
    }

    /// What the first step's page says while it waits: `nothing received, nothing rejected`.
    pub(crate) fn waiting(&self) -> String {
        if self.received == 0 {
            return "nothing received, nothing rejected".to_owned();
        }
        let rejected = match self.rejected_total() {
            0 => "nothing rejected".to_owned(),
            n => format!("{} rejected: {}", figure(n), reasons(&self.rejected)),
        };
        format!("{} received, {rejected}", figure(self.received))
    }
}

/// `9 missing_run_id, 1 too_large`.
pub(crate) fn reasons(rejected: &BTreeMap<String, i64>) -> String {
    let parts: Vec<String> = rejected
        .iter()
        .map(|(reason, n)| format!("{} {reason}", figure(*n)))
        .collect();
    parts.join(", ")
}

/// A count with thousands separators and a true minus.
pub(crate) fn figure(n: i64) -> String {
    let sign = if n < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(n.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn row(received: i64, stored: i64, duplicate: i64, rejected: &[(&str, i64)]) -> LedgerMinute {
        LedgerMinute {
            minute: Timestamp::from_micros(0),
            key_label: "default".to_owned(),
            received,
            stored,
            duplicate,
            rejected: rejected
                .iter()
                .map(|(reason, n)| ((*reason).to_owned(), *n))
                .collect(),
            limited: BTreeMap::new(),
        }
    }

    #[test]
    fn says_what_is_counted_as_other() {
        let limited = |n: i64| LedgerMinute {
            limited: BTreeMap::from([("step_name".to_owned(), n)]),
            ..row(n, n, 0, &[])
        };
        let sums = LedgerSums::of(&[limited(1_000), limited(200)]);
        assert_eq!(sums.unaccounted(), 0, "they are stored");
        let sentence = sums.limited_sentence().unwrap();
        assert!(
            sentence.ends_with("counted as “other”: 1,200 step_name"),
            "{sentence}"
        );
        assert_eq!(LedgerSums::of(&[row(1, 1, 0, &[])]).limited_sentence(), None);
    }

    #[test]
    fn says_what_became_of_everything() {
        let check = |rows: &[LedgerMinute], expected: &str| {
            assert_eq!(LedgerSums::of(rows).sentence("24 hours"), expected);
        };
        check(
            &[],
            "0 steps received in 24 hours: 0 stored, 0 duplicate, 0 rejected",
        );
        check(
            &[
                row(1_400, 1_390, 1, &[("too_large", 9)]),
                row(2, 0, 1, &[("too_large", 1)]),
            ],
            "1,402 steps received in 24 hours: 1,390 stored, 2 duplicate, 10 rejected",
        );
        check(
            &[row(3, 1, 0, &[])],
            "3 steps received in 24 hours: 1 stored, 0 duplicate, 0 rejected; 2 unaccounted for",
        );
        check(
            &[row(1, 2, 0, &[])],
            "1 step received in 24 hours: 2 stored, 0 duplicate, 0 rejected; −1 unaccounted for",
        );
    }

    #[test]
    fn names_reasons_while_waiting() {
        let check =
            |rows: &[LedgerMinute], expected: &str| assert_eq!(LedgerSums::of(rows).waiting(), expected);
        check(&[], "nothing received, nothing rejected");
        check(&[row(1, 1, 0, &[])], "1 received, nothing rejected");
        check(
            &[row(3, 0, 0, &[("missing_run_id", 2), ("bad_json", 1)])],
            "3 received, 3 rejected: 1 bad_json, 2 missing_run_id",
        );
    }
}
