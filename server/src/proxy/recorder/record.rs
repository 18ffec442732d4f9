//! A step on its way, as it lies in the spool.

use domain::{KeyId, NewStep, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::pipeline::Submission;
use crate::proxy::call::Exchange;
use crate::proxy::capture::Held;
use crate::proxy::recorder::Pending;
use crate::proxy::step::step_of;

/// A step, whose it is, and when it was received.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) project_id: ProjectId,
    pub(super) key_label: String,
    pub(super) key_id: Option<KeyId>,
    pub(super) received_at: Timestamp,
    pub(super) step: NewStep,
    /// What it still takes of the memory for copies, and that it is still to be kept; nothing of it is spooled.
    #[serde(skip)]
    pub(super) _held: Option<(Held, Pending)>,
}

impl Record {
    pub(super) fn of(exchange: Exchange) -> Self {
        let step = step_of(&exchange);
        Self {
            project_id: exchange.caller.project_id,
            key_label: exchange.caller.key_label,
            key_id: exchange.caller.key_id,
            received_at: step.ended_at.unwrap_or(step.started_at),
            step,
            _held: Some((exchange.held, exchange.pending)),
        }
    }

    /// As it lies in the spool. One that is too large for it goes without its texts.
    pub(super) fn fit_bytes(&mut self) -> Vec<u8> {
        let bytes = self.json();
        if bytes.len() <= spool::MAX_RECORD_BYTES {
            return bytes;
        }
        for (text, attribute) in [
            (self.step.input.take(), "input_not_kept"),
            (self.step.output.take(), "output_not_kept"),
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

/// The records as the pipeline takes them: one submission for each label and minute, because the books are kept so.
pub(super) fn submissions(records: &[Record]) -> Vec<Submission> {
    let mut groups: Vec<(&Record, Vec<NewStep>)> = Vec::new();
    for record in records {
        let account = |record: &Record| (record.project_id, record.received_at.minute());
        let group = groups
            .iter_mut()
            .find(|(first, _)| account(first) == account(record) && first.key_label == record.key_label);
        match group {
            Some((_, steps)) => steps.push(record.step.clone()),
            None => groups.push((record, vec![record.step.clone()])),
        }
    }
    groups
        .into_iter()
        .map(|(first, steps)| {
            let caller = Caller {
                project_id: first.project_id,
                key_label: first.key_label.clone(),
                key_id: first.key_id,
            };
            Submission::new(&caller, first.received_at, steps, Vec::new())
        })
        .collect()
}
