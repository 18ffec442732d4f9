//! A step on its way, as it lies in the spool.

use domain::{KeyId, NewStep, ProjectId, Timestamp};
use engine::StepFacts;
use engine::redaction::Hidden;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::pipeline::Submission;
use crate::proxy::capture::Reservation;
use crate::proxy::exchange::Exchange;
use crate::proxy::step::step_of;
use crate::proxy::unfinished::PendingCall;

/// A step, whose it is, and when it was received.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) project_id: ProjectId,
    pub(super) key_label: String,
    pub(super) key_id: Option<KeyId>,
    pub(super) received_at: Timestamp,
    pub(super) step: NewStep,
    /// What was hidden in it on its way into the spool.
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    pub(super) hidden: Hidden,
    /// What it still takes of the memory for copies, and that it is still to be kept; nothing of it is spooled.
    #[serde(skip)]
    _held: Option<(Reservation, PendingCall)>,
}

impl Record {
    pub(super) fn of(exchange: Exchange) -> Self {
        let mut held = exchange.held.another();
        let step = step_of(&exchange, &mut held);
        let mut record = Self {
            project_id: exchange.caller.project_id,
            key_label: exchange.caller.key_label,
            key_id: exchange.caller.key_id,
            received_at: step.ended_at.unwrap_or(step.started_at),
            step,
            hidden: Hidden::default(),
            _held: None,
        };
        // The copies go with the exchange; the texts that were read from them stay.
        held.set_to(record.bytes());
        record._held = Some((held, exchange.pending));
        record
    }

    /// What its texts take in memory.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.step.input, &self.step.output, &self.step.error];
        texts.into_iter().flatten().map(String::len).sum()
    }

    /// As it lies in the spool. One that is too large for it goes without its texts.
    pub(super) fn fit_bytes(&mut self) -> Vec<u8> {
        let bytes = self.json();
        if bytes.len() <= spool::MAX_RECORD_BYTES {
            return bytes;
        }
        for (text, attribute) in [
            (self.step.input.take(), StepFacts::INPUT_NOT_KEPT),
            (self.step.output.take(), StepFacts::OUTPUT_NOT_KEPT),
        ] {
            if text.is_some() {
                self.step.attributes.insert(attribute.to_owned(), true.into());
            }
        }
        self.json()
    }

    fn json(&self) -> Vec<u8> {
        // There is no map with keys that are no texts, and no number that is none: it never fails.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Steps on their way into the database together.
pub(super) struct Sent {
    /// Which they are.
    pub(super) step_ids: Vec<String>,
    pub(super) submission: Submission,
}

/// The records as the pipeline takes them: one submission for each label and minute, because the ledger is kept so. What
/// a defect makes of several is not final: each is then written alone.
pub(super) fn submissions(records: &[Record]) -> Vec<Sent> {
    let is_final = records.len() == 1;
    let mut groups: Vec<(&Record, Vec<NewStep>, Vec<Hidden>)> = Vec::new();
    for record in records {
        let account = |record: &Record| (record.project_id, record.received_at.minute());
        let group = groups
            .iter_mut()
            .find(|(first, _, _)| account(first) == account(record) && first.key_label == record.key_label);
        match group {
            Some((_, steps, hidden)) => {
                steps.push(record.step.clone());
                hidden.push(record.hidden.clone());
            }
            None => groups.push((record, vec![record.step.clone()], vec![record.hidden.clone()])),
        }
    }
    groups
        .into_iter()
        .map(|(first, steps, hidden)| {
            let caller = Caller {
                project_id: first.project_id,
                key_label: first.key_label.clone(),
                key_id: first.key_id,
            };
            Sent {
                step_ids: steps.iter().map(|step| step.step_id.clone()).collect(),
                submission: Submission::repeated(&caller, first.received_at, steps, is_final)
                    .with_hidden(hidden),
            }
        })
        .collect()
}
