//! The limits of all keys in memory: a request is admitted or refused without asking anybody. Once a second each process
//! tells the database what it counted and hears what the others did; `domain::key_limit` says how exact that is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use domain::key_limit::{Amounts, KeyCounter, Measure, Period, UsedUp};
use domain::{ProjectId, Timestamp};
use storage::alerts::KeyLimitNews;
use storage::key_limits::{LimitedKey, Use};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::alerts::look_at_key_limits;
use crate::auth::Caller;
use crate::clock;
use crate::error::{HttpError, HttpResult};

/// How often processes hear of each other.
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody is to be told of a limit; that it was told the database knows.
const LOOK_AGAIN_MICROS: i64 = 60_000_000;

/// When a share of a limit was looked at last: of a project's label, a measure with its limit, in percent.
type Looked = BTreeMap<(ProjectId, String, (Measure, i64, u32)), Timestamp>;
type Counters = BTreeMap<ProjectId, BTreeMap<String, KeyCounter>>;

/// The limits and counts that this process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct KeyLimits(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counters: Mutex<Counters>,
    /// Most servers limit nothing, and ask nothing then.
    has_any: AtomicBool,
    /// Held while counts are on their way.
    exchanging: tokio::sync::Mutex<()>,
}

impl KeyLimits {
    /// Counts a request, or refuses it with 429 and when to try again.
    pub fn admit(&self, caller: &Caller) -> HttpResult<()> {
        if !self.0.has_any.load(Ordering::Acquire) {
            return Ok(());
        }
        let now = clock::now();
        let mut counters = self.counters();
        let counter = counters
            .get_mut(&caller.project_id)
            .and_then(|labels| labels.get_mut(&caller.key_label));
        match counter.map(|counter| counter.admit(now)) {
            Some(Err(used_up)) => Err(refusal(&caller.key_label, &used_up, now)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Counts what a step used, once it is stored.
    pub fn add(&self, project: ProjectId, label: &str, used: Amounts, now: Timestamp) {
        if !self.0.has_any.load(Ordering::Acquire) {
            return;
        }
        let mut counters = self.counters();
        let counter = counters
            .get_mut(&project)
            .and_then(|labels| labels.get_mut(label));
        if let Some(counter) = counter {
            counter.add(used, now);
        }
    }

    /// Tells the database what was counted here, and hears what all processes counted, and the limits.
    pub async fn exchange(&self, db: &storage::Db) -> storage::Result<()> {
        let _alone = self.0.exchanging.lock().await;
        let counted = self.leaving();
        let known = storage::key_limits::exchange(db, counted).await;
        let mut counters = self.counters();
        match known {
            Ok(known) => {
                self.0.has_any.store(!known.is_empty(), Ordering::Release);
                let mut left = std::mem::take(&mut *counters);
                for LimitedKey {
                    project_id,
                    label,
                    limits,
                    used,
                } in known
                {
                    let counter = left.get_mut(&project_id).and_then(|labels| labels.remove(&label));
                    let mut counter = counter.unwrap_or_default();
                    counter.arrived(limits, used);
                    counters.entry(project_id).or_default().insert(label, counter);
                }
                Ok(())
            }
            Err(cause) => {
                let labels = counters.values_mut().flat_map(BTreeMap::values_mut);
                labels.for_each(KeyCounter::lost);
                Err(cause)
            }
        }
    }

    /// Exchanges counts until `shutdown`, and tells of limits that are nearly or wholly used up; `alerts_wake` is notified
    /// after it. While the database is away, what is known goes on to hold.
    pub async fn run(self, db: storage::Db, alerts_wake: Arc<Notify>, shutdown: CancellationToken) {
        let mut looked = Looked::new();
        let mut tick = tokio::time::interval(EXCHANGE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => return,
            }
            if let Err(cause) = self.exchange(&db).await {
                tracing::debug!(error = ?cause, "the limits of keys were not exchanged");
                continue;
            }
            let now = clock::now();
            for (project, news) in self.news(&mut looked, now) {
                match look_at_key_limits(&db, project, news, now).await {
                    Ok(0) => {}
                    Ok(_) => alerts_wake.notify_one(),
                    Err(cause) => {
                        tracing::warn!(project.id = %project, error = ?cause, "limits of keys were not looked at");
                    }
                }
            }
        }
    }

    /// The limits that are worth telling and were not looked at for a while.
    fn news(&self, looked: &mut Looked, now: Timestamp) -> BTreeMap<ProjectId, Vec<KeyLimitNews>> {
        let mut news: BTreeMap<ProjectId, Vec<KeyLimitNews>> = BTreeMap::new();
        let mut still = Looked::new();
        for (project, labels) in self.counters().iter() {
            for (label, counter) in labels {
                for reached in counter.reached_in_month(now) {
                    let share = (reached.measure, reached.limit, reached.percent);
                    let which = (*project, label.clone(), share);
                    let last = looked.get(&which).copied();
                    let is_due = last.is_none_or(|last| now.micros() - last.micros() >= LOOK_AGAIN_MICROS);
                    if is_due {
                        news.entry(*project).or_default().push(KeyLimitNews {
                            key: label.clone(),
                            reached,
                        });
                    }
                    still.insert(which, last.filter(|_| !is_due).unwrap_or(now));
                }
            }
        }
        *looked = still;
        news
    }

    fn leaving(&self) -> Vec<Use> {
        let mut counters = self.counters();
        let mut leaving = Vec::new();
        for (project_id, labels) in counters.iter_mut() {
            for (label, counter) in labels {
                let of = |(period, begin, amounts): (Period, Timestamp, Amounts)| Use {
                    project_id: *project_id,
                    label: label.clone(),
                    period,
                    begin,
                    amounts,
                };
                leaving.extend(counter.leave().into_iter().map(of));
            }
        }
        leaving
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.0.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(label: &str, used_up: &UsedUp, now: Timestamp) -> HttpError {
    let seconds = (used_up.until.micros() - now.micros())
        .max(0)
        .div_euclid(1_000_000)
        + 1;
    let message = format!(
        "the key `{label}` may use {} {} a {} and has used them; try again after {} (UTC), or have an admin of the project \
         raise the limit under Settings, Keys",
        used_up.limit,
        used_up.measure.as_str(),
        used_up.period.as_str(),
        used_up.until
    );
    HttpError {
        retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
        ..HttpError::new(StatusCode::TOO_MANY_REQUESTS, "key_limit", message)
    }
}
