//! What each deploy moved: calls before its rollout against calls after it, cut at its neighbours.

use std::collections::BTreeMap;

use domain::series::WindowSums;
use domain::{Deploy, Timestamp};
use serde::{Deserialize, Serialize};

use crate::compare::{Effect, Measure, Reading, Side, effects};
use crate::series::{MetricValue, Sums};

/// How long before and after a rollout is looked at, in microseconds: 48 hours.
pub const REACH_MICROS: i64 = 48 * 3_600_000_000;

/// Deploys whose effects are read beside one another, the latest ones.
pub const COMPARED_DEPLOYS: usize = 8;

/// What is named unasked, the most important first.
const NAMED: [Measure; 3] = [Measure::CostPerCall, Measure::ErrorRate, Measure::LatencyP95];

/// How many changes are looked at for the one that is named, where each deploy has so many parts. A page of one part looks
/// at fewer, and may name what a page of all of them does not.
pub fn looked_at(parts: usize) -> usize {
    parts.max(1) * NAMED.len() * COMPARED_DEPLOYS
}

/// The time before and after a rollout. Either may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Windows {
    /// First instant before.
    pub before_from: Timestamp,
    /// The rollout is complete: first instant that is no more before it.
    pub before_to: Timestamp,
    /// The same moment: first instant after it.
    pub after_from: Timestamp,
    /// First instant that is no more after it.
    pub after_to: Timestamp,
}

/// The windows of a deploy among its neighbours, in any order: 48 hours to either side of when it was live, up to when
/// the one before it was live, and the one after it, in the same environment. What `now` has not reached is left out.
pub fn windows(deploy: &Deploy, neighbours: &[Deploy], now: Timestamp) -> Windows {
    let pivot = deploy.at();
    let others = || {
        neighbours.iter().filter(|other| {
            let same_place = match (&other.environment, &deploy.environment) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            };
            other.id != deploy.id && other.went_live() && same_place
        })
    };
    let is_before = |other: &&Deploy| (other.at(), &other.id) < (pivot, &deploy.id);
    let previous = others().filter(is_before).map(Deploy::at).max();
    let next = others().filter(|other| !is_before(other)).map(Deploy::at).min();
    let (reach_back, reach) = (pivot.plus_micros(-REACH_MICROS), pivot.plus_micros(REACH_MICROS));
    Windows {
        before_from: previous.map_or(reach_back, |previous| previous.max(reach_back)),
        before_to: pivot,
        after_from: pivot,
        after_to: reach.min(next.unwrap_or(reach)).min(now).max(pivot),
    }
}

impl Windows {
    /// Before and after, as they are read.
    pub fn sides(&self) -> [(Timestamp, Timestamp); 2] {
        [
            (self.before_from, self.before_to),
            (self.after_from, self.after_to),
        ]
    }

    /// How long there was something before, in microseconds.
    pub fn before_micros(&self) -> i64 {
        self.before_to.micros() - self.before_from.micros()
    }

    /// How long there is something after, in microseconds.
    pub fn after_micros(&self) -> i64 {
        self.after_to.micros() - self.after_from.micros()
    }
}

/// A value and the calls that had it before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MixPart {
    /// A model, or a template in hex; `None` where calls had none.
    pub value: Option<String>,
    /// Calls before.
    pub before: i64,
    /// Calls after.
    pub after: i64,
}

/// What one key, or one step of a key, did before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartEffect {
    /// The key's label.
    pub key: String,
    /// The step's name; `None` for the key as a whole.
    pub step: Option<String>,
    /// Its models.
    pub models: Vec<MixPart>,
    /// Its templates.
    pub templates: Vec<MixPart>,
    /// Measures of this part.
    pub effects: Vec<Effect>,
}

/// Everything a deploy moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolloutEffect {
    /// What was compared.
    pub windows: Windows,
    /// Measures of all calls.
    pub effects: Vec<Effect>,
    /// By key, in the order of their labels.
    pub keys: Vec<PartEffect>,
    /// By key and step.
    pub steps: Vec<PartEffect>,
    /// Models of all calls, the most used first.
    pub models: Vec<MixPart>,
    /// Templates of all calls, the most used first.
    pub templates: Vec<MixPart>,
}

