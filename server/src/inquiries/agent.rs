//! The loop of an agent: ask the model, look up what it wants to know, ask again, a bounded number of rounds. It begins
//! where what is stored ends, so that a restart costs the round that was under way.

use domain::{Feature, InquiryEventKind};
use serde_json::{Value, json};
use storage::inquiries;
use tokio::time::Instant;

use super::conversation::{Happened, LookUp, conversation};
use super::{Inquiries, Journal, Stop};
use crate::clock;
use crate::models::{self, Message, OwnRun, Part, Request, Role, Stop as Stopped, Tool};
use crate::tools::{TOOLS, ToolError};

/// The most rounds of an inquiry.
pub(super) const MAX_ROUNDS: u32 = 14;
/// The most look-ups of one round.
const MAX_CALLS: usize = 8;
const MAX_OUTPUT_TOKENS: u32 = 4_000;
/// How much of what a model says between look-ups is kept, in characters.
const MAX_TEXT_CHARS: usize = 8_000;

/// What an agent is to do.
pub(super) struct Task<'a> {
    pub(super) feature: Feature,
    pub(super) run: OwnRun,
    pub(super) system: String,
    /// What was said before its first round.
    pub(super) opening: Vec<Message>,
    /// By calling which the answer is given; without one the answer is what it says last.
    pub(super) submit: Option<Tool>,
    /// Tools that it may call.
    pub(super) may_call: &'a [&'static str],
}

/// How it ended.
pub(super) enum Ended {
    /// It called [`Task::submit`] with these arguments.
    Submitted(Value),
    /// It said something and asked for nothing more.
    Said,
    /// It had no rounds left.
    OutOfRounds,
}

/// What is stored of an inquiry.
pub(super) async fn stored(inquiries: &Inquiries, journal: &Journal<'_>) -> Result<Vec<Happened>, Stop> {
    let taken = journal.taken;
    let mut snapshot = inquiries.toolbox.db.snapshot(taken.project_id).await?;
    let events = inquiries::events(&mut snapshot, taken.project_id, taken.inquiry.id, 0).await?;
    Ok(events
        .iter()
        .filter_map(|event| Happened::of(event.kind, &event.data))
        .collect())
}

/// Lets the model work at a task. `happened` is what is stored, and what happens is added to it.
pub(super) async fn work(
    inquiries: &Inquiries,
    journal: &Journal<'_>,
    task: &Task<'_>,
    happened: &mut Vec<Happened>,
) -> Result<Ended, Stop> {
    let first = happened.iter().map(Happened::round).max().unwrap_or(0) + 1;
    if first > 1 && journal.taken.inquiry.attempts > 1 {
        let look_ups = happened
            .iter()
            .filter(|one| matches!(one, Happened::LookedUp(_)))
            .count();
        let look_ups = domain::text::counted(look_ups as i64, "look-up");
        journal
            .remark(
                first,
                &format!("The server restarted; it goes on after {look_ups}."),
            )
            .await?;
    }
    let mut must_submit = false;
    for round in first..=MAX_ROUNDS {
        let is_last = round == MAX_ROUNDS;
        let request = request(task, happened, is_last, must_submit);
        let project = journal.taken.project_id;
        let called = models::call(
            &inquiries.models,
            project,
            task.feature,
            &task.run,
            &request,
            &|_part| {},
        );
        let reply = Box::pin(called).await?;
        inquiries::add_cost(&inquiries.toolbox.db, journal.taken, &reply.model, reply.cost()).await?;
        let said: String = reply.text().trim().chars().take(MAX_TEXT_CHARS).collect();
        if !said.is_empty() {
            let data = json!({ "round": round, "text": said, "by": "model" });
            journal.note(InquiryEventKind::Text, data).await?;
            happened.push(Happened::Said {
                round,
                text: said.clone(),
            });
        }
        if reply.stop == Stopped::Refused && said.is_empty() {
            return Err(Stop::Impossible(
                "The model does not want to answer this".to_owned(),
            ));
        }
        let submitted = task
            .submit
            .as_ref()
            .and_then(|submit| reply.calls().find(|(_, name, _)| *name == submit.name));
        if let Some((_, _, arguments)) = submitted {
            return Ok(Ended::Submitted(arguments.clone()));
        }
        let mut has_called = false;
        for (id, name, arguments) in reply.calls().take(MAX_CALLS) {
            has_called = true;
            let look_up = look_up(inquiries, journal, task, happened, (round, id, name, arguments)).await?;
            happened.push(Happened::LookedUp(look_up));
        }
        if !has_called && task.submit.is_none() {
            if said.is_empty() {
                return Err(Stop::Impossible("The model said nothing; ask again".to_owned()));
            }
            return Ok(Ended::Said);
        }
        // It thinks it is done and has not said so in the form that is asked for.
        must_submit = !has_called;
    }
    Ok(Ended::OutOfRounds)
}

