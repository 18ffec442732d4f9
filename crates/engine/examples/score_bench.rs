//! How long scoring takes: `cargo run --release -p engine --example score_bench`.
//!
//! Prints the median per step over a mix of ordinary steps, the time by output size up to 5 MB, and the time of a
//! back-test over 50,000 rows.

use std::time::Instant;

use domain::{NanoUsd, TokenUsage};
use engine::backtest::{Backtest, Recording, Report, Series, Step};
use engine::{History, Rules, StepFacts, StepRecord, Threshold, score};

struct Case {
    name: &'static str,
    prompt: String,
    output: String,
}

fn cases() -> Vec<Case> {
    let paragraph = "The customer asks for a refund because the second keyboard arrived without its cable. ";
    let chat = |turns: usize| {
        let mut messages = Vec::new();
        for turn in 0..turns {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            messages.push(serde_json::json!({"role": role, "content": paragraph.repeat(3)}));
        }
        messages.push(
            serde_json::json!({"role": "user", "content": "Which order is it about? Answer in one word."}),
        );
        serde_json::json!({"system": paragraph.repeat(8), "messages": messages}).to_string()
    };
    let json_prompt =
        "Return JSON with the keys \"intent\" and \"items\". ".to_owned() + &paragraph.repeat(10);
    let items: Vec<_> = (0..20)
        .map(|n| serde_json::json!({"sku": format!("KB-{n}"), "qty": n}))
        .collect();
    vec![
        Case {
            name: "short answer, chat of 4",
            prompt: chat(4),
            output: "KB-88".into(),
        },
        Case {
            name: "prose 1 kB, plain prompt",
            prompt: paragraph.repeat(12),
            output: varied_prose(1_000),
        },
        Case {
            name: "prose 4 kB, chat of 20",
            prompt: chat(20),
            output: varied_prose(4_000),
        },
        Case {
            name: "JSON 1 kB",
            prompt: json_prompt.clone(),
            output: serde_json::json!({"intent": "refund", "items": items}).to_string(),
        },
        Case {
            name: "broken JSON",
            prompt: json_prompt,
            output: "{\"intent\": \"refund\", \"items\": [{}".into(),
        },
    ]
}

fn varied_prose(bytes: usize) -> String {
    let mut out = String::new();
    let mut n = 7u32;
    while out.len() < bytes {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let words = [
            "order",
            "refund",
            "cable",
            "the",
            "arrives",
            "customer",
            "today",
            "keyboard,",
            "and",
            "it.",
        ];
        out.push_str(words[(n >> 24) as usize % words.len()]);
        out.push(' ');
    }
    out
}

fn facts<'a>(case: &'a Case, latency_ms: f64) -> StepFacts<'a> {
    StepFacts {
        output: Some(&case.output),
        latency_ms: Some(latency_ms),
        usage: TokenUsage {
            input_fresh: Some(case.prompt.len() as i64 / 4),
            output: Some(case.output.len() as i64 / 4 + 1),
            ..TokenUsage::default()
        },
        cost: Some(NanoUsd(1_000_000)),
        ..StepFacts::new("run", case.name, "model", &case.prompt)
    }
}

