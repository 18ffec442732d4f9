//! Layer 1, hard failure: the step did not do its work, or its figures cannot be true.

use domain::text::{duration, first_line, grouped};
use domain::{StepStatus, step::ReportedTokens};

use crate::codes;
use crate::findings::{Evidence, Findings};
use crate::reading::Reading;

pub(crate) fn evaluate(reading: &Reading<'_>, findings: &mut Findings<'_>) {
    let facts = reading.facts;
    findings.check(&codes::STATUS_FAILURE, || status_failure(reading));
    findings.check(&codes::ERROR_PRESENT, || {
        let error = facts.error.filter(|error| !error.trim().is_empty())?;
        Some(Evidence::new(
            first_line(error, 120),
            first_line(error, 500),
            "no error",
        ))
    });
    findings.check(&codes::EMPTY_OUTPUT_ON_SUCCESS, || empty_output(reading));
    findings.check(&codes::NEGATIVE_TOKENS, || negative_tokens(&facts.reported));
    findings.check(&codes::NEGATIVE_LATENCY, || {
        let latency = facts.latency_ms.filter(|ms| *ms < 0.0)?;
        Some(Evidence::new(
            "The latency is below zero.",
            duration(latency),
            "0 ms or more",
        ))
    });
    findings.check(&codes::NEGATIVE_COST, || {
        let cost = [facts.cost, facts.reported_cost]
            .into_iter()
            .flatten()
            .find(|cost| cost.0 < 0)?;
        Some(Evidence::new(
            "The cost is below zero.",
            format!("${}", cost.to_decimal()),
            "$0 or more",
        ))
    });
    findings.check(&codes::TOKEN_ACCOUNTING_MISMATCH, || {
        token_mismatch(&facts.reported)
    });
    findings.check(&codes::MISSING_REQUIRED_FIELD, || missing_fields(reading));
    findings.check(&codes::OUTPUT_TRUNCATED, || output_truncated(reading));
    findings.check(&codes::CONTENT_FILTERED, || {
        const FILTERS: &[&str] = &[
            "content_filter",
            "content_filtered",
            "refusal",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "guardrail_intervened",
        ];
        let reason = reading.stop_reason_in(FILTERS)?;
        Some(Evidence::new(
            "The provider's content filter ended the answer.",
            reason,
            "an answer that ends normally",
        ))
    });
    findings.check(&codes::STREAM_INCOMPLETE, || {
        let end = reading.output.len();
        facts.stream_incomplete.then(|| {
            Evidence::new(
                "The stream ended before its final event.",
                format!("{} bytes of output, no final event", grouped(end as u64)),
                "a final event",
            )
            .at_bytes(end, end)
        })
    });
}

fn status_failure(reading: &Reading<'_>) -> Option<Evidence> {
    let facts = reading.facts;
    (facts.status == StepStatus::Error).then(|| {
        let message = match facts.latency_ms.filter(|ms| *ms >= 0.0) {
            Some(latency) => format!("The step failed after {}.", duration(latency)),
            None => "The step failed.".to_owned(),
        };
        Evidence::new(message, "status failure", "status success")
    })
}

fn empty_output(reading: &Reading<'_>) -> Option<Evidence> {
    let facts = reading.facts;
    // What was put into a queue has not been answered yet.
    const NOT_ANSWERED_YET: &[&str] = &["queued", "in_progress", "cancelled"];
    let applies = facts.status == StepStatus::Ok
        && facts.has_answer()
        && facts.tool_calls.is_empty()
        && !facts.answers_without_text
        && reading.stop_reason_in(NOT_ANSWERED_YET).is_none();
    (applies && reading.trimmed.is_empty()).then(|| {
        let observed = match reading.output {
            "" => "no output",
            _ => "only white space",
        };
        Evidence::new(
            "The step succeeded and its answer is empty.",
            observed,
            "a text or a tool call",
        )
    })
}

fn negative_tokens(tokens: &ReportedTokens) -> Option<Evidence> {
    let named = [
        ("input", tokens.input),
        ("output", tokens.output),
        ("reasoning", tokens.reasoning),
        ("total", tokens.total),
        ("cache read", tokens.cache_read),
        ("cache write", tokens.cache_write),
    ];
    let (name, count) = named
        .into_iter()
        .find_map(|(name, count)| Some((name, count.filter(|n| *n < 0)?)))?;
    Some(Evidence::new(
        "A token count is below zero.",
        format!("{name} tokens {count}"),
        "0 or more",
    ))
}

fn token_mismatch(tokens: &ReportedTokens) -> Option<Evidence> {
    let total = i128::from(tokens.total?);
    if tokens.input.is_none() && tokens.output.is_none() {
        return None;
    }
    let count = |tokens: Option<i64>| i128::from(tokens.unwrap_or(0));
    let (input, output, reasoning) = (count(tokens.input), count(tokens.output), count(tokens.reasoning));
    let cache = count(tokens.cache_read) + count(tokens.cache_write);
    let beside = input + output + reasoning;
    // Where reasoning fits into the output it may be a part of it.
    let inside = if reasoning <= output {
        input + output
    } else {
        beside
    };
    let sums = [beside, inside, beside + cache, inside + cache];
    (!sums.contains(&total)).then(|| {
        let mut parts = format!("{input} input + {output} output");
        for (n, name) in [(reasoning, "reasoning"), (cache, "cache")] {
            if n != 0 {
                parts.push_str(&format!(" + {n} {name}"));
            }
        }
        Evidence::new("The token counts do not add up.", format!("total {total}"), parts)
    })
}

fn missing_fields(reading: &Reading<'_>) -> Option<Evidence> {
    let facts = reading.facts;
    let needs_model = facts.calls_model();
    let missing: Vec<&str> = [
        ("step name", facts.step_name, true),
        // A request that was not kept names the model too.
        ("model", facts.model, needs_model && !facts.prompt_is_unknown),
        ("prompt", facts.prompt, needs_model && !facts.prompt_is_unknown),
        ("run id", facts.run_id, true),
    ]
    .into_iter()
    .filter(|(_, value, needed)| *needed && value.trim().is_empty())
    .map(|(name, ..)| name)
    .collect();
    let (last, others) = missing.split_last()?;
    let message = if others.is_empty() {
        format!("The {last} is blank.")
    } else {
        format!("The {} and {last} are blank.", others.join(", "))
    };
    Some(Evidence::new(
        message,
        format!("blank {}", missing.join(", ")),
        "step name, model, prompt and run id",
    ))
}

fn output_truncated(reading: &Reading<'_>) -> Option<Evidence> {
    let reason = reading.hit_token_limit()?;
    let applies = reading.facts.has_answer() && reading.must_be_machine_readable();
    applies.then(|| {
        let what = if reading.facts.tool_calls.is_empty() {
            "JSON"
        } else {
            "A tool call was"
        };
        let end = reading.output.len();
        Evidence::new(
            format!("{what} cut off at {}.", first_line(reason, 40)),
            format!(
                "stop reason {}, output ends at byte {end}",
                first_line(reason, 40)
            ),
            "an answer that ends by itself",
        )
        .at_bytes(end, end)
    })
}