fn request(task: &Task<'_>, happened: &[Happened], is_last: bool, must_submit: bool) -> Request {
    let mut messages = task.opening.clone();
    messages.extend(conversation(happened));
    if is_last || must_submit {
        let last_words = "Look nothing more up: give your answer now, with what you know.";
        match messages.last_mut() {
            Some(last) if last.role == Role::User => last.parts.push(Part::Text(last_words.to_owned())),
            _ => messages.push(Message::text(Role::User, last_words)),
        }
    }
    let tools = TOOLS
        .iter()
        .filter(|tool| task.may_call.contains(&tool.name))
        .map(|tool| Tool {
            name: tool.name.to_owned(),
            description: tool.description.to_owned(),
            parameters: tool.schema(),
        })
        .chain(task.submit.clone())
        .collect();
    Request {
        system: task.system.clone(),
        messages,
        tools,
        must_call: task
            .submit
            .as_ref()
            .filter(|_| is_last || must_submit)
            .map(|submit| submit.name.clone()),
        max_output_tokens: MAX_OUTPUT_TOKENS,
    }
}

async fn look_up(
    inquiries: &Inquiries,
    journal: &Journal<'_>,
    task: &Task<'_>,
    happened: &[Happened],
    (round, call_id, name, arguments): (u32, &str, &str, &Value),
) -> Result<LookUp, Stop> {
    let begun = Instant::now();
    let project = journal.taken.project_id;
    let answered = if task.may_call.contains(&name) {
        inquiries
            .toolbox
            .call(project, name, arguments, clock::now())
            .await
    } else {
        let names = task.may_call.join(", ");
        Err(ToolError::Asked(format!(
            "There is no such tool; the tools are {names}"
        )))
    };
    let (line, content, failed) = match answered {
        Ok(answer) => (answer.line.clone(), answer.content(), false),
        Err(cause) => (cause.to_string(), cause.to_string(), true),
    };
    let before = happened
        .iter()
        .filter(|one| matches!(one, Happened::LookedUp(_)))
        .count();
    let look_up = LookUp {
        round,
        number: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
        call_id: call_id.to_owned(),
        name: name.chars().take(80).collect(),
        arguments: arguments.clone(),
        line: domain::text::first_line(&line, 400),
        content,
        failed,
    };
    let took_ms = begun.elapsed().as_millis();
    let data = json!({
        "round": round, "number": look_up.number, "call_id": look_up.call_id, "name": look_up.name,
        "arguments": look_up.arguments, "line": look_up.line, "content": look_up.content, "failed": failed,
        "took_ms": u64::try_from(took_ms).unwrap_or(u64::MAX),
    });
    journal.note(InquiryEventKind::Tool, data).await?;
    Ok(look_up)
}

/// Postgres keeps no NUL in JSON.
pub(super) fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), without_nul(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stored_has_a_nul() {
        let clean = without_nul(json!({ "a\u{0}": ["b\u{0}c", 1, { "d": "\u{0}" }] }));
        assert!(!clean.to_string().contains("\\u0000"), "{clean}");
    }
}
