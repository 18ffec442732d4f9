//! What models look into: the investigation of an incident, and chats.

use domain::{NanoUsd, Timestamp, WorkState};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::api::bills::BillView;
use crate::error::ApiError;

/// The most chats of the list, and questions of one chat.
#[cfg(feature = "ssr")]
const MAX_CHATS: u32 = 50;
#[cfg(feature = "ssr")]
const MAX_QUESTIONS: u32 = 50;
/// How much of what was said a page is given, and how much of one answer, in bytes.
#[cfg(feature = "ssr")]
const SHOWN_BYTES: usize = 256 * 1024;
#[cfg(feature = "ssr")]
const SHOWN_BYTES_OF_ONE: usize = 32 * 1024;

/// What a claim rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CiteView {
    pub(crate) look_up: Option<u32>,
    pub(crate) deploy_id: Option<String>,
}

/// A claim that held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimView {
    pub(crate) text: String,
    pub(crate) cites: Vec<CiteView>,
}

/// One that did not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DroppedView {
    pub(crate) text: String,
    pub(crate) reason: String,
}

/// How much of the change is price and how much volume, in words with units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SplitView {
    pub(crate) of: String,
    pub(crate) per: String,
    pub(crate) price: String,
    pub(crate) volume: String,
}

/// What the ledger itself says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LedgerVerdict {
    pub(crate) sentence: String,
    pub(crate) probability: f64,
    /// The rubric's.
    pub(crate) confidence: Option<f64>,
}

/// What an investigation came to. What an older version did not write is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VerdictView {
    /// `model` or `rules`.
    pub(crate) source: String,
    pub(crate) deploy_id: Option<String>,
    /// `PR 2`.
    pub(crate) deploy: Option<String>,
    pub(crate) cause: String,
    pub(crate) confidence: f64,
    pub(crate) evidence: Vec<ClaimView>,
    pub(crate) recommendations: Vec<ClaimView>,
    pub(crate) dropped_claims: u32,
    pub(crate) dropped: Vec<DroppedView>,
    pub(crate) split: SplitView,
    pub(crate) ledger: LedgerVerdict,
    pub(crate) agrees: bool,
}

/// Something that happened in an inquiry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum HappenedView {
    /// Something was looked up.
    LookedUp {
        round: u32,
        number: u32,
        name: String,
        /// `key=prod-frontend days=14`.
        arguments: String,
        /// What was found, in one line.
        line: String,
        took_ms: f64,
        failed: bool,
        /// The page that shows the same, after the project's address.
        page: String,
    },
    /// Something was said.
    Said {
        round: u32,
        text: String,
        /// By us and not by the model.
        is_remark: bool,
    },
}

/// A question that a model answers by looking things up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InquiryView {
    pub(crate) id: String,
    pub(crate) state: WorkState,
    pub(crate) asked_at: Timestamp,
    pub(crate) asked_by: String,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) model: Option<String>,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) rounds: u32,
    pub(crate) happened: Vec<HappenedView>,
    pub(crate) verdict: Option<VerdictView>,
    pub(crate) error: Option<String>,
    /// Of some of what was said only the beginning is here.
    pub(crate) is_cut: bool,
}

impl InquiryView {
    /// Which model was asked and what that cost, as far as it is known.
    pub(crate) fn asked_at_cost(&self) -> Option<String> {
        let model = self.model.as_deref()?;
        Some(match self.cost {
            Some(cost) => format!("{model}, {}", cost.to_short()),
            None => model.to_owned(),
        })
    }

    /// How often something was looked up.
    pub(crate) fn look_ups(&self) -> usize {
        self.happened
            .iter()
            .filter(|one| matches!(one, HappenedView::LookedUp { .. }))
            .count()
    }
}

