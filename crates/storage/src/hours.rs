//! Windows over what is summed up by the hour.

use domain::Timestamp;

pub(crate) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// The beginning of a day in UTC.
fn day(at: Timestamp) -> Timestamp {
    at.plus_micros(-at.micros().rem_euclid(DAY_MICROS))
}

/// The beginning of the first day that does not begin before `at`.
pub(crate) fn first_whole_day(at: Timestamp) -> Timestamp {
    if day(at) == at {
        at
    } else {
        day(at).plus_micros(DAY_MICROS)
    }
}

/// The end of the last day that does not end after `at`.
pub(crate) fn last_whole_day(at: Timestamp) -> Timestamp {
    day(at)
}

/// Where the whole days of a window begin and end; both are its end when it has none.
pub(crate) fn whole_days(from: Timestamp, to: Timestamp) -> (Timestamp, Timestamp) {
    let (first, last) = (first_whole_day(from), last_whole_day(to));
    if first < last { (first, last) } else { (to, to) }
}

pub(crate) const HOUR_MICROS: i64 = 3_600_000_000;

/// A window cut where hours begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// From the beginning of an hour to that of another, either of them open.
    pub(crate) hours: Option<(Option<Timestamp>, Option<Timestamp>)>,
    /// Parts of an hour.
    pub(crate) ragged: Vec<(Timestamp, Timestamp)>,
}

impl Parts {
    pub(crate) fn of(from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        let up = |at: Timestamp| {
            if at.hour() == at {
                at
            } else {
                at.hour().plus_micros(HOUR_MICROS)
            }
        };
        let (first, last) = (from.map(up), to.map(Timestamp::hour));
        if let (Some(first), Some(last), Some(from), Some(to)) = (first, last, from, to)
            && first > last
        {
            // Within one hour, or upside down.
            let ragged = if from < to { vec![(from, to)] } else { Vec::new() };
            return Self { hours: None, ragged };
        }
        let is_empty = first.is_some() && first == last;
        let ends = [from.zip(first), last.zip(to)];
        Self {
            hours: (!is_empty).then_some((first, last)),
            ragged: ends
                .into_iter()
                .flatten()
                .filter(|(from, to)| from < to)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_lie_within_the_window() {
        let at = |text: &str| Timestamp::parse_rfc3339(&format!("2026-11-{text}:00:00Z")).unwrap();
        let check = |from: &str, to: &str, first: &str, last: &str| {
            assert_eq!(
                whole_days(at(from), at(to)),
                (at(first), at(last)),
                "{from} to {to}"
            );
        };
        check("20T00", "22T00", "20T00", "22T00");
        check("20T01", "22T23", "21T00", "22T00");
        check("20T01", "21T23", "21T23", "21T23");
        check("20T01", "20T05", "20T05", "20T05");
    }

    #[test]
    fn windows_are_cut_where_hours_begin() {
        let at = |text: &str| {
            (!text.is_empty()).then(|| Timestamp::parse_rfc3339(&format!("2026-11-20T{text}:00Z")).unwrap())
        };
        let check = |from: &str, to: &str, hours: Option<(&str, &str)>, ragged: &[(&str, &str)]| {
            let expected = Parts {
                hours: hours.map(|(from, to)| (at(from), at(to))),
                ragged: ragged
                    .iter()
                    .map(|(from, to)| (at(from).unwrap(), at(to).unwrap()))
                    .collect(),
            };
            assert_eq!(Parts::of(at(from), at(to)), expected, "{from} to {to}");
        };
        check("", "", Some(("", "")), &[]);
        check("09:00", "", Some(("09:00", "")), &[]);
        check("09:10", "", Some(("10:00", "")), &[("09:10", "10:00")]);
        check("", "09:10", Some(("", "09:00")), &[("09:00", "09:10")]);
        check("08:00", "10:00", Some(("08:00", "10:00")), &[]);
        check(
            "08:30",
            "10:15",
            Some(("09:00", "10:00")),
            &[("08:30", "09:00"), ("10:00", "10:15")],
        );
        check("08:30", "09:15", None, &[("08:30", "09:00"), ("09:00", "09:15")]);
        check("08:30", "08:45", None, &[("08:30", "08:45")]);
        check("08:45", "08:30", None, &[]);
        check("10:00", "09:00", None, &[]);
        check("10:00", "10:00", None, &[]);
    }
}
