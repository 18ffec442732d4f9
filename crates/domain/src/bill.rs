//! A provider's bill, day by day, as it is read from a picture and corrected by people.

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, Timestamp};

/// The most days of one bill.
pub const MAX_LINES: usize = 62;
/// The most days from its first to its last.
pub const MAX_SPAN_DAYS: i64 = 400;
/// Largest picture of a bill, in bytes. As base64 it stays below the 5 MB that providers take of one.
pub const MAX_PICTURE_BYTES: usize = 3 * 1024 * 1024;
/// Longest text that says which models a bill is of, in characters.
pub const MAX_MODELS_CHARS: usize = 200;

/// What a bill says of one day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// The beginning of the day.
    pub day: Timestamp,
    /// What it says the day cost. Negative where more was credited.
    #[serde(rename = "amount_nano_usd")]
    pub amount: NanoUsd,
}

/// A day of a bill beside the ledger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedLine {
    /// What the bill says.
    #[serde(flatten)]
    pub billed: BillLine,
    /// What the ledger has; `None` where it knows of steps and the cost of none.
    #[serde(rename = "recorded_nano_usd")]
    pub recorded: Option<NanoUsd>,
    /// Steps of that day whose cost is unknown.
    pub unpriced: i64,
}

impl ComparedLine {
    /// The bill less the ledger.
    pub fn difference(&self) -> Option<NanoUsd> {
        let recorded = self.recorded?;
        Some(NanoUsd(self.billed.amount.0.saturating_sub(recorded.0)))
    }

    /// Whether the two are the same when both are rounded to a cent or less.
    pub fn agrees(&self) -> bool {
        const HALF_A_CENT: u64 = 5_000_000;
        self.difference()
            .is_some_and(|difference| difference.0.unsigned_abs() <= HALF_A_CENT)
    }
}

/// A day as `2026-11-14`.
pub fn parse_day(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() != 10 {
        return None;
    }
    Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
}

/// An amount as people write it: `20.28`, `$1,204.50`. `None` where it can be read in two ways, such as `20,28`.
pub fn parse_amount(text: &str) -> Option<NanoUsd> {
    let text = text.trim().replace('−', "-");
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest.trim()),
        None => ("", text.as_str()),
    };
    let text = text
        .trim_start_matches("USD")
        .trim_start_matches("US$")
        .trim_start_matches('$')
        .trim_end_matches("USD")
        .trim();
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut groups = whole.split(',');
    let is_number = |digits: &str| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let is_grouped = rest.iter().all(|group| group.len() == 3 && is_number(group))
        && (rest.is_empty() || first.len() <= 3);
    if !is_number(first) || !is_grouped || !fraction.is_none_or(is_number) {
        return None;
    }
    let whole = whole.replace(',', "");
    NanoUsd::parse_decimal(&format!("{sign}{whole}.{}", fraction.unwrap_or("0")))
}

/// Lines in the order of their days, amounts of one day added up. `None` where there is none, or more than can be compared.
pub fn in_order(mut lines: Vec<BillLine>) -> Option<Vec<BillLine>> {
    const DAY_MICROS: i64 = 86_400_000_000;
    lines.sort_by_key(|line| line.day);
    let mut days: Vec<BillLine> = Vec::new();
    for line in lines {
        match days.last_mut() {
            Some(last) if last.day == line.day => last.amount = last.amount.saturating_add(line.amount),
            _ => days.push(line),
        }
    }
    let (first, last) = (days.first()?.day, days.last()?.day);
    let is_bounded = last.micros().saturating_sub(first.micros()) <= MAX_SPAN_DAYS * DAY_MICROS;
    (days.len() <= MAX_LINES && is_bounded).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(day: &str, dollars: i64) -> BillLine {
        BillLine {
            day: parse_day(day).unwrap(),
            amount: NanoUsd(dollars * 1_000_000_000),
        }
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<&str>| {
            let read = parse_amount(text).map(NanoUsd::to_decimal);
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("20.28", Some("20.28"));
        check(" $1,204.50 ", Some("1204.5"));
        check("US$ 7", Some("7"));
        check("3.10 USD", Some("3.1"));
        check("−$0.41", Some("-0.41"));
        check("-0.41", Some("-0.41"));
        for wrong in [
            "",
            "20,28",
            "1.204,50",
            "1,2,3",
            ".",
            "$",
            "1e3",
            "EUR 3",
            "1.2.3",
            "12345,678",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn days_are_days() {
        assert!(parse_day("2026-11-14").is_some());
        for wrong in ["", "2026-13-01", "14 Nov", "2026-11-14T00:00:00Z"] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bill_is_a_day_once_and_in_order() {
        let read = in_order(vec![
            line("2026-11-14", 2),
            line("2026-11-13", 1),
            line("2026-11-14", 3),
        ]);
        assert_eq!(read, Some(vec![line("2026-11-13", 1), line("2026-11-14", 5)]));
        assert_eq!(in_order(Vec::new()), None);
        assert_eq!(in_order(vec![line("2024-01-01", 1), line("2026-11-14", 1)]), None);
        let day = |n: i64| BillLine {
            day: parse_day("2026-01-01").unwrap().plus_micros(n * 86_400_000_000),
            amount: NanoUsd(1),
        };
        assert!(in_order((0..62).map(day).collect()).is_some());
        assert_eq!(in_order((0..63).map(day).collect()), None);
    }

    #[test]
    fn a_line_is_kept_as_json() {
        let compared = ComparedLine {
            billed: line("2026-11-14", 2),
            recorded: None,
            unpriced: 12,
        };
        let json = serde_json::to_value(compared).unwrap();
        assert_eq!(json["amount_nano_usd"], 2_000_000_000_i64);
        assert_eq!(serde_json::from_value::<ComparedLine>(json).unwrap(), compared);
    }

    #[test]
    fn half_a_cent_is_no_difference() {
        let check = |recorded: Option<i64>, expected: bool| {
            let compared = ComparedLine {
                billed: line("2026-11-14", 2),
                recorded: recorded.map(NanoUsd),
                unpriced: 0,
            };
            assert_eq!(compared.agrees(), expected, "{recorded:?}");
        };
        check(Some(2_000_000_000), true);
        check(Some(1_995_000_000), true);
        check(Some(1_994_999_999), false);
        check(None, false);
    }
}