#[cfg(feature = "ssr")]
mod reading {
    use domain::filter::percent_encode;
    use domain::inquiry::arguments_in_words;
    use domain::{InquiryEventKind, ProjectId};
    use serde_json::Value;
    use storage::Snapshot;
    use storage::inquiries::{self, Inquiry, InquiryEvent};
    use uuid::Uuid;

    use super::{HappenedView, InquiryView, SHOWN_BYTES, SHOWN_BYTES_OF_ONE, VerdictView};

    fn number(data: &Value, name: &str) -> u32 {
        data[name]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0)
    }

    fn text(data: &Value, name: &str) -> String {
        data[name].as_str().unwrap_or_default().to_owned()
    }

    /// The page that shows what a tool reads.
    fn page_of(name: &str, arguments: &Value) -> String {
        let below = |page: &str, argument: &str| match arguments[argument].as_str() {
            Some(id) => format!("{page}/{}", percent_encode(id)),
            None => page.to_owned(),
        };
        match name {
            "get_run" | "get_step" => below("runs", "run_id"),
            "list_runs" => "runs".to_owned(),
            "get_incident" | "find_similar_incidents" => below("incidents", "incident"),
            "list_incidents" => "incidents".to_owned(),
            "get_deploys_in_window"
            | "diff_prompt_model_mix"
            | "get_fingerprint_diff"
            | "fetch_pr_diff"
            | "fetch_file"
            | "list_recent_prs" => "deploys".to_owned(),
            "forecast" => "settings/budgets".to_owned(),
            _ => String::new(),
        }
    }

    fn happened(event: &InquiryEvent) -> Option<HappenedView> {
        let data = &event.data;
        match event.kind {
            InquiryEventKind::Tool => Some(HappenedView::LookedUp {
                round: number(data, "round"),
                number: number(data, "number"),
                name: text(data, "name"),
                arguments: arguments_in_words(&data["arguments"]),
                line: text(data, "line"),
                took_ms: data["took_ms"].as_f64().unwrap_or(0.0),
                failed: data["failed"] == true,
                page: page_of(data["name"].as_str().unwrap_or_default(), &data["arguments"]),
            }),
            InquiryEventKind::Text => Some(HappenedView::Said {
                round: number(data, "round"),
                text: text(data, "text"),
                is_remark: data["by"] != "model",
            }),
            InquiryEventKind::Verdict | InquiryEventKind::Error => None,
        }
    }

    /// Cuts what was said to what is left to be shown. Returns whether something was cut.
    fn cut(happened: &mut [HappenedView], left: &mut usize) -> bool {
        let mut is_cut = false;
        for one in happened {
            let HappenedView::Said { text, .. } = one else {
                continue;
            };
            let end = text.floor_char_boundary(SHOWN_BYTES_OF_ONE.min(*left));
            is_cut |= end < text.len();
            text.truncate(end);
            *left -= end;
        }
        is_cut
    }

    /// An inquiry as a page shows it, of whose texts so many bytes are left to be shown.
    pub(crate) fn view(inquiry: &Inquiry, events: &[InquiryEvent], left: &mut usize) -> InquiryView {
        use serde::Deserialize as _;

        let mut all: Vec<HappenedView> = events.iter().filter_map(happened).collect();
        let is_cut = cut(&mut all, left);
        let last = |kind: InquiryEventKind| events.iter().rev().find(|event| event.kind == kind);
        InquiryView {
            id: inquiry.id.to_string(),
            state: inquiry.state,
            asked_at: inquiry.asked_at,
            asked_by: inquiry.asked_by.clone(),
            finished_at: inquiry.finished_at,
            model: inquiry.model.clone(),
            cost: inquiry.cost,
            rounds: events
                .iter()
                .map(|event| number(&event.data, "round"))
                .max()
                .unwrap_or(0),
            happened: all,
            verdict: last(InquiryEventKind::Verdict)
                .and_then(|event| VerdictView::deserialize(&event.data).ok()),
            error: last(InquiryEventKind::Error).map(|event| text(&event.data, "message")),
            is_cut,
        }
    }

    /// The latest investigation of an incident.
    pub(crate) async fn investigation(
        snapshot: &mut Snapshot,
        project: ProjectId,
        incident: Uuid,
    ) -> storage::Result<Option<InquiryView>> {
        let Some(inquiry) = inquiries::latest_of_incident(snapshot, project, incident).await? else {
            return Ok(None);
        };
        let events = inquiries::shown_events(snapshot, project, inquiry.id, 0).await?;
        let mut left = SHOWN_BYTES;
        Ok(Some(view(&inquiry, &events, &mut left)))
    }
}

