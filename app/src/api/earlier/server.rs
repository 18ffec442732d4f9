//! What of a step's earlier calls is read and worked out.

use std::io::{self, Write};

use domain::{ProjectId, Severity, StepStatus};
use serde_json::Value;
use storage::Snapshot;
use storage::steps::calls::{self, CallTexts, StepCall, Wanted};

use super::{ComparedText, ComparedTexts, EarlierCall, EarlierCalls, GoodCall};
use crate::api::prompts::diff::lines_in_turn;
use crate::error::ApiError;
use crate::payload::chat::{self, Message, Part};
use crate::payload::state_diff;

/// Earlier calls that are drawn.
const MAX_CALLS: u32 = 59;
/// What of a text is read, in characters: a conversation can only be read whole.
const READ_CHARS: i32 = 1024 * 1024;
/// What of it is compared, in bytes.
const COMPARED_BYTES: usize = 128 * 1024;
/// Lines that are shown of a comparison: each is an element of the page.
const MAX_LINES: usize = 400;

pub(super) async fn earlier_calls(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_id: &str,
    compared: Option<ComparedText>,
) -> Result<EarlierCalls, ApiError> {
    let own = calls::call(snapshot, project, run_id, step_id).await?;
    let mut found = calls::calls_before(snapshot, project, &own, Wanted::All, MAX_CALLS).await?;
    let good = match found.iter().find(|call| !is_bad(call)) {
        Some(good) => Some(good.clone()),
        None => calls::calls_before(snapshot, project, &own, Wanted::Good, 1)
            .await?
            .pop(),
    };
    found.reverse();
    let clean: Vec<&StepCall> = found
        .iter()
        .filter(|call| call.status == StepStatus::Ok && call.severity == Severity::Ok)
        .collect();
    // Microseconds, so that short calls are no zeros.
    let latencies = clean
        .iter()
        .filter_map(|call| call.latency_ms)
        .map(|ms| (ms * 1_000.0) as i64);
    let latency_band = engine::usual_band(latencies).map(|mut band| {
        band.low /= 1_000.0;
        band.high /= 1_000.0;
        band
    });
    let output_band = engine::usual_band(clean.iter().filter_map(|call| call.tokens.output));
    let cost_band = engine::usual_band(clean.iter().filter_map(|call| call.cost).map(|cost| cost.0));
    let is_own_bad = own.status == StepStatus::Error || own.severity == Severity::Critical;
    let which = compared.or_else(|| is_own_bad.then_some(ComparedText::Output));
    let texts = match (&good, which) {
        (Some(good), Some(which)) => {
            let before = calls::call_texts(snapshot, project, good, READ_CHARS).await?;
            let after = calls::call_texts(snapshot, project, &own, READ_CHARS).await?;
            Some(compare(which, before, after).await)
        }
        _ => None,
    };
    found.push(own);
    Ok(EarlierCalls {
        calls: found.iter().map(drawn).collect(),
        latency_band,
        output_band,
        cost_band,
        good: good.map(|call| GoodCall {
            run_id: call.run_id,
            step_id: call.step_id,
            started_at: call.started_at,
        }),
        texts,
    })
}

/// Whether a call is none to compare with: as [`Wanted::Good`] has it.
fn is_bad(call: &StepCall) -> bool {
    call.status != StepStatus::Ok || call.severity == Severity::Critical
}

fn drawn(call: &StepCall) -> EarlierCall {
    EarlierCall {
        latency_ms: call.latency_ms,
        output_tokens: call.tokens.output,
        cost: call.cost,
        is_bad: call.status == StepStatus::Error || call.severity == Severity::Critical,
    }
}

async fn compare(which: ComparedText, before: CallTexts, after: CallTexts) -> ComparedTexts {
    // What a call failed with stands where its answer would.
    let text = |texts: CallTexts| match which {
        ComparedText::Input => texts.input,
        ComparedText::Output => texts.output.or(texts.error),
    };
    let (before, after) = (text(before), text(after));
    let values = match (&before, &after) {
        (Some(before), Some(after)) => values(before, after),
        _ => None,
    };
    let has_texts = (before.is_some(), after.is_some());
    let mut is_cut = false;
    let mut comparable = |text: Option<String>| {
        let mut text = text.map(|text| readable(&text)).unwrap_or_default();
        is_cut |= text.len() > COMPARED_BYTES;
        text.truncate(text.floor_char_boundary(COMPARED_BYTES));
        text.shrink_to_fit();
        text
    };
    let (before, after) = (comparable(before), comparable(after));
    let mut lines = lines_in_turn(before, after).await;
    is_cut |= lines.len() > MAX_LINES;
    lines.truncate(MAX_LINES);
    ComparedTexts {
        which,
        lines,
        has_texts,
        values,
        is_cut,
    }
}

