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
/// What is sent and shown of one that is asked for whole, in bytes. The API has all of it.
pub(crate) const FULL_BYTES: usize = 1024 * 1024;
/// What is sent and shown of the end of a text that is not sent or shown whole, in bytes.
pub(crate) const TAIL_BYTES: usize = 16 * 1024;
/// What is sent of a step's attributes, and of its events, unless all is asked for: how many, and bytes of JSON.
#[cfg(feature = "ssr")]
const SENT_DETAILS: (usize, usize) = (200, 64 * 1024);
/// The same where all is asked for.
#[cfg(feature = "ssr")]
const SENT_DETAILS_IN_FULL: (usize, usize) = (2_000, 512 * 1024);

/// A text of a step, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentText {
    /// As much of it as was sent, from its beginning.
    pub(crate) text: String,
    /// Its end, where that was not sent; else empty.
    pub(crate) tail: String,
    /// The length of all of it, in bytes.
    pub(crate) total_bytes: u64,
    /// Media in it gave way to their sizes.
    pub(crate) is_without_media: bool,
}

impl SentText {
    /// The text, cut on a character when it is too long and not wanted in `full`.
    #[cfg(any(feature = "ssr", test))]
    pub(crate) fn of(mut text: String, full: bool) -> Self {
        let total_bytes = text.len() as u64;
        let sent_bytes = match full {
            true => FULL_BYTES,
            false if text.len() > SENT_WHOLE_BYTES => SHOWN_BYTES,
            false => SENT_WHOLE_BYTES,
        };
        let cut_at = text.floor_char_boundary(sent_bytes);
        let mut tail = String::new();
        if cut_at < text.len() {
            let from = text.ceil_char_boundary(text.len().saturating_sub(TAIL_BYTES));
            text.get(from.max(cut_at)..)
                .unwrap_or_default()
                .clone_into(&mut tail);
        }
        text.truncate(cut_at);
        Self {
            text,
            tail,
            total_bytes,
            is_without_media: false,
        }
    }

    /// The same of a prompt. Where it is too long the media in it go first: without them most are whole.
    #[cfg(any(feature = "ssr", test))]
    pub(crate) fn of_prompt(text: String, full: bool) -> Self {
        let is_long = text.len() > SENT_WHOLE_BYTES;
        match is_long
            .then(|| crate::payload::chat::without_base64(&text))
            .flatten()
        {
            Some(short) => Self {
                total_bytes: text.len() as u64,
                is_without_media: true,
                ..Self::of(short, full)
            },
            None => Self::of(text, full),
        }
    }

    /// Whether all of it was sent, its media left aside: only then its shape can be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.tail.is_empty() && (self.is_without_media || self.text.len() as u64 == self.total_bytes)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepTexts {
    pub(crate) input: Option<SentText>,
    /// What came back.
    pub(crate) output: Option<SentText>,
    /// The prompt template before substitution.
    pub(crate) prompt_template: Option<SentText>,
    /// Everything else the client sent along, or the first of it.
    pub(crate) attributes: Map<String, Value>,
    /// How many there are.
    pub(crate) attribute_count: usize,
    /// Points in time inside the step, or the first of them.
    pub(crate) events: Vec<StepEvent>,
    /// How many there are.
    pub(crate) event_count: usize,
    /// The price row behind a computed cost, as it is now; `None` when it is gone.
    pub(crate) price: Option<PriceRow>,
}

/// The texts of one step; long ones only their beginning, a longer one when `full`.
#[server(prefix = "/ui", endpoint = "steps/payload", input = Json)]
pub(crate) async fn read_step_texts(
    slug: String,
    run_id: String,
    step_id: String,
    full: bool,
) -> Result<StepTexts, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    texts_of(&mut snapshot, project, &run_id, &step_id, full).await
}

/// What is sent of a step's texts, of a project that whoever asks may see.
#[cfg(feature = "ssr")]
pub(crate) async fn texts_of(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    run_id: &str,
    step_id: &str,
    full: bool,
) -> Result<StepTexts, ApiError> {
    let payload = storage::steps::payload(snapshot, project, run_id, step_id).await?;
    let price = storage::prices::behind_step(snapshot, project, run_id, step_id).await?;
    let sent = |text: Option<String>| text.map(|text| SentText::of(text, full));
    let details = if full { SENT_DETAILS_IN_FULL } else { SENT_DETAILS };
    let (attribute_count, event_count) = (payload.attributes.len(), payload.events.len());
    let mut budget = DetailBudget(details);
    let events = payload.events.into_iter().map_while(|event| {
        let attributes = budget.keep(event.name.len(), event.attributes)?;
        Some(StepEvent { attributes, ..event })
    });
    let events = events.collect();
    Ok(StepTexts {
        input: payload.input.map(|text| SentText::of_prompt(text, full)),
        output: sent(payload.output),
        prompt_template: sent(payload.prompt_template),
        attributes: DetailBudget((details.0 + 1, details.1))
            .keep(0, payload.attributes)
            .unwrap_or_default(),
        attribute_count,
        events,
        event_count,
        price: price.and_then(crate::api::prices::row_of),
    })
}

