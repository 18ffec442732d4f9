//! Spans as OpenTelemetry's exporters send them: an agent with its calls of a model and a tool, in the words of
//! OpenTelemetry's conventions for models.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use otlp::wire::{self, TracesData};
use prost::Message as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ingest_load::Sent;

/// Spans of one trace.
pub const SPANS_PER_TRACE: usize = 5;
/// What exporters do when they are told to come later, shorter: they wait for seconds.
const WAIT_WHEN_FULL: Duration = Duration::from_millis(50);

/// A way to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Its name in the table.
    pub name: &'static str,
    /// Requests under way at once.
    pub connections: usize,
    /// A multiple of [`SPANS_PER_TRACE`].
    pub spans_per_request: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Spans answered with 200, the time that took, and the latency of each such request.
    pub sent: Sent,
    /// Requests that were answered with 503 and sent again.
    pub turned_away: u64,
}

/// Sends protobuf for `time` to `url`. Traces are numbered from `first_trace`; the next number is returned with the rest,
/// so that no two loads send the same span.
pub async fn send(
    url: &str,
    load: &Load,
    first_trace: u64,
    time: Duration,
) -> anyhow::Result<(Accepted, u64)> {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(load.connections)
        .build()?;
    let one = trace(now_nanos()?)?;
    let next = Arc::new(AtomicU64::new(first_trace));
    let turned_away = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut senders = Vec::new();
    for _ in 0..load.connections {
        let (client, one, url) = (client.clone(), one.clone(), url.to_owned());
        let (next, turned_away) = (Arc::clone(&next), Arc::clone(&turned_away));
        let traces = (load.spans_per_request / SPANS_PER_TRACE) as u64;
        #[expect(
            clippy::disallowed_methods,
            reason = "a load generator has no shutdown to wait for"
        )]
        senders.push(tokio::spawn(async move {
            let mut latencies_ms = Vec::new();
            while begun.elapsed() < time {
                let first = next.fetch_add(traces, Ordering::Relaxed);
                let body = request(&one, first, traces).encode_to_vec();
                loop {
                    let sent = Instant::now();
                    let answer = client
                        .post(&url)
                        .header("content-type", "application/x-protobuf")
                        .body(body.clone())
                        .send()
                        .await?;
                    let status = answer.status();
                    answer.bytes().await?;
                    if status == StatusCode::SERVICE_UNAVAILABLE {
                        turned_away.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(WAIT_WHEN_FULL).await;
                        continue;
                    }
                    ensure!(status.is_success(), "answered {status}");
                    latencies_ms.push(sent.elapsed().as_secs_f64() * 1_000.0);
                    break;
                }
            }
            Ok(latencies_ms)
        }));
    }
    let mut latencies_ms: Vec<f64> = Vec::new();
    for sender in senders {
        latencies_ms.extend(sender.await??);
    }
    latencies_ms.sort_unstable_by(f64::total_cmp);
    let accepted = Accepted {
        sent: Sent {
            steps: (latencies_ms.len() * load.spans_per_request) as u64,
            seconds: begun.elapsed().as_secs_f64(),
            latencies_ms,
        },
        turned_away: turned_away.load(Ordering::Relaxed),
    };
    Ok((accepted, next.load(Ordering::Relaxed)))
}

/// What decoding costs on one core, in microseconds a span: from bytes to steps, before anything is priced or stored.
pub fn decode_micros_a_span(is_json: bool) -> anyhow::Result<f64> {
    const TRACES: u64 = 200;
    const TIME: Duration = Duration::from_secs(2);
    let now = now_nanos()?;
    let body = if is_json {
        let spans: Vec<Value> = (0..TRACES).flat_map(|_| spans(now)).collect();
        as_json(&spans).to_string().into_bytes()
    } else {
        request(&trace(now)?, 0, TRACES).encode_to_vec()
    };
    let received_at = domain::Timestamp::from_micros(i64::try_from(now / 1_000)?);
    let mut decoded = 0;
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let data = if is_json {
            wire::of_json(&body)
        } else {
            wire::of_protobuf(&body)
        };
        let data = data.map_err(|malformed| anyhow::anyhow!("{malformed:?}"))?;
        decoded += otlp::read(data, received_at).spans.len();
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / decoded as f64)
}

