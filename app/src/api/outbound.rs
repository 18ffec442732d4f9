//! Reading what leaves this machine: where the proxy sends calls, what the project is connected to, and whose models it asks.

use domain::Timestamp;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// When calls were sent to the providers last, since this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamCalls {
    /// To where calls of Anthropic's SDKs go.
    pub anthropic: Option<Timestamp>,
    /// To where calls of OpenAI's SDKs go.
    pub openai: Option<Timestamp>,
}

/// Something that calls go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetView {
    /// Which it is, in a word or two.
    pub(crate) name: String,
    /// Where it leads, where that is no secret; blank otherwise.
    pub(crate) address: String,
    /// What makes a call go there.
    pub(crate) when: String,
    pub(crate) last_call_at: Option<Timestamp>,
    /// Why the last call did not get through.
    pub(crate) last_error: Option<String>,
}

/// Every target of this server that concerns the project.
#[server(prefix = "/ui", endpoint = "outbound/view", input = GetUrl)]
pub(crate) async fn read_targets(slug: String) -> Result<Vec<TargetView>, ApiError> {
    use crate::api::projects::ServerFacts;
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let facts = use_context::<ServerFacts>().unwrap_or_default();
    let calls = use_context::<UpstreamCalls>().unwrap_or_default();
    let mut snapshot = database()?.snapshot(project).await?;
    let connected = storage::integrations::list(&mut snapshot, project).await?;
    let models = storage::models::settings(&mut snapshot, project).await?;
    let model_calls = storage::models::last_calls(&mut snapshot, project).await?;
    let provider = |name: &str, address: String, last_call_at| TargetView {
        name: name.to_owned(),
        address,
        when: "Each call that a program makes through the proxy; set by the operator".to_owned(),
        last_call_at,
        last_error: None,
    };
    let mut targets = vec![
        provider(
            "Calls of Anthropic’s SDKs",
            facts.upstream_anthropic,
            calls.anthropic,
        ),
        provider("Calls of OpenAI’s SDKs", facts.upstream_openai, calls.openai),
    ];
    if !facts.openid_issuer.is_empty() {
        targets.push(TargetView {
            name: "Sign-in of people".to_owned(),
            address: facts.openid_issuer,
            when: "When somebody signs in with it, and for its keys each hour; set by the operator"
                .to_owned(),
            last_call_at: None,
            last_error: None,
        });
    }
    targets.extend(connected.into_iter().map(|connected| TargetView {
        when: if connected.is_paused {
            "Paused; set under Integrations".to_owned()
        } else {
            "When there is something to ask or to tell; set under Integrations".to_owned()
        },
        name: connected.kind,
        address: connected.remote,
        last_call_at: connected.last_attempt_at,
        last_error: connected.last_error,
    }));
    targets.extend(models.providers.into_iter().map(|provider| {
        let address = provider
            .base_url
            .or_else(|| provider.kind.default_url().map(str::to_owned));
        TargetView {
            last_call_at: model_calls.get(&provider.provider_id).copied(),
            name: format!("Models: {}", provider.provider_id),
            address: address.unwrap_or_default(),
            when: "When a model analyses a run, investigates, answers in Ask, judges for a detector, or is tested: texts of \
                   the project, and pictures of bills that are put into Ask; set under Model providers"
                .to_owned(),
            last_error: None,
        }
    }));
    Ok(targets)
}
