//! Delivering what waits, several channels at once. Whatever ends this process leaves a claim that runs out, after which
//! any process delivers again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::alert::{AlertContent, Channel, Trigger};
use domain::{Severity, Timestamp};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::json;
use storage::alerts::{self, Claimed, ClaimedAlert, Delivered, Digest, NewAlert, Outcome, Turn};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::backoff::{MAX_ASKED_S, wait_micros};
use super::message::{Message, Sending};
use super::plan::Plan;
use super::reply::{Reply, Verdict};
use super::send::{Delivery, Sender, elapsed_ms};
use super::triggers::summary_of;
use crate::clock;

/// Channels that this process speaks to at once.
const MAX_AT_ONCE: usize = 8;
/// How long a channel is claimed: longer than any call may take.
const CLAIM_MICROS: i64 = 30 * 1_000_000;
/// How often it is looked whether something is due that nobody told of.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// How long nothing is looked at when the database does not answer.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);
/// Slack takes about one message in a second.
const SLACK_PACE_MICROS: i64 = 1_000_000;
/// An alert that could not be delivered for so long is given up.
const MAX_AGE_MICROS: i64 = 24 * 3_600 * 1_000_000;

const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(600);
const PAUSED_KEPT_MICROS: i64 = 24 * 3_600 * 1_000_000;
const STOPPED_KEPT_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;
/// How long the log is kept.
const LOG_KEPT_MICROS: i64 = 30 * 24 * 3_600 * 1_000_000;

/// Of a channel that people read, more than three alerts at once are one message.
fn digest_of(channel: Channel) -> Option<Digest> {
    match channel {
        Channel::Slack | Channel::Email => Some(Digest { above: 3, most: 20 }),
        Channel::Sentry | Channel::Webhook => None,
    }
}

