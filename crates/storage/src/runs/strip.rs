//! How runs over time are cut into parts.

use domain::run::ActivityBucket;
use domain::{Severity, Timestamp};

use super::severity;
use crate::hours::HOUR_MICROS;

/// Parts of a strip, at most.
const MAX_BUCKETS: u32 = 500;

/// The time that runs are counted over and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strip {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// Equal parts.
    pub buckets: u32,
}

impl Strip {
    pub(super) fn width_micros(&self) -> i64 {
        let buckets = i64::from(self.buckets.clamp(1, MAX_BUCKETS));
        ((self.to.micros() - self.from.micros()) / buckets).max(1)
    }

    pub(super) fn is_hourly(&self) -> bool {
        self.from.hour() == self.from && self.width_micros() % HOUR_MICROS == 0
    }

    pub(super) fn empty(&self) -> Vec<ActivityBucket> {
        (0..i64::from(self.buckets.clamp(1, MAX_BUCKETS)))
            .map(|i| ActivityBucket {
                at: self.from.plus_micros(i * self.width_micros()),
                ok: 0,
                warning: 0,
                critical: 0,
            })
            .collect()
    }

    /// Adds runs to a bucket; the last one takes what integer division leaves over.
    pub(super) fn add(activity: &mut [ActivityBucket], bucket: i64, number: i16, runs: i64) {
        let last = activity.len().saturating_sub(1);
        let place = usize::try_from(bucket).unwrap_or(0).min(last);
        if let Some(bucket) = activity.get_mut(place) {
            match severity(number) {
                Severity::Ok => bucket.ok += runs,
                Severity::Warning => bucket.warning += runs,
                Severity::Critical => bucket.critical += runs,
            }
        }
    }
}
