//! Layer 4, performance: latency, tokens and cost against limits and against each other.

use domain::text::{costs_apart, counted, durations_apart, grouped, number_apart};

use crate::band::has_baseline;
use crate::codes;
use crate::findings::{Evidence, Findings};
use crate::history::{StepMetric, StepSamples};
use crate::limits::{LimitSource, Limits};
use crate::reading::Reading;
use crate::sample::Sorted;
use crate::shape::Shape;

pub(crate) fn evaluate(
    reading: &Reading<'_>,
    limits: &Limits,
    samples: Option<&StepSamples>,
    findings: &mut Findings<'_>,
) {
    if reading.facts.calls_model() {
        // Where layer 5 holds the step to its own band, the project-wide limits stand down.
        let stands = |metric, outlier| !(findings.rules.is_on(outlier) && has_baseline(samples, metric));
        let active = [
            stands(StepMetric::LatencyUs, &codes::LATENCY_OUTLIER),
            stands(StepMetric::Tokens, &codes::TOKENS_OUTLIER),
            stands(StepMetric::Cost, &codes::COST_OUTLIER),
        ];
        thresholds(reading, limits, active, findings);
    }
    if reading.facts.has_answer() {
        proportions(reading, findings);
    }
    progress(reading, samples, findings);
}

fn thresholds(reading: &Reading<'_>, limits: &Limits, active: [bool; 3], findings: &mut Findings<'_>) {
    let facts = reading.facts;
    let [latency_active, tokens_active, cost_active] = active;
    findings.check(&codes::LATENCY_THRESHOLD, || {
        let limit = &limits.latency_ms;
        // Whole microseconds on both sides, as in samples and back-tests.
        let is_above = |us: i64| us as f64 > limit.limit * 1_000.0;
        let latency_us = facts.latency_us().filter(|us| latency_active && is_above(*us))?;
        let latency = latency_us as f64 / 1_000.0;
        let (observed, expected) = durations_apart(latency, limit.limit);
        let evidence = Evidence::new(
            format!("It took {observed}, the limit is {expected}."),
            observed,
            format!("at most {expected}{}", source_words(limit.source)),
        );
        Some(evidence.with_sample(limit.evidence()))
    });
    findings.check(&codes::TOKENS_THRESHOLD, || {
        let limit = &limits.tokens;
        let tokens = facts
            .tokens()
            .filter(|tokens| tokens_active && *tokens as f64 > limit.limit)?;
        let (observed, expected) = (tokens_words(tokens), tokens_words(limit.limit as i64));
        let evidence = Evidence::new(
            format!("It used {observed}, the limit is {expected}."),
            observed,
            format!("at most {expected}{}", source_words(limit.source)),
        );
        Some(evidence.with_sample(limit.evidence()))
    });
    findings.check(&codes::COST_THRESHOLD, || {
        let limit = &limits.cost_nano_usd;
        let cost = facts.cost.filter(|cost| cost_active && *cost > limit.limit)?;
        let (observed, expected) = costs_apart(cost, limit.limit);
        let evidence = Evidence::new(
            format!("It cost {observed}, the limit is {expected}."),
            observed,
            format!("at most {expected}{}", source_words(limit.source)),
        );
        Some(evidence.with_sample(limit.evidence()))
    });
}

fn source_words(source: LimitSource) -> &'static str {
    match source {
        LimitSource::Static => ", the built-in limit",
        LimitSource::Dynamic => ", p95 of recent steps or the floor",
        LimitSource::Manual => ", set by hand",
    }
}

fn tokens_words(tokens: i64) -> String {
    counted(tokens, "token")
}

