//! Inquiries as programs read them.

use domain::inquiry::arguments_in_words;
use domain::{InquiryEventKind, NanoUsd, Timestamp, WorkState};
use serde::Serialize;
use serde_json::{Value, json};
use storage::inquiries::{Inquiry, InquiryEvent};
use utoipa::ToSchema;

use super::agent::MAX_ROUNDS;

/// An inquiry and everything that happened in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InquiryAnswer {
    id: String,
    state: WorkState,
    asked_at: Timestamp,
    /// An e-mail, a key's label, or `local`.
    asked_by: String,
    finished_at: Option<Timestamp>,
    /// The model that answered; null before it did, and where none is set.
    model: Option<String>,
    /// Of the calls whose cost is known, in dollars; null when nothing is.
    cost_usd: Option<String>,
    rounds: u32,
    max_rounds: u32,
    /// What happened, the earliest first.
    events: Vec<EventAnswer>,
    /// Of an investigation that has come to one.
    #[schema(value_type = Option<Object>)]
    verdict: Option<Value>,
    /// Why there is no answer.
    error: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InquiryEvent)]
struct EventAnswer {
    at: Timestamp,
    /// `tool`, `text`, `verdict` or `error`.
    kind: InquiryEventKind,
    #[schema(value_type = Object)]
    data: Value,
}

/// What of an event is shown: not what a tool answered to the model, and its arguments also in a line.
pub(crate) fn shown(event: &InquiryEvent) -> Value {
    let mut data = event.data.clone();
    if let (InquiryEventKind::Tool, Some(members)) = (event.kind, data.as_object_mut()) {
        members.remove("content");
        members.remove("call_id");
        let words = arguments_in_words(members.get("arguments").unwrap_or(&Value::Null));
        members.insert("arguments_in_words".to_owned(), json!(words));
    }
    data
}

impl InquiryAnswer {
    pub(crate) fn of(inquiry: &Inquiry, events: &[InquiryEvent]) -> Self {
        let of_kind = |kind: InquiryEventKind| events.iter().rev().find(|event| event.kind == kind);
        let rounds = events
            .iter()
            .filter_map(|event| event.data["round"].as_u64())
            .max();
        Self {
            id: inquiry.id.to_string(),
            state: inquiry.state,
            asked_at: inquiry.asked_at,
            asked_by: inquiry.asked_by.clone(),
            finished_at: inquiry.finished_at,
            model: inquiry.model.clone(),
            cost_usd: inquiry.cost.map(NanoUsd::to_decimal),
            rounds: rounds.and_then(|rounds| u32::try_from(rounds).ok()).unwrap_or(0),
            max_rounds: MAX_ROUNDS,
            verdict: of_kind(InquiryEventKind::Verdict).map(|event| event.data.clone()),
            error: of_kind(InquiryEventKind::Error)
                .and_then(|event| event.data["message"].as_str().map(str::to_owned)),
            events: events
                .iter()
                .map(|event| EventAnswer {
                    at: event.at,
                    kind: event.kind,
                    data: shown(event),
                })
                .collect(),
        }
    }
}
