//! Reading what keys may use, and what they used. A plain form changes it, which works without WASM.

use domain::key_limit::{Amounts, KeyLimits};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// A limited label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LimitedKeyView {
    pub(crate) label: String,
    pub(crate) limits: KeyLimits,
    /// In the minute that is running.
    pub(crate) in_minute: Amounts,
    /// In the month that is running.
    pub(crate) in_month: Amounts,
}

/// The limits of a project, and the labels that may have some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyLimitsView {
    pub(crate) limited: Vec<LimitedKeyView>,
    pub(crate) labels: Vec<String>,
}

/// What the keys of a project may use.
#[server(prefix = "/ui", endpoint = "keys/limits", input = GetUrl)]
pub(crate) async fn read_key_limits(slug: String) -> Result<KeyLimitsView, ApiError> {
    use domain::Timestamp;
    use domain::key_limit::Period;

    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let now = use_page_request().now;
    let db = database()?;
    let mut snapshot = db.snapshot(project).await?;
    let found = storage::key_limits::list(&mut snapshot, project).await?;
    drop(snapshot);
    let current = |period: Period, (begin, amounts): (Timestamp, Amounts)| {
        if begin == period.begin(now) {
            amounts
        } else {
            Amounts::default()
        }
    };
    let limited: Vec<LimitedKeyView> = found
        .into_iter()
        .map(|key| {
            let [minute, month] = key.used;
            LimitedKeyView {
                label: key.label,
                limits: key.limits,
                in_minute: current(Period::Minute, minute),
                in_month: current(Period::Month, month),
            }
        })
        .collect();
    let mut labels: Vec<String> = storage::keys::list(&db, project)
        .await?
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| key.label)
        .chain(limited.iter().map(|key| key.label.clone()))
        .collect();
    labels.sort();
    labels.dedup();
    Ok(KeyLimitsView { limited, labels })
}