fn proportions(reading: &Reading<'_>, findings: &mut Findings<'_>) {
    let facts = reading.facts;
    let output = facts.usage.output;
    let above = |least: i64| output.filter(|tokens| *tokens > least);
    findings.check(&codes::TOKEN_RATIO_ANOMALY, || {
        let input = facts.usage.input().filter(|input| *input > 0)?;
        let output = output.filter(|output| i128::from(*output) > i128::from(input) * 50)?;
        let ratio = format!(
            "{} output tokens per input token",
            grouped((output / input).unsigned_abs())
        );
        Some(Evidence::new(format!("There are {ratio}."), ratio, "at most 50"))
    });
    findings.check(&codes::CLASSIFY_STEP_TOKEN_BLOAT, || {
        let tokens = above(50).filter(|_| reading.is_classify_step())?;
        Some(too_many("A classify step", tokens, 50))
    });
    findings.check(&codes::SHORT_STEP_OUTPUT_BLOAT, || {
        let tokens = above(30).filter(|_| reading.requested.shape() == Some(Shape::EnumShort))?;
        Some(too_many("A step that should choose", tokens, 30))
    });
    findings.check(&codes::HIGH_LATENCY_LOW_OUTPUT, || {
        let latency = facts.latency_ms.filter(|ms| ms.is_finite() && *ms > 3_000.0)?;
        let output = output.filter(|tokens| *tokens < 10)?;
        let (latency, _) = durations_apart(latency, 3_000.0);
        let observed = format!("{latency} for {}", counted(output, "output token"));
        Some(Evidence::new(
            format!("It took {observed}."),
            observed,
            "at most 3 s, or 10 output tokens",
        ))
    });
    findings.check(&codes::JSON_STEP_TOKEN_BLOAT, || {
        let tokens = above(500).filter(|_| reading.requested.shape() == Some(Shape::Json))?;
        Some(too_many("A JSON step", tokens, 500))
    });
    findings.check(&codes::CHARS_PER_TOKEN_SUSPICIOUS, || chars_per_token(reading));
    findings.check(&codes::ZERO_OUTPUT_TOKENS_WITH_BODY, || {
        let counts_nothing = output.is_none_or(|tokens| tokens == 0);
        (counts_nothing && !reading.trimmed.is_empty()).then(|| {
            let observed = match output {
                None => "no output token count",
                Some(_) => "0 output tokens",
            };
            let bytes = counted(reading.output.len() as i64, "byte");
            Evidence::new(
                "There is an answer and no output tokens for it.",
                format!("{observed}, {bytes} of output"),
                "a token count above 0",
            )
        })
    });
}

fn too_many(who: &str, tokens: i64, limit: i64) -> Evidence {
    Evidence::new(
        format!("{who} answered with {}.", tokens_words(tokens)),
        counted(tokens, "output token"),
        format!("at most {limit}"),
    )
}

fn chars_per_token(reading: &Reading<'_>) -> Option<Evidence> {
    let facts = reading.facts;
    // Reasoning and tool calls are output tokens without a character in the text.
    if reading.trimmed.is_empty() || !facts.tool_calls.is_empty() {
        return None;
    }
    let tokens = facts
        .usage
        .output?
        .saturating_sub(facts.usage.reasoning.unwrap_or(0));
    if tokens < 10 {
        return None;
    }
    let ratio = reading.output.chars().count() as f64 / tokens as f64;
    let is_usual = if ratio < LEAST {
        ratio >= fewest_per_token(reading.output)
    } else {
        ratio <= MOST || squeezed(reading.output) as f64 / tokens as f64 <= MOST
    };
    (!is_usual).then(|| {
        let limit = if ratio < LEAST { LEAST } else { MOST };
        let observed = format!("{} characters per token", number_apart(ratio, limit, 1));
        Evidence::new(format!("The answer has {observed}."), observed, "2.0 to 8.0")
    })
}

/// Characters per token of ordinary prose in Latin letters.
const LEAST: f64 = 2.0;
const MOST: f64 = 8.0;

/// How few characters a token of this text may have on average: digits and signs are often tokens of their own, and
/// tokenizers know few words of other scripts, of which one character may be several tokens.
fn fewest_per_token(text: &str) -> f64 {
    let (mut sum, mut characters) = (0.0, 0.0);
    for character in text.chars() {
        sum += match character {
            'a'..='z' | 'A'..='Z' | ' ' => LEAST,
            character if character.is_ascii() => 0.8,
            '\u{80}'..='\u{24f}' => 0.8,
            _ => 0.25,
        };
        characters += 1.0;
    }
    sum / f64::max(characters, 1.0)
}

/// The characters of a text with each run of equal ones as one: rules and indents are few tokens.
fn squeezed(text: &str) -> usize {
    let mut before = None;
    text.chars()
        .filter(|character| before.replace(*character) != Some(*character))
        .count()
}

