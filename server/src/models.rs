//! Calling language models with the project's own keys.
//!
//! One way out for everything that asks a model: the budget is checked and what the call may cost reserved, the provider
//! is called through the safe outbound client, tried again where it asks for patience, and what came of it is recorded as
//! a step of ours and counted.

mod budget;
mod error;
pub mod fence;
mod held;
mod record;
mod request;
mod send;
pub mod settings;
pub mod test;
mod wire;

use std::fmt;
use std::fmt::Display;
use std::time::Duration;

use domain::{Feature, ModelChoice, NanoUsd, OwnRunKind, ProjectId};
use storage::Db;
use storage::models::{Reservation, Reserved, Spent};
use uuid::Uuid;

pub use budget::month_of;
pub use error::ModelError;
pub use request::{Message, Part, Reply, Request, Role, Stop, Tool};

use crate::clock;
use crate::outbound::{Outbound, StreamLimits};
use crate::pipeline::Pipeline;
use crate::prices::Prices;
use crate::secrets::Secrets;
use held::Held;
use send::{Asked, Destination};

/// The run that a call is a step of: one for each analysis, investigation, chat or judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRun {
    /// Such as `plumbline-analysis-0198…`.
    pub run_id: String,
    /// What its steps are called.
    pub name: String,
}

impl OwnRun {
    /// The run that is about `subject`, its steps called by its kind.
    pub fn about(kind: OwnRunKind, subject: impl Display) -> Self {
        Self {
            run_id: kind.run_id(subject),
            name: kind.name().to_owned(),
        }
    }
}

/// How much of what a provider calls its model is kept.
const MAX_MODEL_CHARS: usize = 200;

/// What hears an answer's text as it comes.
pub type OnText<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What calls need. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    pub db: Db,
    pub secrets: Secrets,
    pub outbound: Outbound,
    pub prices: Prices,
    pub pipeline: Pipeline,
    limits: StreamLimits,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Models {
    /// With the patience that answers of minutes need.
    pub fn new(db: Db, secrets: Secrets, outbound: Outbound, prices: Prices, pipeline: Pipeline) -> Self {
        Self {
            db,
            secrets,
            outbound,
            prices,
            pipeline,
            limits: StreamLimits {
                silence: Duration::from_secs(120),
                total: Duration::from_secs(600),
                // Some thousand tokens, each an event of its own.
                max_bytes: 8 * 1024 * 1024,
            },
        }
    }

    /// The same with other bounds of one answer.
    #[must_use]
    pub fn with_limits(self, limits: StreamLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same where an answer may take `total` at most.
    #[must_use]
    pub fn within(self, total: Duration) -> Self {
        let limits = StreamLimits {
            silence: self.limits.silence.min(total),
            total: self.limits.total.min(total),
            ..self.limits
        };
        self.with_limits(limits)
    }
}

/// Asks the model that the project chose for this use.
pub async fn call(
    models: &Models,
    project: ProjectId,
    feature: Feature,
    run: &OwnRun,
    request: &Request,
    on_text: OnText<'_>,
) -> Result<Reply, ModelError> {
    call_with(models, project, feature, None, run, request, on_text).await
}

/// Asks a model that is named, or the one that the project chose for this use.
pub async fn call_with(
    models: &Models,
    project: ProjectId,
    feature: Feature,
    choice: Option<&ModelChoice>,
    run: &OwnRun,
    request: &Request,
    on_text: OnText<'_>,
) -> Result<Reply, ModelError> {
    let choice = match choice {
        Some(choice) => choice.clone(),
        None => storage::models::choice(&models.db, project, feature)
            .await?
            .ok_or(ModelError::NotSet)?,
    };
    let route = storage::models::route(&models.db, project, &choice.provider)
        .await?
        .ok_or(ModelError::NotSet)?;
    let outgoing = wire::outgoing(route.kind, &choice.model, request);
    let destination = Destination::of(models, project, &choice, &route, &outgoing.path)?;
    let body = outgoing.body.to_string();
    let limit = usize::try_from(route.max_request_bytes).unwrap_or(0);
    // Pictures have a bound of their own.
    let text_bytes = body.len().saturating_sub(request.image_bytes());
    if text_bytes > limit {
        return Err(ModelError::TooLarge {
            bytes: text_bytes,
            limit,
        });
    }
    let now = clock::now();
    let prices = models.prices.of(project).await?;
    let month = month_of(now);
    let held = Held::new(models.db.clone(), project, Uuid::now_v7());
    let reservation = Reservation {
        call_id: held.call_id(),
        month: &month,
        feature,
        provider_id: &choice.provider,
        model: &choice.model,
        most: budget::most(&prices, route.kind, &choice.model, request, body.len(), now),
    };
    if let Reserved::Refused { spent, budget } =
        storage::models::reserve(&models.db, project, &reservation, now).await?
    {
        held.is_over();
        return Err(ModelError::Budget {
            spent_nano_usd: spent.0,
            budget_nano_usd: budget.0,
        });
    }
    let asked = send::ask(models, &destination, (&outgoing, body.as_str()), &held, on_text).await;
    let made = record::Made {
        project,
        run,
        feature,
        kind: route.kind,
        requested_model: &choice.model,
        request,
        started_at: now,
        asked: &asked,
    };
    let (recorded, submission) = record::step(&made, &prices);
    let spent = Spent {
        input_tokens: recorded.input_tokens,
        output_tokens: recorded.output_tokens,
        cost: recorded.cost,
        has_failed: asked.result.is_err(),
    };
    let settled = held.settle(&reservation, spent, now).await;
    record::submit(models, project, submission).await;
    settled?;
    let Asked { heard, result, .. } = asked;
    result?;
    let (stop, _) = heard.stop.clone().unwrap_or((Stop::Done, String::new()));
    let parts = heard.parts().map_err(|error| match stop {
        Stop::Length => {
            ModelError::Malformed("The answer was cut off at its limit; ask about less".to_owned())
        }
        Stop::Done | Stop::Calls | Stop::Refused => error,
    })?;
    Ok(Reply {
        parts,
        stop,
        model: heard.model.as_deref().map_or(choice.model, |model| {
            domain::text::first_line(model, MAX_MODEL_CHARS)
        }),
        cost_nano_usd: recorded.cost.map(|NanoUsd(nano)| nano),
        input_tokens: recorded.input_tokens,
        output_tokens: recorded.output_tokens,
    })
}
