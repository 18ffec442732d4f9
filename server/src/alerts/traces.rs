//! Sending runs to Sentry as tracing data. A run is sent when all of its steps have ended and none has come for a few
//! seconds, or when none has come for ten minutes; once more, under the same ids, when a step comes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::Timestamp;
use serde_json::Value;
use storage::traces::{QueuedRun, TakenRuns, TraceEnd, TraceOutcome};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::backoff::{MAX_ASKED_S, wait_micros};
use super::reply::Verdict;
use super::send::Sender;
use super::sentry::trace::{TracedRun, format_of};
use crate::clock;

/// How long after its last step a run is sent.
pub(super) const SETTLE_MICROS: i64 = 5 * 1_000_000;
/// Runs that one process sends at once, and that it takes at once.
const MAX_AT_ONCE: usize = 8;
const TAKEN_AT_ONCE: i64 = 32;
/// How long they are this process's: longer than sending them one after the other may take.
const CLAIM_MICROS: i64 = 300 * 1_000_000;
/// Steps of a run that are sent.
const MAX_STEPS: u32 = 20_000;
/// A run that could not be sent for so long is given up.
const MAX_AGE_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// How long nothing is sent to a receiver that refuses for good.
const REFUSED_PAUSE_S: i64 = 900;
const POLL_INTERVAL: Duration = Duration::from_secs(10);
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);