#[cfg(feature = "ssr")]
pub(crate) use reading::investigation;

/// A chat in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedChat {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) updated_at: Timestamp,
}

/// A question and how it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChatMessage {
    pub(crate) question: String,
    pub(crate) inquiry: InquiryView,
    /// What was read of the picture of a bill that was sent.
    pub(crate) bill: Option<BillView>,
}

/// A chat that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenChat {
    pub(crate) id: String,
    /// The page that it was begun on, after the project's address.
    pub(crate) page: String,
    /// The earliest first.
    pub(crate) messages: Vec<ChatMessage>,
    /// Earlier ones are not here, or only the beginning of some.
    pub(crate) is_cut: bool,
}

/// What the page of chats shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChatsView {
    /// The latest first.
    pub(crate) chats: Vec<ListedChat>,
    /// The one that is asked for; `None` for a new one.
    pub(crate) open: Option<OpenChat>,
    /// Whether a model is chosen that answers.
    pub(crate) has_model: bool,
}

/// The chats of a project, and one of them where `chat` is its id.
#[server(prefix = "/ui", endpoint = "chats/read", input = Json)]
pub(crate) async fn read_chats(slug: String, chat: String) -> Result<ChatsView, ApiError> {
    use storage::inquiries::Subject;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let db = crate::context::database()?;
    let has_model = storage::models::choice(&db, project, domain::Feature::Chat)
        .await?
        .is_some();
    let mut snapshot = db.snapshot(project).await?;
    let chats = storage::chats::list(&mut snapshot, project, MAX_CHATS)
        .await?
        .into_iter()
        .map(|chat| ListedChat {
            id: chat.id.to_string(),
            title: chat.title,
            updated_at: chat.updated_at,
        })
        .collect();
    let open = if chat.is_empty() {
        None
    } else {
        let id = chat.parse().map_err(|_no_id| ApiError::NotFound)?;
        let found = storage::chats::get(&mut snapshot, project, id).await?;
        let asked = storage::inquiries::of_chat(&mut snapshot, project, id, MAX_QUESTIONS + 1).await?;
        let ids: Vec<_> = asked.iter().map(|inquiry| inquiry.id).collect();
        let mut bills = storage::bills::of(&mut snapshot, project, &ids).await?;
        let (mut messages, mut left) = (Vec::new(), SHOWN_BYTES);
        // What was said last is what is read.
        for inquiry in asked.iter().rev().take(MAX_QUESTIONS as usize) {
            if left == 0 {
                break;
            }
            let events = storage::inquiries::shown_events(&mut snapshot, project, inquiry.id, 0).await?;
            if let Subject::Chat { question, .. } = &inquiry.subject {
                let bill = bills.iter().position(|bill| bill.inquiry_id == inquiry.id);
                messages.push(ChatMessage {
                    question: question.clone(),
                    inquiry: reading::view(inquiry, &events, &mut left),
                    bill: bill.map(|place| bills.swap_remove(place).into()),
                });
            }
        }
        messages.reverse();
        Some(OpenChat {
            id: chat,
            page: found.page,
            is_cut: messages.len() < asked.len() || messages.iter().any(|message| message.inquiry.is_cut),
            messages,
        })
    };
    Ok(ChatsView {
        chats,
        open,
        has_model,
    })
}
