//! What a batch's steps are worth telling.

use domain::Timestamp;

use super::BatchTx;
use crate::Result;
use crate::alerts::{NewAlert, insert_within};

/// Writes alerts, one of each project, trigger, channel and group.
pub async fn add_alerts(batch: &mut BatchTx, alerts: &mut [NewAlert], now: Timestamp) -> Result<()> {
    insert_within(&mut batch.tx, alerts, now).await
}
