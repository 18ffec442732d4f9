//! A quarter of a year of a support desk's traffic: what pages are measured over. Sent to `/ingest/batch`, oldest first,
//! so that rows, sums and counts are those of real traffic. The same size always makes the same steps.

use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const STEPS_PER_RUN: u64 = 5;
/// How far back the first run lies.
pub const DAYS: u64 = 85;
/// What shipped meanwhile.
const RELEASES: u64 = 60;
/// Requests under way at once.
const SENDERS: usize = 4;
const STEPS_PER_REQUEST: u64 = 1_000;

const APPS: [(&str, &str, &str); 12] = [
    ("order", "prod-frontend", "claude-haiku-4-5"),
    ("refund", "prod-frontend", "claude-sonnet-4-5"),
    ("search", "internal-tools", "gpt-4o-mini"),
    ("chat", "background-jobs", "gpt-4o"),
    ("summary", "prod-frontend", "gemini-2.5-flash"),
    ("triage", "mobile-app", "claude-haiku-4-5"),
    ("invoice", "batch-nightly", "claude-sonnet-4-5"),
    ("email", "partner-api", "gpt-4o-mini"),
    ("report", "prod-frontend", "gpt-4o"),
    ("agent", "internal-tools", "gemini-2.5-flash"),
    ("review", "mobile-app", "claude-haiku-4-5"),
    ("onboard", "prod-frontend", "claude-sonnet-4-5"),
];

/// Labels of the keys that send.
pub fn keys() -> Vec<&'static str> {
    let mut keys: Vec<&str> = APPS.iter().map(|(_, key, _)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Where steps are sent.
#[derive(Clone, Debug)]
pub struct Target {
    /// `http://127.0.0.1:41234`.
    pub origin: String,
    /// Secret of each key, by its label.
    pub secrets: Vec<(String, String)>,
}

/// Sends `steps` steps that end at `now_micros`, and says every few seconds how far it is.
#[expect(clippy::print_stdout, reason = "sending takes minutes")]
pub async fn send(target: &Target, steps: u64, now_micros: i64) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let runs = steps / STEPS_PER_RUN;
    let runs_per_request = STEPS_PER_REQUEST / STEPS_PER_RUN;
    let begun = Instant::now();
    let mut first = 0;
    let mut said = Instant::now();
    while first < runs {
        let mut sent = Vec::new();
        for _ in 0..SENDERS {
            let last = (first + runs_per_request).min(runs);
            for (key, secret) in &target.secrets {
                let batch: Vec<Value> = (first..last)
                    .filter(|run| app(*run).1 == key.as_str())
                    .flat_map(|run| {
                        (0..STEPS_PER_RUN).map(move |step| self::step(run, step, runs, now_micros))
                    })
                    .collect();
                if batch.is_empty() {
                    continue;
                }
                let request = client
                    .post(format!("{}/ingest/batch", target.origin))
                    .bearer_auth(secret)
                    .header("content-type", "application/json")
                    .body(json!({ "steps": batch }).to_string());
                sent.push(async move {
                    let answer = request.send().await?;
                    let status = answer.status();
                    ensure!(status.is_success(), "answered {status}: {}", answer.text().await?);
                    Ok::<(), anyhow::Error>(())
                });
            }
            first = last;
        }
        futures::future::try_join_all(sent).await?;
        if said.elapsed().as_secs() >= 10 {
            said = Instant::now();
            let steps_a_second = (first * STEPS_PER_RUN) as f64 / begun.elapsed().as_secs_f64();
            println!("{} of {runs} runs, {steps_a_second:.0} steps/s", first);
        }
    }
    Ok(())
}

/// Records each release as a deploy that was live when its first run began.
pub async fn ship(target: &Target, steps: u64, now_micros: i64) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let runs = steps / STEPS_PER_RUN;
    let Some((_, secret)) = target.secrets.first() else {
        return Ok(());
    };
    for nth in 0..RELEASES {
        let first = (nth * runs).div_ceil(RELEASES);
        let record = json!({
            "id": format!("release-{nth}"),
            "sha": release(nth),
            "pr_number": nth + 1,
            "completed_at": rfc3339(began_at(first, runs, now_micros)),
        });
        let answer = client
            .post(format!("{}/api/deploys", target.origin))
            .bearer_auth(secret)
            .header("content-type", "application/json")
            .body(record.to_string())
            .send()
            .await?;
        let status = answer.status();
        ensure!(status.is_success(), "answered {status}: {}", answer.text().await?);
    }
    Ok(())
}

fn release(nth: u64) -> String {
    format!("{:010x}", hash(nth, 5) & 0xff_ffff_ffff)
}

