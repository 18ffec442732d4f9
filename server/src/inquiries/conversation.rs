//! What happened in an inquiry, as a model has to be told of it.

use domain::InquiryEventKind;
use serde_json::Value;

use crate::models::fence::fenced;
use crate::models::{Message, Part, Role};
use crate::tools::MAX_CONTENT_BYTES;

/// How much of all answers a request brings along, in bytes; of the oldest ones only their line.
const MAX_ANSWERS_BYTES: usize = 110_000;

/// What happened in earlier rounds, as the model has to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happened {
    /// The model said something.
    Said { round: u32, text: String },
    /// It looked something up.
    LookedUp(LookUp),
}

/// A look-up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LookUp {
    pub(super) round: u32,
    /// What it is cited by, from 1 on.
    pub(super) number: u32,
    /// The model's id of the call.
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) arguments: Value,
    /// In one line, for people.
    pub(super) line: String,
    /// What the tool answered, as the model read it.
    pub(super) content: String,
    pub(super) failed: bool,
}

fn number(data: &Value, name: &str) -> u32 {
    data[name]
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(0)
}

fn text(data: &Value, name: &str) -> String {
    data[name].as_str().unwrap_or_default().to_owned()
}

impl Happened {
    /// An event as it is stored; `None` for what the model has no part in.
    pub(super) fn of(kind: InquiryEventKind, data: &Value) -> Option<Self> {
        match kind {
            InquiryEventKind::Text if data["by"] == "model" => Some(Self::Said {
                round: number(data, "round"),
                text: text(data, "text"),
            }),
            InquiryEventKind::Tool => Some(Self::LookedUp(LookUp {
                round: number(data, "round"),
                number: number(data, "number"),
                call_id: text(data, "call_id"),
                name: text(data, "name"),
                arguments: data["arguments"].clone(),
                line: text(data, "line"),
                content: text(data, "content"),
                failed: data["failed"] == true,
            })),
            _ => None,
        }
    }

    pub(super) const fn round(&self) -> u32 {
        match self {
            Self::Said { round, .. } => *round,
            Self::LookedUp(look_up) => look_up.round,
        }
    }
}

/// What happened, as a conversation: of each round what the model said and asked, then what it was answered.
pub(super) fn conversation(happened: &[Happened]) -> Vec<Message> {
    let mut left = MAX_ANSWERS_BYTES;
    // The latest answers are kept whole.
    let is_whole: Vec<bool> = happened
        .iter()
        .rev()
        .map(|one| match one {
            Happened::LookedUp(look_up) if look_up.content.len() <= left => {
                left -= look_up.content.len();
                true
            }
            Happened::LookedUp(_) => {
                left = 0;
                false
            }
            Happened::Said { .. } => true,
        })
        .collect();
    let mut messages: Vec<Message> = Vec::new();
    let mut answers: Vec<Part> = Vec::new();
    let mut round = None;
    for (one, is_whole) in happened.iter().zip(is_whole.into_iter().rev()) {
        if round != Some(one.round()) {
            round = Some(one.round());
            if !answers.is_empty() {
                messages.push(Message {
                    role: Role::User,
                    parts: std::mem::take(&mut answers),
                });
            } else if messages.last().is_some_and(|last| last.role == Role::Assistant) {
                // It asked for nothing and was asked to go on.
                messages.push(Message::text(Role::User, "Go on."));
            }
            messages.push(Message {
                role: Role::Assistant,
                parts: Vec::new(),
            });
        }
        let Some(turn) = messages.last_mut() else { continue };
        match one {
            Happened::Said { text, .. } => turn.parts.push(Part::Text(text.clone())),
            Happened::LookedUp(look_up) => {
                turn.parts.push(Part::Call {
                    id: look_up.call_id.clone(),
                    name: look_up.name.clone(),
                    arguments: look_up.arguments.clone(),
                });
                let content = if is_whole {
                    fenced(&look_up.name, &look_up.content, MAX_CONTENT_BYTES + 200)
                } else {
                    format!(
                        "{} (left out here to save room; look it up again if you need it)",
                        look_up.line
                    )
                };
                answers.push(Part::Answer {
                    id: look_up.call_id.clone(),
                    name: look_up.name.clone(),
                    content: format!("Look-up {}:\n{content}", look_up.number),
                    failed: look_up.failed,
                });
            }
        }
    }
    if !answers.is_empty() {
        messages.push(Message {
            role: Role::User,
            parts: answers,
        });
    }
    messages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look_up(round: u32, number: u32, bytes: usize) -> Happened {
        Happened::LookedUp(LookUp {
            round,
            number,
            call_id: format!("c{number}"),
            name: "query_daily_cost".to_owned(),
            arguments: json!({}),
            line: format!("line {number}"),
            content: "x".repeat(bytes),
            failed: false,
        })
    }

    #[test]
    fn what_happened_is_a_conversation_in_turns() {
        let said = |round, text: &str| Happened::Said {
            round,
            text: text.to_owned(),
        };
        let happened = [
            said(1, "I look"),
            look_up(1, 1, 10),
            look_up(1, 2, 10),
            said(2, "Hm"),
            look_up(3, 3, 10),
        ];
        let turns: Vec<(Role, usize)> = conversation(&happened)
            .iter()
            .map(|message| (message.role, message.parts.len()))
            .collect();
        let expected = [
            (Role::Assistant, 3),
            (Role::User, 2),
            (Role::Assistant, 1),
            (Role::User, 1),
            (Role::Assistant, 1),
            (Role::User, 1),
        ];
        assert_eq!(turns, expected);
        assert!(conversation(&[]).is_empty());
    }

    #[test]
    fn the_oldest_answers_give_way_to_the_latest() {
        let happened: Vec<Happened> = (1..=10).map(|n| look_up(n, n, 20_000)).collect();
        let messages = conversation(&happened);
        let contents: Vec<String> = messages
            .iter()
            .flat_map(|message| &message.parts)
            .filter_map(|part| match part {
                Part::Answer { content, .. } => Some(content.clone()),
                _ => None,
            })
            .collect();
        assert!(contents.iter().map(String::len).sum::<usize>() < MAX_ANSWERS_BYTES + 10_000);
        assert!(contents[0].contains("line 1 (left out here"), "{}", contents[0]);
        assert!(contents[9].contains("⟦data query_daily_cost⟧") && contents[9].len() > 20_000);
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let data = json!({ "round": 2, "number": 3, "call_id": "c3", "name": "query_daily_cost", "arguments": {},
            "line": "line 3", "content": "xxx", "failed": false });
        assert_eq!(
            Happened::of(InquiryEventKind::Tool, &data),
            Some(look_up(2, 3, 3))
        );
        let remark = json!({ "round": 1, "text": "The server restarted", "by": "plumbline" });
        assert_eq!(Happened::of(InquiryEventKind::Text, &remark), None);
    }
}
