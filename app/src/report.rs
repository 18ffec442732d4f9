//! A report on some days: what they cost, which deploy raised the bill, by key and by model. Whoever has read the figures
//! fills in a [`Report`]; its sentences, its rows and its HTML are written here, in the words of the pages.

mod html;

use domain::series::{Metric, MetricUnit};
use domain::{Deploy, Timestamp, text};
use engine::compare::{Effect, Measure, Reading};
use engine::rollout::RolloutEffect;

use crate::models::cost_words::{Compared, cost_moved, nothing_worse};
use crate::models::rollout_words::{self, basis, deploy_name, moved};

const DAY_MICROS: i64 = 86_400_000_000;

/// What is reported.
#[derive(Clone, Debug)]
pub struct Report {
    /// Slug of the project.
    pub project: String,
    /// The address of its pages, without a slash at the end: links lead there.
    pub pages: String,
    /// First instant: a midnight of UTC.
    pub from: Timestamp,
    /// First instant after it: another one.
    pub to: Timestamp,
    /// When it was read.
    pub made_at: Timestamp,
    /// Only the calls with this key's label.
    pub key: Option<String>,
    /// Figures of all calls, in this window and in the one before.
    pub figures: Vec<Figure>,
    /// Metrics by key and day.
    pub series: Vec<MetricByKey>,
    /// What shipped, the latest first.
    pub deploys: Vec<Deploy>,
    /// What the latest of them that went live moved.
    pub rollouts: Vec<(Deploy, RolloutEffect)>,
    /// Calls by key, by model.
    pub tables: Vec<Table>,
    /// What is expected of the month, a sentence each.
    pub expected: Vec<String>,
}

/// A metric of all calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Which.
    pub metric: Metric,
    /// In the window; `None` is unknown.
    pub now: Option<f64>,
    /// In the window before; `None` is unknown too, or nothing to compare with.
    pub before: Option<f64>,
}

/// A metric by key and day.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricByKey {
    /// Which.
    pub metric: Metric,
    /// The largest key first; one value for each day, `None` where there was no call.
    pub keys: Vec<(String, Vec<Option<f64>>)>,
}

/// Rows of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it shows: `By key`.
    pub title: String,
    /// The heads of its columns; the first is of names, the others of figures.
    pub head: Vec<String>,
    /// Its rows, each as long as the head.
    pub rows: Vec<Vec<String>>,
}

/// The report in one sentence, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `After PR 2 cost per call of prod-frontend rose ×2.5: $0.0084 → $0.0214`.
    pub head: String,
    /// Why.
    pub reason: String,
    /// The deploy it names, if it names one.
    pub deploy_id: Option<String>,
}

impl Report {
    /// Its days in words: `1 – 30 Nov 2026`.
    pub fn days(&self) -> String {
        let last = self.to.plus_micros(-DAY_MICROS);
        format!(
            "{} {}",
            text::day_range(self.from, last),
            last.to_offset_date_time().year()
        )
    }

    /// How many days: `30 days`.
    pub fn length(&self) -> String {
        text::counted((self.to.micros() - self.from.micros()) / DAY_MICROS, "day")
    }

    /// Which deploy made something worse; else how cost moved.
    pub fn verdict(&self) -> Verdict {
        let Some((deploy, moved_by, key, effect)) = rollout_words::worst(&self.rollouts) else {
            let cost = self.figures.iter().find(|figure| figure.metric == Metric::Cost);
            let (now, before) = cost.map_or((None, None), |figure| (figure.now, figure.before));
            return Verdict {
                head: cost_moved(now, before, &Compared::with_before(&self.length())),
                reason: nothing_worse(self.deploys.len(), self.rollouts.len()),
                deploy_id: None,
            };
        };
        let part = moved_by.keys.iter().find(|part| part.key == key);
        let switched = part.and_then(|part| {
            rollout_words::switch_words(&part.models).or_else(|| rollout_words::switch_words(&part.templates))
        });
        let switched = switched.map(|switched| format!(" On {key}, {switched}."));
        let others = match self.rollouts.len().saturating_sub(1) {
            0 => String::new(),
            1 => " One other deploy was compared with what was before it.".to_owned(),
            n => format!(" {n} other deploys were compared with what was before them."),
        };
        Verdict {
            head: format!("After {} {}", deploy.name(), moved(key, effect)),
            reason: format!(
                "{}, live since {} UTC: {}.{}{others}",
                deploy_name(deploy),
                minute(deploy.at()),
                basis(effect),
                switched.unwrap_or_default()
            ),
            deploy_id: Some(deploy.id.clone()),
        }
    }

    /// What each compared deploy moved.
    pub fn deploy_table(&self) -> Table {
        let rows = self.rollouts.iter().map(|(deploy, moved)| {
            let of = |measure: Measure| moved.effect(measure).map_or_else(|| "-".to_owned(), effect_words);
            vec![
                deploy_name(deploy),
                format!("{} UTC", minute(deploy.at())),
                deploy.author.clone().unwrap_or_default(),
                of(Measure::CostPerCall),
                of(Measure::LatencyP95),
                of(Measure::ErrorRate),
            ]
        });
        Table {
            title: "What shipped".to_owned(),
            head: [
                "Deploy",
                "Live since",
                "By",
                "Cost per call",
                "Latency p95",
                "Errors",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: rows.collect(),
        }
    }
}

impl Figure {
    /// Its value, what it was, and the change: `$21.87`, `$8.66`, `×2.5`.
    pub fn words(&self) -> (String, String, String) {
        let unit = self.metric.unit();
        let word = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| engine::series::text(value, unit))
        };
        let change = match (self.now, self.before) {
            (Some(now), Some(before)) if unit == MetricUnit::Share => {
                rollout_words::change_text(Measure::ErrorRate, now - before)
            }
            (Some(now), Some(before)) if before > 0.0 => rollout_words::ratio(now / before - 1.0),
            _ => "-".to_owned(),
        };
        (word(self.now), word(self.before), change)
    }

    /// Whether it changed for the worse by a tenth or more.
    pub fn is_worse(&self) -> bool {
        let rose = match (self.now, self.before) {
            (Some(now), Some(before)) => now > before * 1.1,
            _ => false,
        };
        rose && self.metric.more_is_worse() == Some(true)
    }
}

/// `+155 % (hardly chance)`.
fn effect_words(effect: &Effect) -> String {
    let Some(change) = rollout_words::change(effect) else {
        return "-".to_owned();
    };
    match effect.reading {
        Reading::Unclear => format!("{change}, may be chance"),
        _ => change,
    }
}

/// `2026-11-22 14:12`.
fn minute(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(16).collect();
    text.replace('T', " ")
}

#[cfg(test)]
mod tests;
