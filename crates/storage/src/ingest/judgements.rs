//! The runs of a batch that detectors are to look at.

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;
use crate::detectors::queue_within;

/// Queues runs, each once, to be looked at when no step has come until `due_at`.
pub async fn queue_judgements(
    batch: &mut BatchTx,
    runs: &mut [(ProjectId, &str)],
    now: Timestamp,
    due_at: Timestamp,
) -> Result<()> {
    queue_within(&mut batch.tx, runs, now, due_at).await
}
