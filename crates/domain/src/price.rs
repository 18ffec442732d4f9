//! Models whose calls can't be priced.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A model that has calls without a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpricedModel {
    /// Its name as it was reported; empty when none was.
    pub model: String,
    /// Its calls without a price.
    pub calls: i64,
    /// The hour of the last of them.
    pub last_hour: Timestamp,
}
