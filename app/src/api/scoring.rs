//! Reading how a project's steps are scored.

use domain::Timestamp;
use domain::anomaly::CodePrecision;
use engine::{RecentStep, Rules};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The longest window, in days.
#[cfg(feature = "ssr")]
const MAX_DAYS: u32 = 90;

/// The rules in force and what they are seen against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoringView {
    pub(crate) rules: Rules,
    /// The project's last model calls, oldest first: what limits and threshold are learned from.
    pub(crate) recent: Vec<RecentStep>,
    /// Days that everything below looks back on.
    pub(crate) days: u32,
    /// Steps in them.
    pub(crate) steps: i64,
    /// Critical and other anomalous steps per key, most critical ones first.
    pub(crate) keys: Vec<KeyCounts>,
    /// How often each code hit.
    pub(crate) hits: Vec<(u16, i64)>,
    /// How often each was right by what people said.
    pub(crate) precision: Vec<CodePrecision>,
    /// The last change of the rules.
    pub(crate) saved: Option<Changed>,
    /// Who set the limits of latency, tokens and cost.
    pub(crate) limits_set: [Option<Changed>; 3],
}

/// Anomalies of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyCounts {
    pub(crate) key: String,
    pub(crate) critical: i64,
    /// Steps with points that are not critical.
    pub(crate) warning: i64,
}

/// Who changed something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) at: Timestamp,
    pub(crate) by: String,
}

/// The rules in force with the figures of the last `days` days.
#[server(prefix = "/ui", endpoint = "scoring/view", input = GetUrl)]
pub(crate) async fn read_scoring(slug: String, days: u32) -> Result<ScoringView, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let days = days.clamp(1, MAX_DAYS);
    let from = use_page_request()
        .now
        .plus_micros(-i64::from(days) * 86_400_000_000);
    let in_force = use_context::<RulesInForce>().ok_or_else(|| ApiError::Internal {
        request_id: use_page_request().request_id,
    })?;
    let (rules, recent) = in_force.of(project).await?;
    let overview =
        storage::backtest::overview(&mut database()?.snapshot(project).await?, project, from).await?;
    Ok(ScoringView {
        limits_set: LIMITS.map(|limit| set_by(&overview.changes, limit)),
        saved: overview.changes.first().map(changed),
        rules,
        recent,
        days,
        steps: overview.steps,
        keys: overview
            .keys
            .into_iter()
            .map(|key| KeyCounts {
                key: key.key_label,
                critical: key.critical,
                warning: key.warning,
            })
            .collect(),
        hits: overview.hits,
        precision: overview.precision,
    })
}

#[cfg(feature = "ssr")]
pub use server::RulesInForce;
#[cfg(feature = "ssr")]
use server::{LIMITS, changed, set_by};

#[cfg(feature = "ssr")]
mod server {
    use std::pin::Pin;
    use std::sync::Arc;

    use domain::ProjectId;
    use engine::{RecentStep, Rules};
    use storage::backtest::Change;

    use super::Changed;

    type Answer = storage::Result<(Rules, Vec<RecentStep>)>;
    type Read = dyn Fn(ProjectId) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

    /// Where pages learn by which rules the next step is judged, and from which steps their limits come.
    #[derive(Clone)]
    pub struct RulesInForce(Arc<Read>);

    impl RulesInForce {
        /// `read` returns a project's rules and its last model calls, oldest first.
        pub fn new<F>(read: impl Fn(ProjectId) -> F + Send + Sync + 'static) -> Self
        where
            F: Future<Output = Answer> + Send + 'static,
        {
            Self(Arc::new(move |project| Box::pin(read(project))))
        }

        pub(super) async fn of(&self, project: ProjectId) -> Answer {
            (self.0)(project).await
        }
    }

    /// The limits as the API names them.
    pub(super) const LIMITS: [&str; 3] = ["latency_ms", "tokens", "cost_usd"];

    pub(super) fn changed(change: &Change) -> Changed {
        Changed {
            at: change.at,
            by: change.by.clone(),
        }
    }

    /// The change since which a limit has the value it has now; `changes` come newest first.
    pub(super) fn set_by(changes: &[Change], limit: &str) -> Option<Changed> {
        let value = |change: &Change| change.rules.get("limits")?.get(limit).cloned();
        let now = value(changes.first()?).filter(|value| !value.is_null())?;
        let same = changes
            .iter()
            .take_while(|change| value(change).as_ref() == Some(&now));
        same.last().map(changed)
    }

    #[cfg(test)]
    mod tests {
        use domain::Timestamp;

        use super::*;

        #[test]
        fn a_limit_was_set_by_the_one_who_gave_it_this_value() {
            let change = |at: i64, by: &str, rules: &str| Change {
                at: Timestamp::from_micros(at),
                by: by.to_owned(),
                rules: serde_json::from_str(rules).unwrap(),
            };
            let changes = [
                change(4, "Tom", r#"{"limits":{"tokens":8000}}"#),
                change(3, "Mara", r#"{"limits":{"tokens":8000}}"#),
                change(2, "Tom", r#"{"limits":{"tokens":9000}}"#),
                change(1, "Ann", r#"{"limits":{"tokens":8000,"latency_ms":null}}"#),
            ];
            let by = |limit: &str| set_by(&changes, limit).map(|changed| changed.by);
            assert_eq!(by("tokens").as_deref(), Some("Mara"));
            assert_eq!(by("latency_ms"), None);
            assert_eq!(set_by(&[], "tokens"), None);
        }
    }
}