/// How the step fits into its run, and how its answer arrived.
fn progress(reading: &Reading<'_>, samples: Option<&StepSamples>, findings: &mut Findings<'_>) {
    let facts = reading.facts;
    findings.check(&codes::CONTEXT_NEAR_FULL, || {
        let window = facts.context_window.filter(|window| *window > 0)?;
        let used = facts.tokens()?;
        let is_above = |percent: i128| i128::from(used) * 100 > i128::from(window) * percent;
        is_above(80).then(|| {
            let percent = i128::from(used) * 100 / i128::from(window);
            let observed = format!("{} of {}", tokens_words(used), grouped(window.unsigned_abs()));
            let evidence = Evidence::new(
                format!("The context window is {percent} % full."),
                observed,
                "at most 80 %",
            );
            evidence.with_extra_points(if is_above(95) { 10 } else { 0 })
        })
    });
    findings.check(&codes::DUPLICATE_CALL_LOOP, || {
        let times = facts.same_calls_in_run;
        (times >= 3 && !facts.prompt_is_unknown).then(|| {
            let message = format!("The same call {} times in this run.", grouped(u64::from(times)));
            Evidence::new(message, format!("{times} identical calls"), "at most 2")
        })
    });
    findings.check(&codes::SLOW_GENERATION, || slow_generation(reading));
    findings.check(&codes::CACHE_COLLAPSE, || cache_collapse(reading, samples));
    let run_limit = findings.rules.run_cost_limit_nano_usd;
    findings.check(&codes::RUN_COST_CUMULATIVE, || {
        let before = facts.run_cost_before.unwrap_or_default();
        let after = before.saturating_add(facts.cost?);
        // Only the step that passes the limit, not every one after it.
        (before <= run_limit && after > run_limit).then(|| {
            let (observed, expected) = costs_apart(after, run_limit);
            Evidence::new(
                format!("The run has cost {observed}, its limit is {expected}."),
                observed,
                expected,
            )
        })
    });
    findings.check(&codes::SLOW_FIRST_TOKEN, || {
        let is_reasoning = facts.usage.reasoning.is_some_and(|tokens| tokens > 0);
        let ttft = facts
            .ttft_ms
            .filter(|ms| !is_reasoning && ms.is_finite() && *ms > 5_000.0)?;
        let (observed, _) = durations_apart(ttft, 5_000.0);
        Some(Evidence::new(
            format!("The first token came after {observed}."),
            observed,
            "at most 5.00 s",
        ))
    });
    findings.check(&codes::STALL, || {
        let gap = facts.max_gap_ms.filter(|ms| ms.is_finite() && *ms > 10_000.0)?;
        let (observed, _) = durations_apart(gap, 10_000.0);
        Some(Evidence::new(
            format!("The stream paused for {observed}."),
            observed,
            "at most 10.0 s between chunks",
        ))
    });
}

fn slow_generation(reading: &Reading<'_>) -> Option<Evidence> {
    let facts = reading.facts;
    let tokens = facts.usage.output.filter(|tokens| *tokens >= 50)?;
    let generating_ms = facts.latency_ms? - facts.ttft_ms.unwrap_or(0.0).max(0.0);
    let per_second = tokens as f64 * 1_000.0 / generating_ms;
    (generating_ms > 0.0 && per_second < 5.0).then(|| {
        let observed = format!("{} tokens a second", number_apart(per_second, 5.0, 1));
        Evidence::new(format!("The model wrote only {observed}."), observed, "5 or more")
    })
}

fn cache_collapse(reading: &Reading<'_>, samples: Option<&StepSamples>) -> Option<Evidence> {
    let facts = reading.facts;
    let sample = samples?.metric(StepMetric::CachePermille);
    let now = facts.cache_permille()?;
    cache_collapsed(sample, facts.usage.input(), Some(now)).map(|usual| {
        let percent = |permille: i64| format!("{} %", permille / 10);
        Evidence::new(
            format!("Cache hits fell from {} to {}.", percent(usual), percent(now)),
            format!("{} of the input from the cache", percent(now)),
            format!("about {}, the median of {} steps", percent(usual), sample.len()),
        )
    })
}

/// The usual share of the input from the cache, in thousandths, when a step's share fell below a quarter of it.
pub(crate) fn cache_collapsed(
    sample: &Sorted,
    input_tokens: Option<i64>,
    permille: Option<i64>,
) -> Option<i64> {
    // Prompts below the smallest cacheable size never hit.
    const MIN_INPUT: i64 = 1_024;
    let usual = sample
        .quantile_floor(10)
        .filter(|usual| sample.len() >= 20 && *usual >= 200)?;
    let has_collapsed = permille? < usual / 4 && input_tokens? >= MIN_INPUT;
    has_collapsed.then_some(usual)
}
