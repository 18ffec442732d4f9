//! Layer 3, shape: the answer does not look like what was asked for.

use std::ops::Range;

use domain::text::{counted, first_line, grouped};

use crate::codes;
use crate::findings::{Evidence, Findings};
use crate::history::StepSamples;
use crate::json_scan::{JsonKind, check_with_keys};
use crate::named_keys::named_keys;
use crate::reading::Reading;
use crate::shape::Shape;
use crate::words::{name_contains, rarely_found};
use crate::{brackets, refusal, repetition};

pub(crate) fn evaluate(reading: &Reading<'_>, samples: Option<&StepSamples>, findings: &mut Findings<'_>) {
    if !reading.facts.has_answer() || reading.trimmed.is_empty() {
        return;
    }
    findings.check(&codes::WORD_COUNT_EXCEEDED, || word_count(reading));
    findings.check(&codes::BRACKET_IMBALANCE, || bracket_imbalance(reading));
    findings.check(&codes::JSON_KEY_MISSING, || json_key_missing(reading));
    findings.check(&codes::OUTPUT_BLOAT_RATIO, || output_bloat(reading));
    findings.check(&codes::PROMPT_OUTPUT_SHAPE_MISMATCH, || shape_mismatch(reading));
    findings.check(&codes::TRUNCATED_TEXT, || truncated_text(reading));
    findings.check(&codes::REPETITION_LOOP, || repetition_loop(reading));
    findings.check(&codes::PLACEHOLDER_LEAK, || placeholder_leak(reading));
    findings.check(&codes::REFUSAL, || refused(reading, samples));
    findings.check(&codes::PROMPT_ECHO, || prompt_echo(reading));
}

fn word_count(reading: &Reading<'_>) -> Option<Evidence> {
    let requested = reading
        .requested
        .max_words
        .filter(|_| !reading.answers_in_json())?;
    let came = reading.trimmed.split_whitespace().count();
    (came > requested).then(|| {
        let (number, verb) = match requested {
            1 => ("One word".to_owned(), "was"),
            2 => ("Two words".to_owned(), "were"),
            3 => ("Three words".to_owned(), "were"),
            n => (counted(n as i64, "word"), "were"),
        };
        Evidence::new(
            format!("{number} {verb} asked for, {} came.", grouped(came as u64)),
            counted(came as i64, "word"),
            format!("at most {}", counted(requested as i64, "word")),
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len())
    })
}

fn bracket_imbalance(reading: &Reading<'_>) -> Option<Evidence> {
    // Brackets inside the strings of valid JSON are data.
    if reading.json.is_ok() {
        return None;
    }
    let counts = brackets::count(reading.output);
    if counts.are_balanced() {
        return None;
    }
    let (message, places) = brackets::describe(reading.output, &counts);
    let [open_curly, close_curly, open_square, close_square] = counts.0;
    let observed = format!("{open_curly} {{ and {close_curly} }}, {open_square} [ and {close_square} ]");
    Some(Evidence::new(message, observed, "as many closed as opened").at_each_byte(&places))
}

fn json_key_missing(reading: &Reading<'_>) -> Option<Evidence> {
    if !reading.requested.json || reading.json != Ok(JsonKind::Object { empty: false }) {
        return None;
    }
    let mut missing = named_keys(&reading.instruction);
    if missing.is_empty() {
        return None;
    }
    let named = missing.join(", ");
    // The output has parsed before, so this walk ends well.
    check_with_keys(reading.trimmed, |key| missing.retain(|wanted| *wanted != key)).ok()?;
    let (first, others) = missing.split_first()?;
    let message = match others.len() {
        0 => format!("The key “{first}” is missing."),
        n => format!("The key “{first}” and {n} more are missing."),
    };
    let evidence = Evidence::new(
        message,
        format!("no {}", first_line(&missing.join(", "), 200)),
        format!("the keys {}", first_line(&named, 200)),
    );
    Some(evidence.at_pointer(String::new()))
}

