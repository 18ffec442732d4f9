//! Reading steps.

use domain::StepEvent;
use engine::pricing::PriceRow;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// A text longer than this is not sent whole unless it is asked for, in bytes.
#[cfg(any(feature = "ssr", test))]
const SENT_WHOLE_BYTES: usize = 512 * 1024;
/// What is sent and shown of a text that is too long, in bytes.
pub(crate) const SHOWN_BYTES: usize = 64 * 1024;

/// A text of a step, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentText {
    /// As much of it as was sent.
    pub(crate) text: String,
    /// The length of all of it, in bytes.
    pub(crate) total_bytes: u64,
}

impl SentText {
    /// The text, cut on a character when it is too long and not wanted in `full`.
    #[cfg(any(feature = "ssr", test))]
    pub(crate) fn of(mut text: String, full: bool) -> Self {
        let total_bytes = text.len() as u64;
        if !full && text.len() > SENT_WHOLE_BYTES {
            text.truncate(text.floor_char_boundary(SHOWN_BYTES));
        }
        Self { text, total_bytes }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepTexts {
    pub(crate) input: Option<SentText>,
    /// What came back.
    pub(crate) output: Option<SentText>,
    /// The prompt template before substitution.
    pub(crate) prompt_template: Option<SentText>,
    /// Everything else the client sent along.
    pub(crate) attributes: Map<String, Value>,
    /// Points in time inside the step.
    pub(crate) events: Vec<StepEvent>,
    /// The price row behind a computed cost, as it is now; `None` when it is gone.
    pub(crate) price: Option<PriceRow>,
}

/// The texts of one step; long ones whole only when `full`.
#[server(prefix = "/ui", endpoint = "steps/payload", input = Json)]
pub(crate) async fn read_step_texts(
    slug: String,
    run_id: String,
    step_id: String,
    full: bool,
) -> Result<StepTexts, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let payload = storage::steps::payload(&mut snapshot, project, &run_id, &step_id).await?;
    let price = storage::prices::behind_step(&mut snapshot, project, &run_id, &step_id).await?;
    let sent = |text: Option<String>| text.map(|text| SentText::of(text, full));
    Ok(StepTexts {
        input: sent(payload.input),
        output: sent(payload.output),
        prompt_template: sent(payload.prompt_template),
        attributes: payload.attributes,
        events: payload.events,
        price: price.and_then(crate::api::prices::row_of),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_on_a_character() {
        let check = |text: String, full: bool, sent: usize| {
            let total = text.len() as u64;
            let text = SentText::of(text, full);
            assert_eq!((text.text.len(), text.total_bytes), (sent, total));
        };
        check(String::new(), false, 0);
        check("x".repeat(SENT_WHOLE_BYTES), false, SENT_WHOLE_BYTES);
        check("x".repeat(SENT_WHOLE_BYTES + 1), false, SHOWN_BYTES);
        check("x".repeat(SENT_WHOLE_BYTES + 1), true, SENT_WHOLE_BYTES + 1);
        check(
            format!("x{}", "é".repeat(SENT_WHOLE_BYTES)),
            false,
            SHOWN_BYTES - 1,
        );
    }
}
