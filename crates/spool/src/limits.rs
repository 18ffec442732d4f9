//! How much a spool keeps, and how much it does keep.

/// The largest record: 64 MiB. What claims to be larger on disk is damage and is not allocated.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// How much a spool keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All segments together; 28 bytes are added to each record. A group that goes beyond is refused.
    pub max_bytes: u64,
    /// A segment is closed before it grows beyond this, unless one group alone is larger. Space is freed by
    /// whole segments, so this should be a small part of `max_bytes`.
    pub segment_bytes: u64,
}

impl Default for Limits {
    /// 1 GiB in segments of 16 MiB.
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            segment_bytes: 16 << 20,
        }
    }
}

/// How full a spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// What the segments take on disk, acknowledged records in the oldest one included.
    pub bytes: u64,
    /// [`Limits::max_bytes`].
    pub max_bytes: u64,
    /// Records that [`Spool::next_batch`](crate::Spool::next_batch) will give.
    pub waiting_records: u64,
    /// Records found damaged since the spool was opened. They are lost.
    pub damaged_records: u64,
    /// What was cut off the end when the spool was opened: records that were being written in a crash and
    /// that were not acknowledged, or damage to the very last record's header.
    pub torn_bytes: u64,
}