/// How many values of two JSON texts differ, and how many are the same.
fn values(before: &str, after: &str) -> Option<(usize, usize)> {
    Some(state_diff::count(&structured(before)?, &structured(after)?))
}

fn structured(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

/// A text whose lines can be compared: a conversation as it is read, JSON over several lines, any other as it is.
fn readable(text: &str) -> String {
    if let Some(messages) = chat::parse(text) {
        return messages.iter().map(said).collect();
    }
    structured(text).map_or_else(
        || text.to_owned(),
        |value| {
            let mut beginning = Beginning(Vec::new());
            // Ends with an error where it is full: no more of it is compared.
            serde_json::to_writer_pretty(&mut beginning, &value).ok();
            String::from_utf8_lossy(&beginning.0).into_owned()
        },
    )
}

/// Takes what is compared of a text and little more: enough to see that it goes on. Deeply nested JSON is over a hundred
/// times as long when it is indented.
struct Beginning(Vec<u8>);

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() > COMPARED_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn said(message: &Message) -> String {
    let mut text = format!("{}:\n", message.role);
    for part in &message.parts {
        match part {
            Part::Text(said) | Part::Thinking(said) | Part::Result(said) | Part::Unknown(said) => {
                text.push_str(said);
            }
            Part::Call { name, arguments } => {
                text.push_str("calls ");
                text.push_str(name);
                text.push(' ');
                text.push_str(arguments);
            }
            Part::Media(kind) => {
                text.push('[');
                text.push_str(kind);
                text.push(']');
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_and_json_are_compared_as_they_are_read() {
        let check = |text: &str, expected: &str| assert_eq!(readable(text), expected);
        check("plain", "plain");
        check(r#"{"a":1}"#, "{\n  \"a\": 1\n}");
        check("7", "7");
        check(
            r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi\nthere"}]"#,
            "system:\nBe brief.\nuser:\nHi\nthere\n",
        );
    }

    #[test]
    fn values_of_json_are_counted() {
        let check = |before: &str, after: &str, expected: Option<(usize, usize)>| {
            assert_eq!(values(before, after), expected, "{before} {after}");
        };
        check(r#"{"a":1,"b":2}"#, r#"{"b":3,"a":1}"#, Some((1, 1)));
        check(r#"{"a":1}"#, r#"{"a":1"#, None);
        check("1", "2", None);
        check("[1,[2,3]]", "[1,[2,4,5]]", Some((2, 2)));
    }

    #[test]
    fn nested_json_is_not_indented_further_than_it_is_compared() {
        let nested = format!(
            "{}{}{}",
            "[".repeat(120),
            vec!["1"; 300_000].join(","),
            "]".repeat(120)
        );
        let read = readable(&nested);
        assert!(
            read.len() > COMPARED_BYTES && read.len() < 2 * COMPARED_BYTES,
            "{}",
            read.len()
        );
        // Nor does a key of half a text stand before each of the values below it.
        let long = format!(
            "{{\"{}\":[{}]}}",
            "k".repeat(500_000),
            vec!["1"; 250_000].join(",")
        );
        assert_eq!(values(&long, &long), Some((0, 250_000)));
    }

    #[tokio::test]
    async fn a_failure_stands_where_the_answer_would() {
        let texts = |output: Option<&str>, error: Option<&str>| CallTexts {
            input: None,
            output: output.map(str::to_owned),
            error: error.map(str::to_owned),
        };
        let compared = compare(
            ComparedText::Output,
            texts(Some("fine"), None),
            texts(None, Some("429")),
        )
        .await;
        assert_eq!(compared.has_texts, (true, true));
        assert_eq!(compared.lines.len(), 2, "{:?}", compared.lines);
        let long = texts(Some(&"a\n".repeat(5_000)), None);
        let cut = compare(ComparedText::Output, texts(None, None), long).await;
        assert!(cut.is_cut && cut.lines.len() == MAX_LINES);
        let inputs = compare(ComparedText::Input, texts(None, None), texts(None, None)).await;
        assert_eq!((inputs.has_texts, inputs.lines.len()), ((false, false), 0));
    }
}
