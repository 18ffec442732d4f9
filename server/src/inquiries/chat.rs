//! A question in a chat: what the model is told of the page and of what was said before.

use domain::{Feature, OwnRunKind};
use storage::{bills, chats};
use uuid::Uuid;

use super::agent::{self, Ended, Task};
use super::conversation::Happened;
use super::{Inquiries, Journal, Stop, bill};
use crate::clock;
use crate::models::fence::{FENCE_RULE, fenced};
use crate::models::{Message, OwnRun, Role};
use crate::tools::TOOLS;

/// Questions before this one that the model is told of, and how much of each answer, in bytes.
const MAX_BEFORE: u32 = 12;
const MAX_ANSWER_BYTES: usize = 6_000;

/// What the page is that a question is asked on.
const PAGE: &str = "The page is an address in the project: \"runs/ID\" shows that run and \"incidents/ID\" that incident (IDs \
are percent-encoded there), \"?from=…&to=…\" shows the costs of that time with the filters key, model, step and \
environment, and an empty one shows those of the last 30 days. \"This\" in a question means what the page shows.";

const TASK: &str = "You answer questions about one project of Plumbline, which records what software spends on calls to \
language models. Look up what you need with the tools; do not guess figures. Answer in a few plain sentences without \
markup, and put the number of the look-up that a figure comes from after it in square brackets, such as [2]. Say so when \
the data does not answer the question. You can only read: you change nothing.";

/// Answers a question.
pub(super) async fn reply(
    inquiries: &Inquiries,
    journal: &Journal<'_>,
    chat_id: Uuid,
    question: &str,
) -> Result<(), Stop> {
    let project = journal.taken.project_id;
    let mut snapshot = inquiries.toolbox.db.snapshot(project).await?;
    let chat = match chats::get(&mut snapshot, project, chat_id).await {
        Ok(chat) => chat,
        Err(storage::Error::NotFound) => return Err(Stop::LeaseLost),
        Err(other) => return Err(other.into()),
    };
    if let Some(reading) = bills::reading(&mut snapshot, project, journal.taken.inquiry.id).await? {
        drop(snapshot);
        return bill::read(inquiries, journal, chat_id, reading).await;
    }
    let before = storage::inquiries::of_chat(&mut snapshot, project, chat_id, MAX_BEFORE + 1).await?;
    let ids: Vec<Uuid> = before.iter().map(|earlier| earlier.id).collect();
    let read_bills = bills::of(&mut snapshot, project, &ids).await?;
    let mut opening = Vec::new();
    for earlier in before
        .iter()
        .filter(|earlier| earlier.id != journal.taken.inquiry.id)
    {
        let storage::inquiries::Subject::Chat { question, .. } = &earlier.subject else {
            continue;
        };
        let events = storage::inquiries::shown_events(&mut snapshot, project, earlier.id, 0).await?;
        let answer = events
            .iter()
            .rev()
            .find_map(|event| match Happened::of(event.kind, &event.data)? {
                Happened::Said { text, .. } => Some(text),
                Happened::LookedUp(_) => None,
            });
        let of_bill = read_bills
            .iter()
            .find(|read| read.inquiry_id == earlier.id)
            .map(|read| fenced("bill", &bill::in_words(read), MAX_ANSWER_BYTES));
        opening.push(Message::text(Role::User, question.clone()));
        let answer = answer.or(of_bill).unwrap_or_else(|| "(no answer)".to_owned());
        let cut = answer.floor_char_boundary(MAX_ANSWER_BYTES);
        opening.push(Message::text(
            Role::Assistant,
            answer.get(..cut).unwrap_or_default(),
        ));
    }
    drop(snapshot);
    let asked = format!(
        "It is {}. The page that this is asked on: {}\n\n{question}",
        clock::now(),
        fenced("page", &chat.page, 500)
    );
    opening.push(Message::text(Role::User, asked));
    let names: Vec<&'static str> = TOOLS.iter().map(|tool| tool.name).collect();
    let task = Task {
        feature: Feature::Chat,
        run: OwnRun::about(OwnRunKind::Chat, chat_id),
        system: format!("{TASK}\n\n{PAGE}\n\n{FENCE_RULE}"),
        opening,
        submit: None,
        may_call: &names,
    };
    let mut happened = agent::stored(inquiries, journal).await?;
    match agent::work(inquiries, journal, &task, &mut happened).await? {
        Ended::Said | Ended::Submitted(..) => Ok(()),
        Ended::OutOfRounds => Err(Stop::Impossible(format!(
            "There was no answer within {} rounds; ask for less at a time",
            agent::MAX_ROUNDS
        ))),
    }
}