/// How many details, and how many bytes of them, are still sent.
#[cfg(any(feature = "ssr", test))]
struct DetailBudget((usize, usize));

#[cfg(any(feature = "ssr", test))]
impl DetailBudget {
    /// As many fields as fit beside a name of `name_bytes`; a value that does not is cut, as its JSON text. `None` when
    /// nothing more is sent.
    fn keep(&mut self, name_bytes: usize, fields: Map<String, Value>) -> Option<Map<String, Value>> {
        let (count, bytes) = &mut self.0;
        if *count == 0 || *bytes == 0 {
            return None;
        }
        *count -= 1;
        *bytes = bytes.saturating_sub(name_bytes);
        let mut kept = Map::new();
        for (name, value) in fields {
            if *count == 0 || *bytes == 0 {
                break;
            }
            *count -= 1;
            *bytes = bytes.saturating_sub(name.len());
            let mut json = value.to_string();
            let sent = if json.len() <= *bytes {
                value
            } else {
                json.truncate(json.floor_char_boundary(*bytes));
                json.push('…');
                Value::String(json.clone())
            };
            *bytes = bytes.saturating_sub(json.len());
            kept.insert(name, sent);
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_cut_by_number_and_by_size() {
        let fields = |count: usize, text: &str| -> Map<String, Value> {
            (0..count)
                .map(|n| (format!("k{n:05}"), Value::from(text)))
                .collect()
        };
        let kept = |fields: Map<String, Value>| DetailBudget((10, 1_000)).keep(0, fields).unwrap_or_default();
        assert_eq!(kept(fields(3, "v")), fields(3, "v"));
        assert_eq!(kept(fields(30, "v")).len(), 9);
        let cut = kept(fields(3, &"é".repeat(2_000)));
        assert_eq!(cut.len(), 1);
        assert!(Value::Object(cut).to_string().len() < 1_100);
        let mut spent = DetailBudget((1, 1_000));
        assert!(spent.keep(4, Map::new()).is_some());
        assert_eq!(spent.keep(4, Map::new()), None);
    }

    #[test]
    fn a_prompt_that_is_long_by_its_media_is_whole_without_them() {
        let image = "QUi9".repeat(SENT_WHOLE_BYTES / 2);
        let prompt = format!(r#"[{{"role":"user","content":"{image}"}}]"#);
        let sent = SentText::of_prompt(prompt.clone(), false);
        assert!(
            sent.is_whole() && sent.is_without_media && sent.text.len() < 100,
            "{}",
            sent.text
        );
        assert_eq!(sent.total_bytes, prompt.len() as u64);
        let long = SentText::of_prompt(format!("{prompt}{}", "a ".repeat(SENT_WHOLE_BYTES)), false);
        assert!(!long.is_whole() && long.tail.ends_with("a "));
        assert!(SentText::of_prompt("short".to_owned(), false).is_whole());
    }

    #[test]
    fn long_texts_are_cut_on_a_character() {
        let check = |text: String, full: bool, sent: usize| {
            let total = text.len() as u64;
            let end = text.clone();
            let text = SentText::of(text, full);
            assert_eq!((text.text.len(), text.total_bytes), (sent, total));
            assert!(end.ends_with(&text.tail) && text.tail.len() <= TAIL_BYTES);
            assert_eq!(text.tail.is_empty(), sent as u64 == total);
        };
        check(String::new(), false, 0);
        check("x".repeat(SENT_WHOLE_BYTES), false, SENT_WHOLE_BYTES);
        check("x".repeat(SENT_WHOLE_BYTES + 1), false, SHOWN_BYTES);
        check("x".repeat(SENT_WHOLE_BYTES + 1), true, SENT_WHOLE_BYTES + 1);
        check("x".repeat(FULL_BYTES + 1), true, FULL_BYTES);
        check(
            format!("x{}", "é".repeat(SENT_WHOLE_BYTES)),
            false,
            SHOWN_BYTES - 1,
        );
    }
}
