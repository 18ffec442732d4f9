//! How the strip of runs over time is cut into bars.

use domain::{Timestamp, Window};

/// The time the activity strip covers and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// First instant.
    pub(crate) from: Timestamp,
    /// First instant after it.
    pub(crate) to: Timestamp,
    /// How many buckets.
    pub(crate) count: u32,
}

impl Buckets {
    /// The strip of a window. A side that is open ends at `now` or 90 days before the other.
    pub(crate) fn of(window: Window, now: Timestamp) -> Self {
        const HOUR_MICROS: i64 = 3_600_000_000;
        const DAYS_90_MICROS: i64 = 90 * 86_400_000_000;
        let (from, _) = window.bounds(now);
        let to = match window {
            Window::Fixed { to: Some(to), .. } => to,
            _ => now,
        };
        let from = from
            .unwrap_or_else(|| to.plus_micros(-DAYS_90_MICROS))
            .min(to.plus_micros(-1_000));
        let hours = (to.ms_since(from) / 3_600_000.0).ceil();
        if hours > 24.0 {
            // Of whole hours, which are what is counted: the last one is the one that goes on.
            let hours_each = match window {
                Window::LastMinutes(10_080) => 2,
                Window::LastMinutes(43_200) => 12,
                Window::LastMinutes(129_600) | Window::All => 24,
                _ => (hours / 72.0).ceil() as i64,
            };
            let first = from.hour();
            let span = to.micros() - first.micros();
            let count = (span + hours_each * HOUR_MICROS - 1) / (hours_each * HOUR_MICROS);
            return Self {
                from: first,
                to: first.plus_micros(count * hours_each * HOUR_MICROS),
                count: u32::try_from(count).unwrap_or(u32::MAX),
            };
        }
        let count = match window {
            Window::LastMinutes(60) => 60,
            _ => 72,
        };
        Self { from, to, count }
    }

    /// The length of one bucket, in milliseconds.
    pub(crate) fn bucket_ms(&self) -> f64 {
        self.to.ms_since(self.from) / f64::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_their_window() {
        let now = Timestamp::from_micros(1_795_252_312_000_000);
        let check = |window: Window, count: u32, minutes: f64| {
            let buckets = Buckets::of(window, now);
            assert_eq!((buckets.count, buckets.bucket_ms() / 60_000.0), (count, minutes));
        };
        check(Window::LastMinutes(60), 60, 1.0);
        check(Window::LastMinutes(1_440), 72, 20.0);
        check(Window::LastMinutes(10_080), 85, 120.0);
        check(Window::All, 91, 1_440.0);
        let hours = Buckets::of(Window::All, now);
        assert_eq!(hours.from.hour(), hours.from);
        assert!(hours.to > now);
        let backwards = Window::Fixed {
            from: Some(now),
            to: Some(now.plus_micros(-5)),
        };
        assert!(Buckets::of(backwards, now).bucket_ms() > 0.0);
    }
}
