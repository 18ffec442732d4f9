//! Hours in which nobody is to be disturbed. Always UTC, as everything that is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;
use crate::step::words;

const MINUTE_MICROS: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;
/// 1970-01-01 was a Thursday, the fourth day from Monday on.
const EPOCH_WEEKDAY: i64 = 3;

words!(
    /// On which days quiet hours begin.
    QuietDays {
        /// None: there are no quiet hours.
        Never = "never",
        /// Each.
        EveryDay = "every_day",
        /// Monday to Friday.
        Weekdays = "weekdays",
        /// Saturday and Sunday.
        Weekends = "weekends",
    }
);

impl QuietDays {
    /// How pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::EveryDay => "Every day",
            Self::Weekdays => "Mon to Fri",
            Self::Weekends => "Sat and Sun",
        }
    }

    /// Whether hours begin on a day, counted from 1970-01-01.
    fn has(self, day: i64) -> bool {
        let from_monday = (day + EPOCH_WEEKDAY).rem_euclid(7);
        match self {
            Self::Never => false,
            Self::EveryDay => true,
            Self::Weekdays => from_monday < 5,
            Self::Weekends => from_monday >= 5,
        }
    }
}

/// A minute of the day, written `20:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// It is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a time such as 20:00")]
pub struct InvalidTimeOfDay;

impl FromStr for TimeOfDay {
    type Err = InvalidTimeOfDay;

    fn from_str(text: &str) -> Result<Self, InvalidTimeOfDay> {
        let read = || {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let (hour, minute): (u16, u16) = (digits(hour) && digits(minute))
                .then(|| Some((hour.parse().ok()?, minute.parse().ok()?)))??;
            (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
        };
        read().ok_or(InvalidTimeOfDay)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Hours in which alerts wait. They may go past midnight; equal times are a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct QuietHours {
    /// On which days they begin.
    pub days: QuietDays,
    /// When they begin, UTC.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: TimeOfDay,
    /// When they end, UTC.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: TimeOfDay,
}

impl Default for QuietHours {
    fn default() -> Self {
        Self {
            days: QuietDays::Never,
            from: TimeOfDay(20 * 60),
            to: TimeOfDay(7 * 60),
        }
    }
}

impl QuietHours {
    /// When the quiet ends in which `now` lies; `None` when it is not quiet. Where one quiet time goes over into the
    /// next, the end of the last of them within a week.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let length = (i64::from(self.to.0) - i64::from(self.from.0) - 1).rem_euclid(DAY_MINUTES) + 1;
        let minute = now.micros().div_euclid(MINUTE_MICROS);
        let mut end = None;
        let today = minute.div_euclid(DAY_MINUTES);
        for day in today - 1..today + 8 {
            let begin = day * DAY_MINUTES + i64::from(self.from.0);
            let reached = end.unwrap_or(minute);
            if self.days.has(day) && begin <= reached && reached < begin + length {
                end = Some(begin + length);
            }
        }
        end.map(|minute| Timestamp::from_micros(minute * MINUTE_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn quiet_ends_where_it_was_said() {
        let check = |days: QuietDays, from: &str, to: &str, now: &str, expected: Option<&str>| {
            let hours = QuietHours {
                days,
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
            };
            assert_eq!(hours.end(at(now)), expected.map(at), "{days:?} {from}–{to} {now}");
        };
        // 2026-11-30 is a Monday.
        let monday_night = Some("2026-12-01T07:00:00Z");
        let weekdays = QuietDays::Weekdays;
        check(weekdays, "20:00", "07:00", "2026-11-30T19:59:59Z", None);
        check(weekdays, "20:00", "07:00", "2026-11-30T20:00:00Z", monday_night);
        check(weekdays, "20:00", "07:00", "2026-12-01T06:59:59Z", monday_night);
        check(weekdays, "20:00", "07:00", "2026-12-01T07:00:00Z", None);
        // Sunday's night is none of a weekday's, Friday's goes into Saturday.
        check(weekdays, "20:00", "07:00", "2026-11-30T03:00:00Z", None);
        check(
            weekdays,
            "20:00",
            "07:00",
            "2026-12-05T03:00:00Z",
            Some("2026-12-05T07:00:00Z"),
        );
        check(
            QuietDays::Weekends,
            "00:00",
            "00:00",
            "2026-12-05T10:00:00Z",
            Some("2026-12-07T00:00:00Z"),
        );
        check(QuietDays::Never, "20:00", "07:00", "2026-11-30T22:00:00Z", None);
        check(
            QuietDays::EveryDay,
            "12:00",
            "13:00",
            "2026-11-30T12:30:00Z",
            Some("2026-11-30T13:00:00Z"),
        );
        check(
            QuietDays::EveryDay,
            "12:00",
            "13:00",
            "2026-11-30T13:00:00Z",
            None,
        );
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for time in ["00:00", "07:05", "23:59"] {
            assert_eq!(time.parse::<TimeOfDay>().unwrap().to_string(), time);
        }
        for wrong in ["", "7:00", "24:00", "12:60", "12", "+1:00", "aa:bb"] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(InvalidTimeOfDay), "{wrong}");
        }
    }
}