#[derive(Default)]
struct Part<'a> {
    sides: [Sums; 2],
    models: BTreeMap<Option<&'a str>, [i64; 2]>,
    templates: BTreeMap<Option<&'a str>, [i64; 2]>,
}

impl<'a> Part<'a> {
    fn add(&mut self, row: &'a WindowSums) {
        let side = row.window % 2;
        self.sides[side].add_read(&row.sums);
        for (mix, value) in [
            (&mut self.models, &row.model),
            (&mut self.templates, &row.template),
        ] {
            let count = &mut mix.entry(value.as_deref()).or_default()[side];
            *count = count.saturating_add(row.sums.calls);
        }
    }

    fn sides(&self, windows: &Windows) -> (Side, Side) {
        let side = |index: usize, micros: i64| Side {
            sums: self.sides[index].clone(),
            micros,
        };
        (side(0, windows.before_micros()), side(1, windows.after_micros()))
    }
}

fn mix(counts: &BTreeMap<Option<&str>, [i64; 2]>) -> Vec<MixPart> {
    let mut parts: Vec<MixPart> = counts
        .iter()
        .map(|(value, [before, after])| MixPart {
            value: value.map(str::to_owned),
            before: *before,
            after: *after,
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.before.saturating_add(part.after)));
    parts
}

/// What the rows of both sides say: those of even windows are of before, those of odd ones of after.
pub fn rollout_effect<'a>(windows: Windows, rows: impl IntoIterator<Item = &'a WindowSums>) -> RolloutEffect {
    let mut all = Part::default();
    let mut keys: BTreeMap<&str, Part<'_>> = BTreeMap::new();
    let mut steps: BTreeMap<(&str, &str), Part<'_>> = BTreeMap::new();
    for row in rows {
        all.add(row);
        keys.entry(row.key.as_str()).or_default().add(row);
        steps
            .entry((row.key.as_str(), row.step.as_str()))
            .or_default()
            .add(row);
    }
    let part_effect = |key: &str, step: Option<&str>, part: &Part<'_>| {
        let (before, after) = part.sides(&windows);
        PartEffect {
            key: key.to_owned(),
            step: step.map(str::to_owned),
            models: mix(&part.models),
            templates: mix(&part.templates),
            effects: effects(&before, &after),
        }
    };
    let (before, after) = all.sides(&windows);
    RolloutEffect {
        windows,
        effects: effects(&before, &after),
        keys: keys
            .iter()
            .map(|(key, part)| part_effect(key, None, part))
            .collect(),
        steps: steps
            .iter()
            .map(|((key, step), part)| part_effect(key, Some(step), part))
            .collect(),
        models: mix(&all.models),
        templates: mix(&all.templates),
    }
}

impl RolloutEffect {
    /// One measure of all calls.
    pub fn effect(&self, measure: Measure) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.measure == measure)
    }

    /// What it made worse that deserves to be said first: cost, where its daily difference is largest, else errors, else
    /// latency; with the key where that was. `None` when nothing is clearly worse. The more keys there are the surer it has
    /// to be: of many, chance makes one look worse after every other deploy.
    pub fn worst(&self) -> Option<(&str, &Effect)> {
        let among = looked_at(self.keys.len());
        let of = |measure: Measure| {
            let parts = self.keys.iter();
            let found =
                parts.flat_map(|part| part.effects.iter().map(move |effect| (part.key.as_str(), effect)));
            found.filter(move |(_, effect)| {
                effect.measure == measure && effect.reading == Reading::Worse && effect.is_notable(among)
            })
        };
        let weight = |effect: &Effect| {
            let value = |value: Option<MetricValue>| value.map_or(0.0, |value| value.as_f64());
            (value(effect.after) - value(effect.before)) * effect.n_after as f64
        };
        NAMED
            .into_iter()
            .find_map(|measure| of(measure).max_by(|a, b| weight(a.1).total_cmp(&weight(b.1))))
    }
}

