//! Trying a provider: one tiny real call, and the true answer.

use std::time::Instant;

use domain::{Feature, ModelChoice, NanoUsd, OwnRunKind, ProjectId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::request::{Message, Request, Role};
use super::{ModelError, Models, OwnRun, call_with};
use crate::clock;

/// Longest answer that is shown, in characters.
const MAX_ANSWER_CHARS: usize = 200;

/// What a test was answered. It is kept, for the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    pub ok: bool,
    /// The model's own words, or why there are none.
    pub answer: String,
    pub model: String,
    pub latency_ms: i64,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cost_nano_usd: Option<NanoUsd>,
}

/// Asks a model of a provider for one word, and keeps what it said. `None` where there is no such provider, or no model to
/// ask.
pub async fn test(
    models: &Models,
    project: ProjectId,
    provider_id: &str,
    model: Option<&str>,
    actor: &str,
) -> storage::Result<Option<Tested>> {
    let settings = {
        let mut snapshot = models.db.snapshot(project).await?;
        storage::models::settings(&mut snapshot, project).await?
    };
    if !settings
        .providers
        .iter()
        .any(|provider| provider.provider_id == provider_id)
    {
        return Err(storage::Error::NotFound);
    }
    let in_use = settings.uses.iter().find(|(_, choice)| {
        choice.provider == provider_id && model.is_none_or(|model| model == choice.model)
    });
    // It is counted where the model is used.
    let feature = in_use.map_or(Feature::Analysis, |(feature, _)| *feature);
    let model = model.or(in_use.map(|(_, choice)| choice.model.as_str()));
    let Some(model) = model else { return Ok(None) };
    let choice = ModelChoice {
        provider: provider_id.to_owned(),
        model: model.to_owned(),
    };
    let run = OwnRun::about(OwnRunKind::Test, Uuid::now_v7());
    let request = Request {
        system: "You answer a test of the connection.".to_owned(),
        messages: vec![Message::text(Role::User, "Answer with the one word: pong")],
        tools: Vec::new(),
        must_call: None,
        // Some models think before they speak.
        max_output_tokens: 256,
    };
    let started = Instant::now();
    let called = call_with(models, project, feature, Some(&choice), &run, &request, &|_| {}).await;
    let latency_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let tested = match called {
        Ok(reply) => Tested {
            ok: true,
            answer: domain::text::first_line(&reply.text(), MAX_ANSWER_CHARS),
            input_tokens: reply.input_tokens,
            output_tokens: reply.output_tokens,
            cost_nano_usd: reply.cost(),
            model: reply.model,
            latency_ms,
        },
        Err(ModelError::Database(cause)) => return Err(cause),
        Err(error) => Tested {
            ok: false,
            answer: error.to_string(),
            model: model.to_owned(),
            latency_ms,
            input_tokens: None,
            output_tokens: None,
            cost_nano_usd: None,
        },
    };
    let kept = serde_json::json!(tested);
    storage::models::keep_test(&models.db, project, provider_id, &kept, actor, clock::now()).await?;
    Ok(Some(tested))
}
