//! The runs of a batch that are to be sent as tracing data.

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;
use crate::traces::queue_within;

/// Queues runs, each once, to be sent at `due_at`.
pub async fn queue_traces(
    batch: &mut BatchTx,
    runs: &mut [(ProjectId, &str)],
    now: Timestamp,
    due_at: Timestamp,
) -> Result<()> {
    queue_within(&mut batch.tx, runs, now, due_at).await
}
