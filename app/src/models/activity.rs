//! How the strip of runs over time is cut into bars.

use domain::{Timestamp, Window};

/// The time the activity strip covers and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// First instant.
    pub(crate) from: Timestamp,
    /// First instant after it.
    pub(crate) to: Timestamp,
    /// How many pieces.
    pub(crate) count: u32,
}

impl Buckets {
    /// The strip of a window. A side that is open ends at `now` or 90 days before the other.
    pub(crate) fn of(window: Window, now: Timestamp) -> Self {
        const DAYS_90_MICROS: i64 = 90 * 86_400_000_000;
        let (from, to) = window.bounds(now);
        let to = to.unwrap_or(now);
        let from = from
            .unwrap_or_else(|| to.plus_micros(-DAYS_90_MICROS))
            .min(to.plus_micros(-1_000));
        let count = match window {
            Window::LastMinutes(60) => 60,
            Window::LastMinutes(10_080) => 84,
            Window::LastMinutes(43_200) => 60,
            Window::LastMinutes(129_600) | Window::All => 90,
            _ => 72,
        };
        Self { from, to, count }
    }

    /// The length of one piece, in milliseconds.
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
        check(Window::LastMinutes(10_080), 84, 120.0);
        check(Window::All, 90, 1_440.0);
        let backwards = Window::Fixed {
            from: Some(now),
            to: Some(now.plus_micros(-5)),
        };
        assert!(Buckets::of(backwards, now).bucket_ms() > 0.0);
    }
}
