//! Any step under any rules. What must hold of every verdict is asserted here.
//!
//! An input is [`HEADER`] bytes of figures and switches, then texts separated by 0x1E: prompt, output, error, step
//! name, stop reason, a tool's arguments, a JSON schema. `examples/seeds.rs` writes such inputs.

#![no_main]

use std::sync::OnceLock;

use domain::step::ReportedTokens;
use domain::{NanoUsd, Place, Severity, StepKind, StepStatus, TokenUsage};
use engine::codes::{self, Group};
use engine::{
    History, LimitMode, ManualLimits, Rules, Score, SeriesKey, StepFacts, StepRecord, Threshold, ToolCall,
    score, score_every_layer,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Bytes of an input before its texts.
const HEADER: usize = 96;

fuzz_target!(|bytes: &[u8]| {
    let (header, texts) = bytes.split_at(bytes.len().min(HEADER));
    let texts = String::from_utf8_lossy(texts);
    let mut figures = Unstructured::new(header);
    // Of a header that is too short the rest is zeros, so this does not fail.
    let _enough = evaluate(&mut figures, &texts);
});

fn evaluate(figures: &mut Unstructured<'_>, texts: &str) -> Result<()> {
    let rules = rules(figures)?;
    let mut texts = texts.splitn(7, '\u{1e}');
    let mut text = || texts.next().unwrap_or("");
    let (prompt, output, error, name) = (text(), text(), text(), text());
    let (stop_reason, arguments, schema) = (text(), text(), text());
    let schema = serde_json::from_str(schema).ok();
    let call = ToolCall {
        name: "tool",
        arguments,
        schema: schema.as_ref(),
    };
    let calls = [call];
    let given = |text: &'_ str| !text.is_empty();
    let [input, answer, cached, total] = [count(figures)?, count(figures)?, count(figures)?, count(figures)?];
    let latency_ms = milliseconds(figures)?;
    let facts = StepFacts {
        kind: *figures.choose(StepKind::ALL)?,
        status: *figures.choose(StepStatus::ALL)?,
        output: Some(output).filter(|_| given(output)),
        error: Some(error).filter(|_| given(error)),
        stop_reason: Some(stop_reason).filter(|_| given(stop_reason)),
        tool_calls: if given(arguments) { &calls } else { &[] },
        output_schema: schema.as_ref(),
        stream_incomplete: figures.arbitrary()?,
        latency_ms,
        ttft_ms: milliseconds(figures)?,
        max_gap_ms: milliseconds(figures)?,
        reported: ReportedTokens {
            input,
            output: answer,
            total,
            cache_read: cached,
            ..ReportedTokens::default()
        },
        usage: TokenUsage {
            input_fresh: input,
            output: answer,
            cache_read: cached,
            ..TokenUsage::default()
        },
        cost: count(figures)?.map(NanoUsd),
        context_window: total,
        same_calls_in_run: figures.arbitrary()?,
        ..StepFacts::new("run", name, "model", prompt)
    };
    for history in [&History::new(), history()] {
        let verdict = score(&facts, history, &rules);
        let all = score_every_layer(&facts, history, &rules);
        holds(&verdict, &rules, output);
        holds(&all, &rules, output);
        let last = verdict.stopped_at_layer.unwrap_or(5);
        let up_to_last = all.conditions.iter().filter(|condition| condition.layer <= last);
        assert!(
            up_to_last.eq(&verdict.conditions),
            "stopping early takes nothing else away"
        );
        assert_eq!(
            verdict,
            score(&facts, history, &rules),
            "the same step, the same verdict"
        );
    }
    Ok(())
}

fn holds(verdict: &Score, rules: &Rules, output: &str) {
    let conditions = &verdict.conditions;
    let sum = conditions
        .iter()
        .fold(0i32, |sum, found| sum.saturating_add(found.points));
    assert_eq!(verdict.total, sum, "the total is the sum of its conditions");
    assert!(conditions.windows(2).all(|pair| pair[0].code < pair[1].code));
    let is_critical = verdict.total >= verdict.threshold || conditions.iter().any(|found| found.layer == 1);
    let expected = match (is_critical, verdict.total > 0) {
        (true, _) => Severity::Critical,
        (false, true) => Severity::Warning,
        (false, false) => Severity::Ok,
    };
    assert_eq!(verdict.severity, expected);
    for found in conditions {
        let code = codes::find(found.code).expect("every code is in the table");
        assert!(
            found.points >= 0 && !rules.muted.contains(&found.code),
            "{found:?}"
        );
        assert!(rules.extended || code.group == Group::Core, "{found:?}");
        assert!(!found.message.is_empty() && !found.observed.is_empty() && !found.expected.is_empty());
        for std::ops::Range { start, end } in found.place.iter().flat_map(Place::bytes) {
            assert!(output.get(start..end).is_some(), "{found:?}");
        }
    }
}

fn rules(figures: &mut Unstructured<'_>) -> Result<Rules> {
    let mut rules = Rules {
        extended: !figures.arbitrary::<bool>()?,
        threshold: match figures.arbitrary::<u8>()? {
            0 => Threshold::default(),
            255 => Threshold::Dynamic,
            points => Threshold::Fixed(i32::from(points) - 5),
        },
        mode: if figures.arbitrary()? {
            LimitMode::Manual
        } else {
            LimitMode::Dynamic
        },
        limits: ManualLimits {
            latency_ms: milliseconds(figures)?,
            ..ManualLimits::default()
        },
        ..Rules::default()
    };
    for _ in 0..figures.arbitrary::<u8>()? % 4 {
        rules.muted.insert(figures.choose(codes::ALL)?.code);
        rules
            .points
            .insert(figures.choose(codes::ALL)?.code, figures.arbitrary()?);
    }
    Ok(rules)
}

/// Often absent, often small, sometimes anything.
fn count(figures: &mut Unstructured<'_>) -> Result<Option<i64>> {
    Ok(match figures.arbitrary::<u8>()? {
        0 => None,
        255 => Some(figures.arbitrary()?),
        small => Some(i64::from(small) * 7),
    })
}

fn milliseconds(figures: &mut Unstructured<'_>) -> Result<Option<f64>> {
    Ok(match figures.arbitrary::<u8>()? {
        0 => None,
        255 => Some(figures.arbitrary()?),
        small => Some(f64::from(small) * 97.0),
    })
}

/// A history in which steps called `answer`, as most of the corpus, have a band, and the project has learned limits.
/// Made once: it takes longer than the scoring.
fn history() -> &'static History {
    static HISTORY: OnceLock<History> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let records: Vec<StepRecord> = (0..40u32)
            .map(|n| StepRecord {
                kind: StepKind::Llm,
                series: SeriesKey::of("answer", "model", ""),
                latency_ms: Some(f64::from(500 + n)),
                tokens: Some(100 + i64::from(n)),
                output_tokens: Some(50),
                cost: Some(NanoUsd(1_000_000)),
                cache_permille: Some(500),
                total: 0,
                is_usable: true,
                is_refusal: false,
            })
            .collect();
        History::from_records(&records)
    })
}
