//! Points in time: microseconds since 1970-01-01 UTC, which is also Postgres' resolution.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, in microseconds since 1970-01-01T00:00:00Z. Always within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime,
    description = "RFC 3339 in UTC, with as many digits below the second as are needed", example = "2026-11-21T09:11:52.25Z"))]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00Z
const MIN_MICROS: i64 = -62_167_219_200_000_000;
/// 9999-12-31T23:59:59.999999Z
const MAX_MICROS: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The time so many microseconds after the epoch, moved into the years 0000 to 9999 where it lies outside.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < MIN_MICROS {
            Self(MIN_MICROS)
        } else if micros > MAX_MICROS {
            Self(MAX_MICROS)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, as a browser's `Date` counts them.
    pub fn epoch_ms(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// This time moved by `micros` (negative: earlier), held within the range.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Milliseconds from `earlier` to this time, negative when it lies before.
    pub fn ms_since(self, earlier: Timestamp) -> f64 {
        (self.0 - earlier.0) as f64 / 1_000.0
    }

    /// Reads RFC 3339 text with any offset; finer digits than microseconds are cut off.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let micros = i64::try_from(parsed.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
        (MIN_MICROS..=MAX_MICROS)
            .contains(&micros)
            .then_some(Self(micros))
    }

    /// The same instant for code that speaks the `time` crate (the database driver).
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The instant of a `time` value, held within the range.
    pub fn from_offset_date_time(at: OffsetDateTime) -> Self {
        let micros = at.unix_timestamp_nanos().div_euclid(1_000);
        Self::from_micros(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The beginning of the minute this time lies in.
    pub const fn minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60_000_000))
    }

    /// The beginning of the hour this time lies in.
    pub const fn hour(self) -> Self {
        Self(self.0 - self.0.rem_euclid(3_600_000_000))
    }

    /// The beginning of its day, UTC.
    pub const fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(86_400_000_000))
    }

    /// The beginning of its month, UTC.
    pub fn month(self) -> Self {
        const DAY: i64 = 86_400_000_000;
        let day_of_month = i64::from(self.to_offset_date_time().day());
        self.day().plus_micros(-(day_of_month - 1) * DAY)
    }

    /// The beginning of the month after it, UTC.
    pub fn next_month(self) -> Self {
        const DAY: i64 = 86_400_000_000;
        // Its first days, whatever the length of this one.
        self.month().plus_micros(31 * DAY).month()
    }
}

/// RFC 3339 in UTC, with as many digits below the second as are needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_offset_date_time().format(&Rfc3339) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str("invalid time"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text)
            .ok_or_else(|| serde::de::Error::custom("must be an RFC 3339 time such as 2026-11-21T09:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_on_their_first_day() {
        let check = |text: &str, month: &str, next: &str| {
            let at = Timestamp::parse_rfc3339(text).unwrap();
            assert_eq!(
                (at.month().to_string(), at.next_month().to_string()),
                (format!("{month}T00:00:00Z"), format!("{next}T00:00:00Z")),
                "{text}"
            );
        };
        check("2026-11-30T23:59:59Z", "2026-11-01", "2026-12-01");
        check("2026-12-01T00:00:00Z", "2026-12-01", "2027-01-01");
        check("2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01");
        check("2027-02-01T00:00:00Z", "2027-02-01", "2027-03-01");
    }

    #[test]
    fn reads_and_writes_rfc3339() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = Timestamp::parse_rfc3339(text);
            assert_eq!(parsed.map(|t| t.to_string()).as_deref(), expected, "{text}");
        };
        check("2026-11-21T09:11:52Z", Some("2026-11-21T09:11:52Z"));
        check("2026-11-21T09:11:52.25+02:00", Some("2026-11-21T07:11:52.25Z"));
        check(
            "2026-11-21T09:11:52.1234567Z",
            Some("2026-11-21T09:11:52.123456Z"),
        );
        check("1969-12-31T23:59:59.5Z", Some("1969-12-31T23:59:59.5Z"));
        check("0000-01-01T00:00:00+10:00", None);
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn extreme_values_stay_in_range() {
        for micros in [i64::MIN, i64::MAX, 0] {
            let t = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse_rfc3339(&t.to_string()), Some(t));
            assert_eq!(Timestamp::from_offset_date_time(t.to_offset_date_time()), t);
        }
    }

    #[test]
    fn minute_and_hour_round_down_before_the_epoch_too() {
        let t = Timestamp::parse_rfc3339("1969-12-31T22:58:31Z").unwrap();
        assert_eq!(t.minute().to_string(), "1969-12-31T22:58:00Z");
        assert_eq!(t.hour().to_string(), "1969-12-31T22:00:00Z");
    }
}