/// Sends until `shutdown`. `wake` is notified when a run may be due soon.
pub async fn run(sender: Sender, wake: Arc<Notify>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let pause = match send_due(&sender, clock::now()).await {
            Ok(0) => until_due(&sender.db).await,
            Ok(_) => Duration::ZERO,
            Err(cause) => {
                tracing::warn!(error = ?cause, "no traces are sent: the database does not answer");
                OUTAGE_PAUSE
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = wake.notified(), if !pause.is_zero() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn until_due(db: &storage::Db) -> Duration {
    let now = clock::now();
    match storage::traces::next_due(db).await {
        Ok(Some(due)) if due > now => {
            let micros = u64::try_from(due.micros() - now.micros()).unwrap_or(0);
            Duration::from_micros(micros).min(POLL_INTERVAL)
        }
        _ => POLL_INTERVAL,
    }
}

/// Sends runs of one project that are due at `now`. Returns how many were looked at.
pub async fn send_due(sender: &Sender, now: Timestamp) -> storage::Result<usize> {
    let until = now.plus_micros(CLAIM_MICROS);
    let Some(taken) = storage::traces::take(&sender.db, now, until, TAKEN_AT_ONCE).await? else {
        return Ok(0);
    };
    let looked_at = taken.runs.len();
    let taken = Arc::new(taken);
    let mut under_way = JoinSet::new();
    let heard = Arc::new(Heard {
        is_away: AtomicBool::new(false),
        is_limited: AtomicBool::new(taken.is_limited),
    });
    for queued in taken.runs.clone() {
        if under_way.len() >= MAX_AT_ONCE {
            under_way.join_next().await;
        }
        // The others are looked at again when the claim has run out.
        if heard.is_away.load(Ordering::Relaxed) {
            break;
        }
        let (sender, taken, heard) = (sender.clone(), Arc::clone(&taken), Arc::clone(&heard));
        under_way.spawn(async move { one(&sender, &taken, &queued, &heard, now).await });
    }
    while under_way.join_next().await.is_some() {}
    Ok(looked_at)
}

/// What the attempts so far say of the receiver.
#[derive(Debug)]
struct Heard {
    is_away: AtomicBool,
    is_limited: AtomicBool,
}

async fn one(sender: &Sender, taken: &TakenRuns, queued: &QueuedRun, heard: &Heard, now: Timestamp) {
    let is_limited = heard.is_limited.load(Ordering::Relaxed);
    let end = match attempt(sender, taken, queued, is_limited, now).await {
        Ok(end) => end,
        Err(cause) => {
            tracing::warn!(error = ?cause, project.id = %taken.project_id, "a trace is not sent yet: the database does not answer");
            return;
        }
    };
    if end.is_away() {
        heard.is_away.store(true, Ordering::Relaxed);
    }
    if end.limited_until.is_some() {
        heard.is_limited.store(true, Ordering::Relaxed);
    }
    if let Err(cause) = storage::traces::finish(&sender.db, taken, &queued.run_id, &end, now).await {
        tracing::warn!(error = ?cause, project.id = %taken.project_id, "the end of a trace could not be written down");
    }
}

async fn attempt(
    sender: &Sender,
    taken: &TakenRuns,
    queued: &QueuedRun,
    is_limited: bool,
    now: Timestamp,
) -> storage::Result<TraceEnd> {
    let done = |outcome: TraceOutcome| TraceEnd {
        outcome: Some(outcome),
        again_at: now,
        steps_cut: 0,
        limited_until: None,
        error: None,
    };
    if is_limited {
        return Ok(TraceEnd {
            error: Some("Sentry's rate limit".to_owned()),
            ..done(TraceOutcome::RateLimited)
        });
    }
    let project = taken.project_id;
    let mut snapshot = sender.db.snapshot(project).await?;
    let run = match storage::runs::get(&mut snapshot, project, &queued.run_id).await {
        Ok(run) => run,
        // It was deleted meanwhile.
        Err(storage::Error::NotFound) => return Ok(done(TraceOutcome::Refused)),
        Err(cause) => return Err(cause),
    };
    let quiet = now.micros() - queued.changed_at.micros();
    if let Some(again_at) = run.status.complete_by(queued.changed_at, now) {
        return Ok(TraceEnd {
            outcome: None,
            again_at,
            ..done(TraceOutcome::Sent)
        });
    }
    let steps = storage::steps::of_run(&mut snapshot, project, &queued.run_id, MAX_STEPS).await?;
    drop(snapshot);
    let format = format_of(&taken.options);
    let sent = sender
        .send_trace(project, format.category(), |public_key| {
            format.envelopes(&TracedRun {
                project,
                slug: &taken.slug,
                public_key,
                public_url: &sender.public_url,
                environment: taken.options.get("environment").and_then(Value::as_str),
                run: &run,
                steps: &steps,
                now,
            })
        })
        .await;
    let limited_until = sent
        .reply
        .pause_s
        .map(|pause_s| now.plus_micros(pause_s.clamp(0, MAX_ASKED_S) * 1_000_000));
    let error = (sent.reply.verdict != Verdict::Taken).then(|| sent.reply.answer.clone());
    let end = TraceEnd {
        limited_until,
        error,
        steps_cut: i64::try_from(sent.steps_cut).unwrap_or(0),
        ..done(TraceOutcome::Sent)
    };
    Ok(match sent.reply.verdict {
        Verdict::Taken => end,
        Verdict::Refused => TraceEnd {
            outcome: Some(TraceOutcome::Refused),
            ..end
        },
        Verdict::Stopped => TraceEnd {
            outcome: Some(TraceOutcome::Refused),
            limited_until: Some(now.plus_micros(REFUSED_PAUSE_S * 1_000_000)),
            ..end
        },
        // A limit that was asked for: what comes meanwhile is not kept.
        Verdict::TryAgain {
            after_s: Some(after_s),
        } => TraceEnd {
            outcome: Some(TraceOutcome::RateLimited),
            limited_until: limited_until
                .max(Some(now.plus_micros(after_s.clamp(0, MAX_ASKED_S) * 1_000_000))),
            ..end
        },
        Verdict::TryAgain { after_s: None } if quiet > MAX_AGE_MICROS => TraceEnd {
            outcome: Some(TraceOutcome::Unreachable),
            ..end
        },
        Verdict::TryAgain { after_s: None } => TraceEnd {
            outcome: None,
            again_at: now.plus_micros(wait_micros(queued.attempts, None, 500)),
            steps_cut: 0,
            ..end
        },
    })
}