fn median_us(mut run: impl FnMut(usize), rounds: usize) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|round| {
            let start = Instant::now();
            run(round);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn main() {
    let rules = Rules {
        threshold: Threshold::Dynamic,
        ..Rules::default()
    };
    let cases = cases();
    let mut history = History::new();
    for n in 0..2_000 {
        let facts = facts(&cases[n % cases.len()], 800.0 + (n * 37 % 900) as f64);
        let verdict = score(&facts, &history, &rules);
        history.push(&StepRecord::of(&facts, &verdict));
    }

    println!("| step | prompt | output | median µs |\n|---|---|---|---|");
    let mut all = Vec::new();
    for case in &cases {
        let facts = facts(case, 900.0);
        let time = median_us(
            |_| drop(std::hint::black_box(score(&facts, &history, &rules))),
            2_000,
        );
        all.push(time);
        println!(
            "| {} | {} B | {} B | {time:.1} |",
            case.name,
            case.prompt.len(),
            case.output.len()
        );
    }
    all.sort_unstable_by(f64::total_cmp);
    println!("| median of these | | | {:.1} |", all[all.len() / 2]);
    let record = StepRecord::of(
        &facts(&cases[0], 900.0),
        &score(&facts(&cases[0], 900.0), &history, &rules),
    );
    println!(
        "| adding a step to the history | | | {:.1} |",
        median_us(|_| history.push(&record), 2_000)
    );

    println!("\n| output | prose ms | prose ns/B | JSON ms | JSON ns/B |\n|---|---|---|---|---|");
    for bytes in [5_000usize, 50_000, 500_000, 5_000_000] {
        let row = format!("{{\"sku\":\"KB-88\",\"text\":\"{}\"}},", varied_prose(80));
        let json = format!("[{}0]", row.repeat(bytes / row.len()));
        let mut cells = Vec::new();
        for output in [varied_prose(bytes), json] {
            let prompt =
                "Return JSON with the key \"sku\" as one of red, green. Answer yes or no in 5 words.";
            let case = Case {
                name: "long",
                prompt: prompt.to_owned(),
                output,
            };
            let facts = facts(&case, 900.0);
            let time = median_us(
                |_| {
                    drop(std::hint::black_box(engine::score_every_layer(
                        &facts, &history, &rules,
                    )))
                },
                9,
            );
            cells.push(format!("{:.3} | {:.2}", time / 1e3, time * 1e3 / bytes as f64));
        }
        println!("| {bytes} B | {} |", cells.join(" | "));
    }

    let recording = recording();
    let bytes = recording.encode();
    let decode = median_us(|_| drop(std::hint::black_box(Recording::decode(&bytes))), 5);
    let rows = median_us(|_| drop(std::hint::black_box(recording.rows())), 5);
    let mut backtest = Backtest::new(&recording.rows());
    backtest.remember(&rules);
    let before = backtest.run(&rules);
    let again = |rules: &Rules| {
        let time = median_us(
            |n| {
                let threshold = Threshold::Fixed(n as i32 + 60);
                let after = backtest.run(&Rules {
                    threshold,
                    ..rules.clone()
                });
                drop(std::hint::black_box(Report::of(
                    &recording, &before, &after, None,
                )));
            },
            11,
        );
        time / 1e3
    };
    let by_hand = Rules {
        mode: engine::LimitMode::Manual,
        ..Rules::core()
    };
    println!(
        "\nback-test of 50,000 steps in {:.1} bytes each: decoded in {:.1} ms, prepared in {:.1} ms, judged in {:.1} ms \
         with learned limits and bands, {:.1} ms without",
        bytes.len() as f64 / 50_000.0,
        decode / 1e3,
        rows / 1e3,
        again(&Rules::default()),
        again(&by_hand),
    );
}

/// 30 days of a project with 25 kinds of steps.
fn recording() -> Recording {
    let steps = (0..50_000i64).map(|n| Step {
        at_ms: 1_700_000_000_000 + n * 51_840,
        run: (n / 5) as u32,
        series: (n * 7 % 25) as u32,
        latency_us: Some(500_000 + n * 7_919 % 9_000 * 1_000),
        input_tokens: Some(200 + n * 31 % 3_000),
        output_tokens: Some(10 + n * 17 % 400),
        cost_nano_usd: Some(1_000_000 + n * 977 % 90_000 * 1_000),
        codes: if n % 9 == 0 { vec![2001, 3014] } else { Vec::new() },
        ..Step::default()
    });
    Recording {
        runs: (0..10_000).map(|n| format!("run-{n}")).collect(),
        keys: vec!["prod".to_owned()],
        series: vec![Series::default(); 25],
        steps: steps.collect(),
        steps_in_window: 50_000,
        ..Recording::default()
    }
}