/// One resource with several traces, which are told apart by their numbers.
fn request(one: &TracesData, first: u64, traces: u64) -> TracesData {
    let mut data = one.clone();
    for scope in data
        .resource_spans
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_spans)
    {
        let spans = std::mem::take(&mut scope.spans);
        scope.spans = (first..first + traces)
            .flat_map(|number| {
                spans.iter().cloned().map(move |mut span| {
                    span.trace_id = u128::from(number + 1).to_be_bytes().to_vec();
                    span
                })
            })
            .collect();
    }
    data
}

fn trace(now_nanos: u64) -> anyhow::Result<TracesData> {
    let json = as_json(&spans(now_nanos)).to_string();
    wire::of_json(json.as_bytes()).map_err(|malformed| anyhow::anyhow!("{malformed:?}"))
}

fn as_json(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(&[
            ("service.name", "support-desk"),
            ("service.version", "4f2a91c"),
            ("deployment.environment.name", "production"),
            ("telemetry.sdk.language", "python"),
        ]) },
        "scopeSpans": [{ "scope": { "name": "opentelemetry.instrumentation.openai" }, "spans": spans }],
    }] })
}

/// An agent, three calls of a model with some hundred bytes of prompt and answer, and a tool.
fn spans(now_nanos: u64) -> Vec<Value> {
    const TRACE: &str = "00000000000000000000000000000001";
    let span = |id: u64, name: &str, attributes: Vec<Value>| {
        let start = now_nanos - 10_000_000_000 + id * 1_000_000;
        json!({
            "traceId": TRACE,
            "spanId": format!("{id:016x}"),
            "parentSpanId": if id == 1 { String::new() } else { format!("{:016x}", 1) },
            "name": name,
            "kind": 1,
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + 900_000_000).to_string(),
            "attributes": attributes,
            "status": {},
        })
    };
    let call = |id: u64| {
        let mut all = attributes(&[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4o-mini"),
            ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
            (
                "gen_ai.input.messages",
                r#"[{"role":"system","parts":[{"type":"text","content":"You answer customers of a support desk in one short paragraph."}]},{"role":"user","parts":[{"type":"text","content":"My order arrived with one keyboard instead of two. When does the second one come?"}]}]"#,
            ),
            (
                "gen_ai.output.messages",
                r#"[{"role":"assistant","parts":[{"type":"text","content":"Thank you for telling us. The second keyboard leaves our warehouse today and should reach you on Thursday."}],"finish_reason":"stop"}]"#,
            ),
        ]);
        for (key, tokens) in [
            ("gen_ai.usage.input_tokens", 412),
            ("gen_ai.usage.output_tokens", 37),
        ] {
            all.push(json!({ "key": key, "value": { "intValue": tokens.to_string() } }));
        }
        span(id, "chat gpt-4o-mini", all)
    };
    vec![
        span(
            1,
            "invoke_agent desk",
            attributes(&[
                ("gen_ai.operation.name", "invoke_agent"),
                ("gen_ai.agent.name", "desk"),
                ("session.id", "s-1"),
                ("user.id", "u-1"),
            ]),
        ),
        call(2),
        span(
            3,
            "execute_tool search",
            attributes(&[
                ("gen_ai.operation.name", "execute_tool"),
                ("gen_ai.tool.name", "search"),
                ("gen_ai.tool.call.arguments", r#"{"query":"delivery"}"#),
                (
                    "gen_ai.tool.call.result",
                    r#"{"hits":["orders.md","delivery.md"]}"#,
                ),
            ]),
        ),
        call(4),
        call(5),
    ]
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<Value> {
    pairs
        .iter()
        .map(|(key, text)| json!({ "key": key, "value": { "stringValue": text } }))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a load is as old as the clock says")]
fn now_nanos() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    u64::try_from(since).context("the clock is centuries ahead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trace_has_its_own_spans_and_every_call_its_tokens() {
        let one = trace(1_800_000_000_000_000_000).unwrap();
        let bytes = request(&one, 7, 2).encode_to_vec();
        let data = wire::of_protobuf(&bytes).unwrap();
        let read = otlp::read(data, domain::Timestamp::from_micros(1_800_000_000_000_000));
        assert_eq!((read.spans.len(), read.without_ids), (2 * SPANS_PER_TRACE, 0));
        let mut ids: Vec<(&str, &str)> = read
            .spans
            .iter()
            .map(|span| (span.step.run_id.as_str(), span.step.step_id.as_str()))
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 2 * SPANS_PER_TRACE);
        let with_tokens = read
            .spans
            .iter()
            .filter(|span| span.step.model.as_deref() == Some("gpt-4o-mini-2024-07-18"));
        assert_eq!(with_tokens.count(), 2 * 3);
    }
}
