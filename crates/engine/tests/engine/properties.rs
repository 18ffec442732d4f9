//! What holds for every step, whatever bytes it is made of.

use domain::step::ReportedTokens;
use domain::{NanoUsd, Severity, StepKind, StepStatus, TokenUsage};
use engine::backtest::{Backtest, Row};
use engine::codes;
use engine::{
    History, LimitMode, ManualLimits, Rules, SeriesKey, StepFacts, StepRecord, Threshold, score,
    score_every_layer,
};
use proptest::prelude::*;

/// Arbitrary text, mixed with what rules look for.
fn text() -> impl Strategy<Value = String> {
    let snippet = prop_oneof![
        any::<String>(),
        "[{}\\[\\]\":,0-9a-c \\\\]{0,30}",
        prop::sample::select(vec![
            "Return only JSON with keys \"a\" and \"b\"",
            "one of red, green or blue",
            "yes/no",
            "how many",
            "List 3 items",
            "in 2 words",
            "\u{0}",
            "```",
            "{\"a\":1}",
            "- x\n",
            "\n\n",
            "{{name}}",
            "undefined",
            "lorem ipsum",
            "I’m unable to",
            "é",
            "\u{FEFF}",
            "\u{202e}",
            "🦀",
            "respond with",
            "choose from",
            "1,000 words",
            "at least",
            "'",
            "“",
            "](",
            "**",
            "{\"system\":\"",
            "\",\"messages\":[{\"role\":\"user\",\"content\":\"",
            "\"}]}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((snippet, 1usize..9), 0..8).prop_map(|parts| {
        parts
            .into_iter()
            .map(|(part, times)| part.repeat(times))
            .collect()
    })
}

#[derive(Clone, Debug)]
struct Step {
    name: String,
    prompt: String,
    output: Option<String>,
    status: StepStatus,
    kind: StepKind,
    latency_ms: Option<f64>,
    counts: [Option<i64>; 4],
    cost: Option<i64>,
    calls: u32,
}

fn step() -> impl Strategy<Value = Step> {
    let count = || prop::option::of(prop_oneof![0i64..3_000, any::<i64>()]);
    (
        prop_oneof![text(), Just("classify".to_owned())],
        text(),
        prop::option::weighted(0.9, text()),
        prop::sample::select(vec![
            StepStatus::Ok,
            StepStatus::Ok,
            StepStatus::Error,
            StepStatus::Aborted,
        ]),
        prop::sample::select(vec![
            StepKind::Llm,
            StepKind::Llm,
            StepKind::Llm,
            StepKind::Tool,
            StepKind::Embedding,
        ]),
        prop::option::of(prop_oneof![0f64..20_000.0, any::<f64>()]),
        [count(), count(), count(), count()],
        prop::option::of(prop_oneof![0i64..2_000_000_000, any::<i64>()]),
        any::<u32>(),
    )
        .prop_map(
            |(name, prompt, output, status, kind, latency_ms, counts, cost, calls)| Step {
                name,
                prompt,
                output,
                status,
                kind,
                latency_ms,
                counts,
                cost,
                calls,
            },
        )
}

fn facts(step: &Step) -> StepFacts<'_> {
    let [input, output, cached, total] = step.counts;
    StepFacts {
        output: step.output.as_deref(),
        error: step
            .output
            .as_deref()
            .filter(|_| step.status == StepStatus::Error),
        status: step.status,
        kind: step.kind,
        latency_ms: step.latency_ms,
        ttft_ms: step.latency_ms,
        max_gap_ms: step.latency_ms,
        stop_reason: step.output.as_deref(),
        reported: ReportedTokens {
            input,
            output,
            total,
            cache_read: cached,
            ..ReportedTokens::default()
        },
        usage: TokenUsage {
            input_fresh: input,
            output,
            cache_read: cached,
            ..TokenUsage::default()
        },
        cost: step.cost.map(NanoUsd),
        context_window: total,
        same_calls_in_run: step.calls,
        run_cost_before: step.cost.map(NanoUsd),
        ..StepFacts::new("run", &step.name, "model", &step.prompt)
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let all: Vec<u16> = codes::ALL.iter().map(|code| code.code).collect();
    (
        any::<bool>(),
        prop_oneof![Just(Threshold::Dynamic), (-5i32..250).prop_map(Threshold::Fixed)],
        any::<bool>(),
        prop::collection::btree_set(prop::sample::select(all.clone()), 0..5),
        prop::collection::btree_map(
            prop::sample::select(all),
            prop_oneof![-9i32..200, any::<i32>()],
            0..5,
        ),
        prop::option::of(0f64..9_000.0),
    )
        .prop_map(|(extended, threshold, learns, muted, points, latency_ms)| Rules {
            extended,
            threshold,
            mode: if learns {
                LimitMode::Dynamic
            } else {
                LimitMode::Manual
            },
            limits: ManualLimits {
                latency_ms,
                ..ManualLimits::default()
            },
            muted,
            points,
            ..Rules::default()
        })
}

/// A history in which the step's own name has a band and the project has learned limits.
fn history(step: &Step) -> History {
    let mut history = History::new();
    for n in 0..40u32 {
        history.push(&StepRecord {
            kind: StepKind::Llm,
            series: SeriesKey::of(&step.name, "model", ""),
            latency_ms: Some(f64::from(500 + n)),
            tokens: Some(100 + i64::from(n)),
            output_tokens: Some(50),
            cost: Some(NanoUsd(1_000_000)),
            cache_permille: Some(500),
            total: 0,
            is_usable: true,
            is_refusal: false,
        });
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_score_is_the_sum_of_its_conditions(step in step(), rules in rules()) {
        let facts = facts(&step);
        for history in [History::new(), history(&step)] {
            let score = score(&facts, &history, &rules);
            let sum = score.conditions.iter().fold(0i32, |sum, condition| sum.saturating_add(condition.points));
            prop_assert_eq!(score.total, sum);
            prop_assert!(score.conditions.iter().all(|c| c.points >= 0 && !rules.muted.contains(&c.code)));
            prop_assert!(score.conditions.windows(2).all(|pair| pair[0].code < pair[1].code));
            let last_layer = score.conditions.last().map_or(0, |condition| condition.layer);
            prop_assert!(score.stopped_at_layer.is_none_or(|layer| last_layer <= layer));
            prop_assert_eq!(score.stopped_at_layer.is_some(), score.total >= score.threshold);
            let is_critical = score.total >= score.threshold || score.conditions.iter().any(|c| c.layer == 1);
            prop_assert_eq!(score.severity == Severity::Critical, is_critical);
            for condition in &score.conditions {
                for bytes in condition.place.iter().flat_map(domain::Place::bytes) {
                    prop_assert!(step.output.as_deref().unwrap_or("").get(bytes).is_some(), "{:?}", condition);
                }
            }
        }
    }

    /// Rules do not look at each other: muting a code takes away its own points and nothing else. Where the
    /// threshold stops the layers early this holds up to the layer where scoring stopped before; muting may let
    /// later layers run, so the total of `score` itself can rise. A band of layer 5 that is muted lets the limit of
    /// layer 4 stand in its place.
    #[test]
    fn muting_takes_away_one_code(step in step(), rules in rules(), index in any::<prop::sample::Index>()) {
        let facts = facts(&step);
        let history = history(&step);
        let code = index.get(codes::ALL).code;
        let mut quieter = rules.clone();
        quieter.muted.insert(code);
        let limit = if (5001..=5003).contains(&code) { code - 1_000 } else { 0 };
        let expected = |score: engine::Score| {
            score.conditions.into_iter().filter(|c| c.code != code && c.code != limit).collect::<Vec<_>>()
        };
        let all = |rules: &Rules| score_every_layer(&facts, &history, rules);
        prop_assert_eq!(
            expected(all(&quieter)),
            expected(all(&rules))
        );
        let before = score(&facts, &history, &rules);
        let after = score(&facts, &history, &quieter);
        let last = before.stopped_at_layer.unwrap_or(5);
        // The limit that now stands may be what stops the layers.
        prop_assume!(after.conditions.iter().all(|c| c.code != limit));
        let up_to_last: Vec<_> = expected(after).into_iter().filter(|c| c.layer <= last).collect();
        prop_assert_eq!(up_to_last, expected(before));
    }

    #[test]
    fn the_core_is_a_part_of_the_extended_verdict(step in step()) {
        let facts = facts(&step);
        let history = History::new();
        let all = score_every_layer(&facts, &history, &Rules::default()).conditions;
        let core = score_every_layer(&facts, &history, &Rules::core()).conditions;
        let expected: Vec<_> =
            all.into_iter().filter(|c| codes::find(c.code).unwrap().group == codes::Group::Core).collect();
        prop_assert_eq!(core, expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A back-test gives the very verdicts that scoring would have given.
    #[test]
    fn a_backtest_agrees_with_scoring(steps in prop::collection::vec(step(), 1..80), rules in rules()) {
        let mut history = History::new();
        let mut rows = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let mut expected = Vec::new();
        let recorded = Rules { muted: Default::default(), extended: true, ..rules.clone() };
        for step in &steps {
            let facts = facts(step);
            let verdict = score(&facts, &history, &rules);
            let found = score_every_layer(&facts, &history, &recorded);
            let series = names.iter().position(|name| *name == step.name.as_str()).unwrap_or(names.len());
            if series == names.len() {
                names.push(&step.name);
            }
            let mut row = Row::of(&facts, &found, series as u32, &recorded);
            row.stopped_at_layer = None;
            rows.push(row);
            history.push(&StepRecord::of(&facts, &verdict));
            expected.push((verdict.total, verdict.severity));
        }
        let outcome = Backtest::new(&rows).run(&rules);
        let found: Vec<_> = outcome.totals.iter().copied().zip(outcome.severities.iter().copied()).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(outcome.incomplete, 0);
    }

    /// What a back-test remembers of other rules makes it quicker and changes nothing.
    #[test]
    fn a_memory_changes_no_outcome(
        figures in prop::collection::vec((0u32..3, 0i64..900, 0usize..40, any::<bool>()), 1..700),
        remembered in rules(),
        tried in rules(),
    ) {
        let rows: Vec<Row> = figures
            .iter()
            .map(|(series, figure, code, is_failed)| Row {
                series: *series,
                latency_us: Some(if figure % 50 == 0 { 90_000_000 } else { 900_000 + figure * 1_000 }),
                tokens: Some(*figure),
                cost_nano_usd: Some(figure * 1_000),
                cache_permille: Some(figure % 1_000),
                input_tokens: Some(2_000),
                is_model_call: *code != 7,
                is_failed: *is_failed && figure % 7 == 0,
                codes: codes::ALL.get(*code).map(|code| code.code).into_iter().filter(|_| figure % 3 == 0).collect(),
                ..Row::default()
            })
            .collect();
        let mut backtest = Backtest::new(&rows);
        let expected = [&tried, &remembered].map(|rules| backtest.run(rules));
        backtest.remember(&remembered);
        prop_assert_eq!([&tried, &remembered].map(|rules| backtest.run(rules)), expected);
    }

    #[test]
    fn a_history_can_be_rebuilt(steps in prop::collection::vec(step(), 1..250)) {
        let rules = Rules { threshold: Threshold::Dynamic, ..Rules::default() };
        let mut live = History::new();
        let mut rows = Vec::new();
        for step in &steps {
            let facts = facts(step);
            let record = StepRecord::of(&facts, &score(&facts, &live, &rules));
            live.push(&record);
            rows.push(record);
        }
        // Only the last 100 model calls count, so older rows need not be read again.
        let model_calls: Vec<_> = rows.iter().filter(|row| row.kind != StepKind::Tool).collect();
        let rebuilt = History::from_records(model_calls[model_calls.len().saturating_sub(100)..].iter().copied());
        prop_assert_eq!(
            engine::Limits::of(&live.recent, &rules),
            engine::Limits::of(&rebuilt.recent, &rules)
        );
        prop_assert_eq!(
            engine::limits::threshold(&live.recent, &rules),
            engine::limits::threshold(&rebuilt.recent, &rules)
        );
    }
}

#[test]
fn scoring_takes_time_linear_in_the_output() {
    // Inputs that make careless scanners quadratic; each would take minutes.
    let large = 100_000;
    let inputs = [
        "[".repeat(large),
        "{\"a\":".repeat(large),
        "undefined".repeat(large),
        ",undefined".repeat(large),
        "one of ".repeat(large),
        "\"".repeat(large),
        "'a' ".repeat(large),
        "{{a".repeat(large),
        "```\n".repeat(large),
        " \n".repeat(large),
        "](".repeat(large),
        "**a ".repeat(large),
        "x".repeat(large),
        "json \"a\" . ".repeat(large),
        "\\".repeat(large),
    ];
    for text in &inputs {
        let prompt = format!("Return JSON with the keys \"a\". {text}");
        let chat = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}");
        for prompt in [&prompt, &chat] {
            let facts = StepFacts {
                output: Some(text),
                ..StepFacts::new("run", "classify", "model", prompt)
            };
            score_every_layer(&facts, &History::new(), &Rules::default());
        }
    }
}
