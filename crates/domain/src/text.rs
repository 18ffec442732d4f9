//! How figures read: one place, so that lists, tooltips, tables and reports agree.

use crate::{NanoUsd, Timestamp};

/// An integer with thousands separators: `101,785`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How far something is: `5,000`, `5,000 of 12,000`, `5,000 of about 12,000`.
pub fn progress(done: i64, total: Option<i64>, is_estimate: bool) -> String {
    let number = |n: i64| grouped(u64::try_from(n).unwrap_or(0));
    match total {
        None => number(done),
        Some(total) if is_estimate => format!("{} of about {}", number(done), number(total)),
        Some(total) => format!("{} of {}", number(done), number(total)),
    }
}

/// A count in at most four characters: `986`, `4.5k`, `101.8k`, `2.3M`.
pub fn short_count(value: i64) -> String {
    let sign = if value < 0 { "−" } else { "" };
    let n = value.unsigned_abs();
    let scaled = |unit: u64, suffix: &str| {
        let tenths = (n + unit / 20) / (unit / 10);
        format!("{sign}{}.{}{suffix}", tenths / 10, tenths % 10)
    };
    match n {
        0..1_000 => format!("{sign}{n}"),
        1_000..999_950 => scaled(1_000, "k"),
        999_950..999_950_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "B"),
    }
}

/// A duration as pages show it: `0.4 ms`, `840 ms`, `6.40 s`, `38.6 s`, `1 m 36 s`, `2 h 05 m`.
pub fn duration(ms: f64) -> String {
    if !ms.is_finite() {
        return "unknown".to_owned();
    }
    let sign = if ms < 0.0 { "−" } else { "" };
    let ms = ms.abs();
    if ms == 0.0 {
        "0 ms".to_owned()
    } else if ms < 9.95 {
        format!("{sign}{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{sign}{ms:.0} ms")
    } else if ms < 9_995.0 {
        format!("{sign}{:.2} s", ms / 1_000.0)
    } else if ms < 59_950.0 {
        format!("{sign}{:.1} s", ms / 1_000.0)
    } else if ms < 3_599_500.0 {
        let seconds = (ms / 1_000.0).round() as u64;
        format!("{sign}{} m {:02} s", seconds / 60, seconds % 60)
    } else {
        let minutes = (ms / 60_000.0).round() as u64;
        format!("{sign}{} h {:02} m", minutes / 60, minutes % 60)
    }
}

/// Two durations that differ, with digits enough to differ: as [`duration`] has them, else in milliseconds.
pub fn durations_apart(a: f64, b: f64) -> (String, String) {
    let short = (duration(a), duration(b));
    if short.0 != short.1 || a == b || !a.is_finite() || !b.is_finite() {
        return short;
    }
    let digits = (0..=3)
        .find(|digits| fixed(a, *digits) != fixed(b, *digits))
        .unwrap_or(3);
    let exact = |ms: f64| format!("{} ms", fixed(ms, digits));
    (exact(a), exact(b))
}

/// Two costs that differ, with digits enough to differ.
pub fn costs_apart(a: NanoUsd, b: NanoUsd) -> (String, String) {
    let short = (a.to_short(), b.to_short());
    if short.0 != short.1 || a == b {
        return short;
    }
    let exact = |cost: NanoUsd| format!("${}", cost.to_decimal());
    (exact(a), exact(b))
}

/// A number with `digits` decimals, or with as many as it takes to differ from another.
pub fn number_apart(value: f64, other: f64, digits: usize) -> String {
    const MOST_DIGITS: usize = 6;
    let enough =
        (digits..=MOST_DIGITS).find(|digits| format!("{value:.digits$}") != format!("{other:.digits$}"));
    let digits = enough.unwrap_or(digits);
    format!("{value:.digits$}")
}