fn output_bloat(reading: &Reading<'_>) -> Option<Evidence> {
    if !name_contains(reading.facts.step_name, &["classify", "intent", "enum"]) {
        return None;
    }
    let requested = reading.instruction.chars().count();
    let came = reading.output.chars().count();
    (requested > 0 && came > requested.saturating_mul(20)).then(|| {
        Evidence::new(
            format!(
                "The answer is {} times as long as the instruction.",
                grouped((came / requested) as u64)
            ),
            format!(
                "{} characters for {}",
                grouped(came as u64),
                grouped(requested as u64)
            ),
            "at most 20 times the instruction",
        )
    })
}

fn shape_mismatch(reading: &Reading<'_>) -> Option<Evidence> {
    let requested = reading.requested.shape()?;
    let differs = reading.shape != Shape::Empty && reading.shape != requested;
    differs.then(|| {
        Evidence::new(
            "The answer has the wrong shape.",
            reading.shape.as_str(),
            requested.as_str(),
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len())
    })
}

fn truncated_text(reading: &Reading<'_>) -> Option<Evidence> {
    let end = reading.output.len();
    if let Some(reason) = reading.hit_token_limit() {
        // JSON and tool calls are code 1009.
        return (!reading.must_be_machine_readable()).then(|| {
            let reason = first_line(reason, 40);
            Evidence::new(
                format!("The text is cut off at {reason}."),
                format!("stop reason {reason}, output ends at byte {end}"),
                "an answer that ends by itself",
            )
            .at_bytes(end, end)
        });
    }
    if !reading.output.contains("```") {
        return None;
    }
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    let fences = reading.output.lines().filter(is_fence).count();
    (fences % 2 == 1 && reading.json.is_err()).then(|| {
        Evidence::new(
            "A code fence is never closed.",
            counted(fences as i64, "fence"),
            "fences in pairs",
        )
        .at_bytes(end, end)
    })
}

fn repetition_loop(reading: &Reading<'_>) -> Option<Evidence> {
    // In valid JSON, equal rows are data.
    if reading.json.is_ok() {
        return None;
    }
    let found = repetition::find(reading.output)?;
    // Who asks for it gets it.
    let asks =
        |word: &str| crate::words::words(&reading.instruction).any(|w| w.text.eq_ignore_ascii_case(word));
    if asks("repeat") || asks("times") {
        return None;
    }
    let passage = reading.output.get(found.first.clone()).unwrap_or("");
    Some(
        Evidence::new(
            format!(
                "The same passage comes {} times in a row.",
                grouped(found.times as u64)
            ),
            format!("“{}”, {} times", first_line(passage, 60), found.times),
            "no passage more than 4 times in a row",
        )
        .at_bytes(found.all.start, found.all.end),
    )
}

fn placeholder_leak(reading: &Reading<'_>) -> Option<Evidence> {
    let Range { start, end } = crate::placeholder::find(&reading.instruction, reading.output, reading.shape)?;
    let found = reading.output.get(start..end).unwrap_or("");
    Some(
        Evidence::new(
            "A placeholder was left unfilled.",
            format!("“{}” at byte {start}", first_line(found, 40)),
            "filled-in text",
        )
        .at_bytes(start, end),
    )
}

fn refused(reading: &Reading<'_>, samples: Option<&StepSamples>) -> Option<Evidence> {
    if samples.is_some_and(StepSamples::usually_refuses) {
        return None;
    }
    let Range { start, end } = refusal::find(reading.trimmed)?;
    let found = reading.trimmed.get(start..end).unwrap_or("");
    Some(
        Evidence::new(
            "The model declined to answer.",
            format!("“{}”", first_line(found, 60)),
            "an answer, as this step normally gives",
        )
        .at_bytes(reading.trimmed_at + start, reading.trimmed_at + end),
    )
}

fn prompt_echo(reading: &Reading<'_>) -> Option<Evidence> {
    const MIN_BYTES: usize = 60;
    const MAX_BYTES: usize = 160;
    let instruction = reading.instruction.trim();
    let mut end = instruction.len().min(MAX_BYTES);
    while !instruction.is_char_boundary(end) {
        end -= 1;
    }
    let beginning = instruction
        .get(..end)
        .filter(|beginning| beginning.len() >= MIN_BYTES)?;
    let at = rarely_found(reading.output, beginning)?;
    Some(
        Evidence::new(
            "The answer repeats the instruction word for word.",
            format!("“{}” at byte {at}", first_line(beginning, 60)),
            "an answer in its own words",
        )
        .at_bytes(at, at + beginning.len()),
    )
}