/// Delivers until `shutdown`, after which what is under way is still finished. `wake` is notified when there may be
/// something to deliver.
///
/// Each delivery is a task: one that is only polled between two looks at the channels would keep its connection
/// while the look waits for one.
pub async fn run(sender: Sender, wake: Arc<Notify>, shutdown: CancellationToken) {
    let mut under_way = JoinSet::new();
    let mut tidied: Option<Instant> = None;
    loop {
        let mut pause = POLL_INTERVAL;
        while under_way.len() < MAX_AT_ONCE && !shutdown.is_cancelled() {
            let now = clock::now();
            match alerts::claim(&sender.db, digest_of, now, now.plus_micros(CLAIM_MICROS)).await {
                Ok(Turn::Claimed(claimed)) => {
                    under_way.spawn(deliver(sender.clone(), claimed));
                }
                Ok(Turn::PutOff) => {}
                Ok(Turn::Nothing) => {
                    pause = until_due(&sender.db).await;
                    break;
                }
                Err(cause) => {
                    tracing::warn!(error = ?cause, "alerts are not delivered: the database does not answer");
                    pause = OUTAGE_PAUSE;
                    break;
                }
            }
        }
        if tidied.is_none_or(|at| at.elapsed() >= HOUSEKEEPING_INTERVAL) && !shutdown.is_cancelled() {
            tidied = Some(Instant::now());
            if let Err(cause) = tidy(&sender.db, clock::now()).await {
                tracing::warn!(error = ?cause, "old alerts are not deleted yet");
            }
        }
        if shutdown.is_cancelled() {
            while let Some(ended) = under_way.join_next().await {
                fail_with(ended);
            }
            return;
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            Some(ended) = under_way.join_next() => fail_with(ended),
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// A delivery's defect is that of the task that is supervised.
fn fail_with(ended: Result<(), JoinError>) {
    if let Err(ended) = ended
        && let Ok(panic) = ended.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// How long until something is due; what is due already is under way.
async fn until_due(db: &storage::Db) -> Duration {
    let now = clock::now();
    match alerts::next_due(db).await {
        Ok(Some(due)) if due > now => {
            let micros = u64::try_from(due.micros() - now.micros()).unwrap_or(0);
            Duration::from_micros(micros).min(POLL_INTERVAL)
        }
        _ => POLL_INTERVAL,
    }
}

/// Gives up what waited for too long, and deletes what is old.
pub async fn tidy(db: &storage::Db, now: Timestamp) -> storage::Result<()> {
    let ago = |micros: i64| now.plus_micros(-micros);
    let dropped = alerts::drop_forgotten(db, ago(PAUSED_KEPT_MICROS), ago(STOPPED_KEPT_MICROS), now).await?;
    if dropped > 0 {
        tracing::warn!(
            dropped,
            "alerts were dropped that could not be delivered for too long"
        );
    }
    let dropped = storage::traces::drop_forgotten(db, ago(PAUSED_KEPT_MICROS), now).await?;
    if dropped > 0 {
        tracing::warn!(
            dropped,
            "runs were dropped that could not be sent to Sentry for too long"
        );
    }
    while alerts::delete_expired(db, ago(LOG_KEPT_MICROS)).await? > 0 {}
    Ok(())
}

async fn deliver(sender: Sender, claimed: Box<Claimed>) {
    let started = Instant::now();
    let sending = Sending {
        slug: claimed.slug.clone(),
        project: claimed.project_name.clone(),
        public_url: sender.public_url.to_string(),
        now: clock::now(),
    };
    let messages: Vec<Message> = claimed.alerts.iter().filter_map(message).collect();
    let reply = if messages.is_empty() {
        let answer = "What is stored of this alert can't be read".to_owned();
        Reply::new(Verdict::Refused, answer)
    } else {
        let delivery = Delivery {
            project: claimed.project_id,
            channel: claimed.channel,
            options: &claimed.options,
            sending: &sending,
            messages: &messages,
        };
        sender.deliver(&delivery).await
    };
    let now = clock::now();
    let mut done = Delivered {
        outcome: Outcome::Delivered,
        answer: reply.answer,
        latency_ms: elapsed_ms(started),
        next_at: next_after(claimed.channel, reply.pause_s, now),
        tell: Vec::new(),
    };
    let (project, channel) = (claimed.project_id, claimed.channel.as_str());
    match reply.verdict {
        Verdict::Taken => {}
        Verdict::Refused => {
            done.outcome = Outcome::Refused;
            tracing::warn!(project.id = %project, channel, answer = done.answer, "an alert was refused");
        }
        Verdict::TryAgain { after_s } => {
            let again_at = now.plus_micros(wait_micros(claimed.failures, after_s, jitter()));
            done.next_at = again_at;
            done.outcome = if is_given_up(&claimed, now) {
                Outcome::Refused
            } else {
                Outcome::Retry(again_at)
            };
        }
        Verdict::Stopped => {
            done.outcome = Outcome::Stopped;
            tracing::warn!(project.id = %project, channel, answer = done.answer, "a channel of alerts stopped");
            match others(&sender, &claimed, &done.answer).await {
                Ok(tell) => done.tell = tell,
                Err(cause) => tracing::warn!(error = ?cause, "nobody is told that a channel stopped"),
            }
        }
    }
    // Where this fails, the claim runs out and the alerts are delivered once more, under the same ids.
    if let Err(cause) = alerts::finish(&sender.db, &claimed, &done, now).await {
        tracing::warn!(error = ?cause, project.id = %project, channel, "the end of a delivery could not be written down");
    }
}

fn message(alert: &ClaimedAlert) -> Option<Message> {
    Some(Message {
        id: alert.alert_id,
        trigger: alert.trigger,
        created_at: alert.created_at,
        last_at: alert.last_at,
        occurrences: alert.occurrences,
        summary: if alert.occurrences > 1 {
            format!("{} (×{})", alert.summary, alert.occurrences)
        } else {
            alert.summary.clone()
        },
        subject: alert.subject.clone(),
        content: serde_json::from_value(alert.content.clone()).ok()?,
    })
}

/// Somebody who pressed "Send again" gets at least one try for an old alert; after that it is as old as it is.
fn is_given_up(claimed: &Claimed, now: Timestamp) -> bool {
    let is_old = |alert: &ClaimedAlert| now.micros() - alert.created_at.micros() > MAX_AGE_MICROS;
    claimed.alerts.iter().all(is_old)
}

fn next_after(channel: Channel, pause_s: Option<i64>, now: Timestamp) -> Timestamp {
    let pace = match channel {
        Channel::Slack => SLACK_PACE_MICROS,
        Channel::Sentry | Channel::Email | Channel::Webhook => 0,
    };
    let pause = pause_s.unwrap_or(0).clamp(0, MAX_ASKED_S) * 1_000_000;
    now.plus_micros(pace.max(pause))
}

fn jitter() -> u32 {
    SysRng.try_next_u32().map_or(500, |random| random % 1_001)
}

/// What the other channels of the project are told.
async fn others(sender: &Sender, claimed: &Claimed, answer: &str) -> storage::Result<Vec<NewAlert>> {
    let plan = Plan::read(&sender.db, claimed.project_id).await?;
    let content = AlertContent::IntegrationBroken {
        channel: claimed.channel,
        answer: answer.to_owned(),
    };
    let mut told = BTreeMap::new();
    for channel in plan
        .channels
        .iter()
        .copied()
        .filter(|channel| *channel != claimed.channel)
    {
        let alert = NewAlert {
            project_id: claimed.project_id,
            trigger: Trigger::IntegrationBroken,
            channel,
            group_key: claimed.channel.as_str().to_owned(),
            quiet_s: plan.settings.quiet_s(Trigger::IntegrationBroken, channel),
            not_before: None,
            occurrences: 1,
            severity: Severity::Critical,
            summary: summary_of(&content),
            subject: json!({ "integration": claimed.channel.as_str() }),
            content: serde_json::to_value(&content).unwrap_or_default(),
        };
        told.insert(channel, alert);
    }
    Ok(told.into_values().collect())
}