/// A number with so many decimals and thousands separators: `10,000.5`.
fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_too_large| whole.to_owned(), grouped);
    let sign = if value < 0.0 { "−" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// `1 step`, `2 steps`: the count grouped, the noun in its number.
pub fn counted(n: i64, noun: &str) -> String {
    let number = grouped(n.unsigned_abs());
    if n == 1 {
        format!("{number} {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// The last characters of an id, enough to distinguish rows.
pub fn short_id(id: &str) -> &str {
    let start = id.char_indices().rev().nth(5).map_or(0, |(i, _)| i);
    &id[start..]
}

/// At most `max_chars` characters of a text's first line, with `…` where something was cut.
pub fn first_line(text: &str, max_chars: usize) -> String {
    let line = text.trim_start().lines().next().unwrap_or("").trim_end();
    match line.char_indices().nth(max_chars) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line.to_owned(),
    }
}

/// The days from `first` to `last`, UTC: `21 Nov`, `15 – 21 Nov`, `28 Oct – 3 Nov`.
pub fn day_range(first: Timestamp, last: Timestamp) -> String {
    let day_and_month = |at: Timestamp| {
        let at = at.to_offset_date_time();
        let month: String = at.month().to_string().chars().take(3).collect();
        (at.day(), month)
    };
    let (from, to) = (day_and_month(first), day_and_month(last));
    if from == to {
        format!("{} {}", to.0, to.1)
    } else if from.1 == to.1 {
        format!("{} – {} {}", from.0, to.0, to.1)
    } else {
        format!("{} {} – {} {}", from.0, from.1, to.0, to.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let check = |n: i64, expected: &str| assert_eq!(short_count(n), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1.0k");
        check(4_488, "4.5k");
        check(101_785, "101.8k");
        check(999_949, "999.9k");
        check(999_950, "1.0M");
        check(-1_500, "−1.5k");
        check(i64::MIN, "−9223372036.9B");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "step"), "1 step");
        assert_eq!(counted(1_402, "step"), "1,402 steps");
    }

    #[test]
    fn durations() {
        let check = |ms: f64, expected: &str| assert_eq!(duration(ms), expected);
        check(0.0, "0 ms");
        check(0.42, "0.4 ms");
        check(840.0, "840 ms");
        check(999.6, "1.00 s");
        check(6_400.0, "6.40 s");
        check(38_600.0, "38.6 s");
        check(59_960.0, "1 m 00 s");
        check(96_000.0, "1 m 36 s");
        check(7_500_000.0, "2 h 05 m");
        check(-5.0, "−5.0 ms");
        check(f64::NAN, "unknown");
    }

    #[test]
    fn what_differs_reads_differently() {
        let check = |a: f64, b: f64, expected: (&str, &str)| {
            let (a, b) = durations_apart(a, b);
            assert_eq!((a.as_str(), b.as_str()), expected);
        };
        check(10_001.0, 10_000.0, ("10,001 ms", "10,000 ms"));
        check(10_000.25, 10_000.0, ("10,000.2 ms", "10,000.0 ms"));
        check(12_000.0, 10_000.0, ("12.0 s", "10.0 s"));
        check(10_000.0, 10_000.0, ("10.0 s", "10.0 s"));
        let cost = |a: i64, b: i64| costs_apart(NanoUsd(a), NanoUsd(b)).0;
        assert_eq!(cost(1_000_000_001, 1_000_000_000), "$1.000000001");
        assert_eq!(cost(2_000_000_000, 1_000_000_000), "$2.00");
        assert_eq!(number_apart(8.02, 8.0, 1), "8.02");
        assert_eq!(number_apart(9.5, 8.0, 1), "9.5");
    }

    #[test]
    fn cuts_on_characters() {
        assert_eq!(short_id("01a1fd-c1cec6"), "c1cec6");
        assert_eq!(short_id("é"), "é");
        assert_eq!(first_line("  größer als\nzwei", 4), "größ…");
        assert_eq!(first_line("\n\nkurz", 10), "kurz");
    }

    #[test]
    fn ranges_of_days() {
        let check = |first: &str, last: &str, expected: &str| {
            let at = |day: &str| Timestamp::parse_rfc3339(&format!("{day}T09:00:00Z")).unwrap();
            assert_eq!(day_range(at(first), at(last)), expected);
        };
        check("2026-11-21", "2026-11-21", "21 Nov");
        check("2026-11-15", "2026-11-21", "15 – 21 Nov");
        check("2026-10-28", "2026-11-03", "28 Oct – 3 Nov");
    }
}
