//! Reading which models Plumbline asks, with which keys, and what that costs. It is changed by plain forms.

use domain::{Feature, ModelChoice, NanoUsd, ProviderKind, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What the page of model providers shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelsView {
    pub(crate) providers: Vec<ProviderView>,
    pub(crate) uses: Vec<(Feature, ModelChoice)>,
    pub(crate) budget: Option<NanoUsd>,
    pub(crate) max_request_bytes: i32,
    /// What this month's calls cost, with what those under way may cost.
    pub(crate) spent: NanoUsd,
    /// The month that is shown, `YYYY-MM`.
    pub(crate) month: String,
    /// The months in which there were calls, newest first.
    pub(crate) months: Vec<String>,
    /// By use, in the order of the uses.
    pub(crate) usage: Vec<UsageView>,
}

/// A provider, without its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProviderView {
    pub(crate) id: String,
    pub(crate) kind: ProviderKind,
    pub(crate) base_url: Option<String>,
    pub(crate) has_key: bool,
    /// The last characters of the key; for admins.
    pub(crate) key_shown: Option<String>,
    pub(crate) key_set_at: Option<Timestamp>,
    pub(crate) key_set_by: Option<String>,
    pub(crate) tested_at: Option<Timestamp>,
    pub(crate) tested: Option<TestedView>,
}

/// What the last test was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestedView {
    pub(crate) ok: bool,
    pub(crate) answer: String,
    pub(crate) model: String,
    pub(crate) latency_ms: i64,
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    pub(crate) cost_nano_usd: Option<NanoUsd>,
}

/// What a month's calls of one use came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsageView {
    pub(crate) feature: Feature,
    /// The models that were asked.
    pub(crate) models: Vec<String>,
    pub(crate) calls: i64,
    pub(crate) failed: i64,
    pub(crate) not_made: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost: NanoUsd,
    pub(crate) unpriced_calls: i64,
}

/// Providers, uses, budget, and what a month came to; without `month` this one.
#[server(prefix = "/ui", endpoint = "models/view", input = GetUrl)]
pub(crate) async fn read_models(slug: String, month: String) -> Result<ModelsView, ApiError> {
    use domain::Role;

    use crate::context::{authorise, database, has_role, use_page_request};

    let project = authorise(&slug, Role::Viewer)?.id;
    let is_admin = has_role(&slug, Role::Admin);
    let now = use_page_request().now;
    let this_month: String = now.to_string().chars().take(7).collect();
    let month = if month.is_empty() {
        this_month.clone()
    } else {
        month
    };
    let mut snapshot = database()?.snapshot(project).await?;
    let settings = storage::models::settings(&mut snapshot, project).await?;
    let rows = storage::models::usage(&mut snapshot, project, &month).await?;
    let months = storage::models::months(&mut snapshot, project).await?;
    let spent = storage::models::spent(&mut snapshot, project, &this_month, now).await?;
    drop(snapshot);
    let usage = Feature::ALL.iter().filter_map(|feature| {
        let of = rows.iter().filter(|row| row.feature == *feature);
        of.map(|row| UsageView {
            feature: row.feature,
            models: vec![row.model.clone()],
            calls: row.calls,
            failed: row.failed,
            not_made: row.not_made,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cost: row.cost,
            unpriced_calls: row.unpriced_calls,
        })
        .reduce(UsageView::plus)
    });
    Ok(ModelsView {
        providers: settings
            .providers
            .into_iter()
            .map(|provider| ProviderView {
                id: provider.provider_id,
                kind: provider.kind,
                base_url: provider.base_url,
                has_key: provider.has_key,
                key_shown: provider.key_shown.filter(|_| is_admin),
                key_set_at: provider.key_set_at,
                key_set_by: provider.key_set_by,
                tested_at: provider.tested_at,
                tested: provider
                    .tested
                    .and_then(|tested| serde_json::from_value(tested).ok()),
            })
            .collect(),
        uses: settings.uses,
        budget: settings.budget,
        max_request_bytes: settings.max_request_bytes,
        spent,
        usage: usage.collect(),
        month,
        months,
    })
}

#[cfg(feature = "ssr")]
impl UsageView {
    fn plus(mut self, other: Self) -> Self {
        self.models.extend(other.models);
        self.calls += other.calls;
        self.failed += other.failed;
        self.not_made += other.not_made;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost = NanoUsd(self.cost.0.saturating_add(other.cost.0));
        self.unpriced_calls += other.unpriced_calls;
        self
    }
}