#[cfg(test)]
mod tests {
    use domain::series::CallSums;
    use domain::{DeployRecord, DeployStatus, NanoUsd};

    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("2026-11-{text}:00Z")).unwrap()
    }

    fn deploy(sha: &str, from: &str, to: &str) -> Deploy {
        let record = DeployRecord {
            sha: sha.to_owned(),
            started_at: Some(time(from)),
            completed_at: Some(time(to)),
            ..DeployRecord::default()
        };
        record.applied_to(None, time("30T00:00"))
    }

    fn three() -> Vec<Deploy> {
        vec![
            deploy("1111111", "12T13:30", "12T13:35"),
            deploy("2222222", "12T14:05", "12T14:12"),
            deploy("3333333", "12T15:50", "12T15:53"),
        ]
    }

    #[test]
    fn windows_are_cut_at_the_neighbours() {
        let deploys = three();
        let check = |index: usize, now: &str, expected: [&str; 4]| {
            let found = windows(&deploys[index], &deploys, time(now));
            let [before_from, before_to, after_from, after_to] = expected.map(time);
            let expected = Windows {
                before_from,
                before_to,
                after_from,
                after_to,
            };
            assert_eq!(found, expected, "{index}");
        };
        check(0, "20T00:00", ["10T13:35", "12T13:35", "12T13:35", "12T14:12"]);
        check(1, "20T00:00", ["12T13:35", "12T14:12", "12T14:12", "12T15:53"]);
        check(2, "20T00:00", ["12T14:12", "12T15:53", "12T15:53", "14T15:53"]);
        check(2, "12T18:00", ["12T14:12", "12T15:53", "12T15:53", "12T18:00"]);
    }

    #[test]
    fn other_places_and_what_never_went_live_cut_nothing() {
        let mut deploys = three();
        deploys[0].environment = Some("staging".to_owned());
        deploys[1].environment = Some("production".to_owned());
        deploys[2].status = DeployStatus::Failure;
        let found = windows(&deploys[1], &deploys, time("20T00:00"));
        assert_eq!(
            (found.before_from, found.after_to),
            (time("10T14:12"), time("14T14:12"))
        );
    }

    #[test]
    fn rollouts_that_overlap_leave_windows_in_order() {
        let deploys = [
            deploy("aaaaaaa", "12T10:00", "12T12:00"),
            deploy("bbbbbbb", "12T11:00", "12T11:30"),
        ];
        for one in &deploys {
            let found = windows(one, &deploys, time("12T11:45"));
            assert!(
                found.before_micros() >= 0 && found.after_micros() >= 0,
                "{found:?}"
            );
        }
    }

    fn calls(n: i64, cost: i64) -> CallSums {
        CallSums {
            calls: n,
            cost_nano_usd: Some(NanoUsd(n * cost)),
            // Some are a fifth dearer, some a fifth cheaper.
            cost_squares: i128::from(n) * i128::from(cost) * i128::from(cost) * 104 / 100,
            ..CallSums::default()
        }
    }

    #[test]
    fn the_key_and_the_step_that_moved_are_named() {
        let (cheap, dear, same) = (calls(25, 8_400_000), calls(79, 21_400_000), calls(40, 5_000_000));
        let row = |window, key: &str, step: &str, model: &str, sums: &CallSums| WindowSums {
            window,
            key: key.to_owned(),
            step: step.to_owned(),
            model: Some(model.to_owned()),
            template: None,
            sums: sums.clone(),
        };
        let rows = [
            row(0, "prod", "summarize", "haiku", &cheap),
            row(1, "prod", "summarize", "sonnet", &dear),
            row(0, "tools", "draft", "sonnet", &same),
            row(1, "tools", "draft", "sonnet", &same),
        ];
        let deploys = three();
        let moved = rollout_effect(windows(&deploys[1], &deploys, time("20T00:00")), &rows);
        let (key, worst) = moved.worst().unwrap();
        assert_eq!((key, worst.measure), ("prod", Measure::CostPerCall));
        assert_eq!(moved.steps.len(), 2);
        let models: Vec<_> = moved.keys[0]
            .models
            .iter()
            .map(|part| (part.value.as_deref(), part.before, part.after))
            .collect();
        assert_eq!(models, [(Some("sonnet"), 0, 79), (Some("haiku"), 25, 0)]);
        assert!(rollout_effect(moved.windows, &[]).worst().is_none());
    }
}