/// When a run began, in microseconds.
fn began_at(run: u64, runs: u64, now_micros: i64) -> i64 {
    let span_micros = DAYS * 86_400_000_000;
    now_micros - (span_micros / runs * (runs - run)) as i64
}

fn app(run: u64) -> &'static (&'static str, &'static str, &'static str) {
    &APPS[(hash(run, 1) % APPS.len() as u64) as usize]
}

/// A number that looks random and is always the same (SplitMix64).
fn hash(n: u64, salt: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn run_id(run: u64) -> String {
    format!("req-{run:07}-{:06x}", hash(run, 2) & 0xff_ffff)
}

/// `2026-11-21T09:00:00Z`; the epoch for what is no time.
fn rfc3339(micros: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// The same, a number of days ago.
pub fn days_before(now_micros: i64, days: u64) -> String {
    rfc3339(now_micros - days as i64 * 86_400_000_000)
}

fn step(run: u64, step: u64, runs: u64, now_micros: i64) -> Value {
    let (app, _, model) = app(run);
    let at = began_at(run, runs, now_micros) + (step * 120_000) as i64;
    let fate = hash(run, 3) % 100;
    let n = run * STEPS_PER_RUN + step;
    let environment = ["production"; 8]
        .into_iter()
        .chain(["staging", "dev"])
        .nth((hash(run, 4) % 10) as usize);
    let name = match step {
        0 => format!("handle-{app}"),
        1 => format!("parse-request-{app}"),
        2 => "search-kb".to_owned(),
        3 => format!("draft-reply-{}", hash(run, 1) % 5),
        _ => "check-reply".to_owned(),
    };
    // A quarter of the runs has a step that goes wrong, which is one step in twenty.
    let goes_wrong = step == 2 && fate < 25;
    let fails = goes_wrong && fate < 4;
    let region = ["eu", "us", "ap"][(hash(run, 11) % 3) as usize];
    let mut one = json!({
        "run_id": run_id(run),
        "step_id": format!("{}", step + 1),
        "step_name": name,
        "step_index": step,
        "model": if step == 2 { "text-embedding-3-small" } else { *model },
        "environment": environment,
        "release": release(run * RELEASES / runs),
        "started_at": rfc3339(at),
        "latency_ms": 100 + hash(n, 6) % 1_900,
        "input_tokens": 200 + hash(n, 7) % 800,
        "cache_read_tokens": hash(n, 8) % 600,
        "output_tokens": 18 + hash(n, 9) % 22,
        "prompt": format!("{{\"system\":\"You are {name} of a support desk. Answer in one {}.\",\"messages\":[{{\"role\":\"user\",\"content\":\"Order {n} arrived with one keyboard instead of two.\"}}]}}", if goes_wrong { "word" } else { "sentence" }),
        "output_code": format!("Thank you for telling us about order {n}. The second keyboard leaves our warehouse today."),
        "attributes": {"customer": format!("c{}", hash(run, 10) % 500), "region": region, "request_id": format!("{:016x}", hash(run, 12))},
        "stop_reason": "end_turn",
    });
    if !hash(n, 26).is_multiple_of(250) {
        one["cost"] = json!((100 + hash(n, 25) % 4_000) as f64 / 1e6);
    }
    if step > 0 {
        one["parent_step_id"] = json!("1");
    }
    if hash(run, 13) % 10 < 6 {
        one["session_id"] = json!(format!("sess-{}", run / 8));
    }
    if hash(run, 14) % 10 < 7 {
        let skewed = ((hash(run, 15) % 100_000) as f64 / 100_000.0).powi(3);
        one["user_id"] = json!(format!("user-{}", (skewed * 20_000.0) as u64));
    }
    match hash(run, 16) % 4 {
        0 => {}
        1 => one["tags"] = json!(["checkout"]),
        2 => one["tags"] = json!(["beta", format!("tier-{}", hash(run, 17) % 5)]),
        _ => one["tags"] = json!([format!("batch-{}", hash(run, 18) % 300)]),
    }
    if fails || (step == 0 && fate < 4) {
        one["status_success"] = json!(false);
        one["error"] = json!(match hash(run, 19) % 3 {
            0 => format!(
                "TimeoutError: upstream did not answer within 30000 ms (request {:012x})",
                hash(run, 20)
            ),
            1 => format!(
                "RateLimitError: 429 too many requests, retry after {} s",
                hash(run, 21) % 60
            ),
            _ => format!(
                "The output is not valid JSON: unexpected end of input at byte {}",
                hash(run, 22) % 4_000
            ),
        });
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_always_the_same() {
        assert_eq!(step(7, 2, 1_000, 0), step(7, 2, 1_000, 0));
        assert_ne!(run_id(7), run_id(8));
    }
}
