//! A run without its texts: what its drawing needs. Each name, model and error stands in it once, and of each step a
//! record of a few numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Severity, StepKind, StepStatus, StepSummary, Timestamp, text};

/// An error is kept up to its first line, cut at so many characters.
const ERROR_CHARS: usize = 120;
/// So many different errors are kept; further ones count as the last.
const MAX_ERRORS: usize = 1_000;

/// What contains a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parent {
    /// Nothing: it is a top-level step.
    #[default]
    None,
    /// The step at this place of [`Skeleton::steps`].
    Step(u32),
    /// A step that is not among them, by its place in [`Skeleton::foreign`].
    Foreign(u32),
}

/// The figures of one step. Texts are places in the lists of its [`Skeleton`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkeletonStep {
    /// What contains it.
    pub parent: Parent,
    /// Its name, in [`Skeleton::names`].
    pub name: u32,
    /// The model that answered, in [`Skeleton::models`].
    pub model: Option<u32>,
    /// The first line of its error, in [`Skeleton::errors`].
    pub error: Option<u32>,
    /// Steps of the same number sent the same prompt; `None` where nothing else did.
    pub same_call: Option<u32>,
    /// What it does.
    pub kind: StepKind,
    /// How it ended.
    pub status: StepStatus,
    /// How grave what was found is.
    pub severity: Severity,
    /// When it began, in microseconds since 1970.
    pub started_us: i64,
    /// How long it is drawn, in microseconds, never negative; `None` while it runs.
    pub length_us: Option<i64>,
    /// Its duration as reported, in microseconds, where that is not its length.
    pub reported_us: Option<i64>,
    /// Points of its conditions.
    pub score: Option<i32>,
    /// The hardest layer that hit, 1 to 5.
    pub layer: Option<u8>,
    /// Its cost; `None` when unknown.
    pub cost_nano_usd: Option<i64>,
    /// Tokens of all buckets; `None` when none were reported.
    pub tokens: Option<i64>,
}

impl SkeletonStep {
    /// Where its bar ends, in microseconds since 1970: a running step goes on until `now_us`.
    pub fn end_us(&self, now_us: i64) -> i64 {
        match self.length_us {
            Some(length) => self.started_us.saturating_add(length.max(0)),
            None => now_us.max(self.started_us),
        }
    }

    /// Its duration as pages say it, in milliseconds: as reported, else from its times.
    pub fn shown_ms(&self, now_us: i64) -> f64 {
        let us = self
            .reported_us
            .unwrap_or_else(|| self.end_us(now_us).saturating_sub(self.started_us));
        us as f64 / 1_000.0
    }

    /// Whether it failed or was critical: what no summary of several steps may hide.
    pub fn is_grave(&self) -> bool {
        self.status == StepStatus::Error || self.severity == Severity::Critical
    }

    /// Whether it needs to be looked at.
    pub fn is_problem(&self) -> bool {
        self.status == StepStatus::Error || self.severity != Severity::Ok
    }
}

/// The steps of a run, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skeleton {
    /// The steps' ids, in their order.
    pub ids: Vec<String>,
    /// Ids of parents that are not among the steps.
    pub foreign: Vec<String>,
    /// Names, each once.
    pub names: Vec<String>,
    /// Models, each once.
    pub models: Vec<String>,
    /// First lines of errors, each once.
    pub errors: Vec<String>,
    /// The steps.
    pub steps: Vec<SkeletonStep>,
    /// When the newest of them was received, in microseconds since 1970; 0 where that is not known.
    pub received_us: i64,
}

/// A step on its way into a [`Skeleton`].
#[derive(Clone, Debug)]
pub struct RawStep {
    /// Its id.
    pub step_id: String,
    /// The id of what contains it.
    pub parent_step_id: Option<String>,
    /// Its name.
    pub name: String,
    /// The model that answered.
    pub model: Option<String>,
    /// Its error text.
    pub error: Option<String>,
    /// What its prompt and no other has.
    pub prompt_hash: Option<i64>,
    /// What it does.
    pub kind: StepKind,
    /// How it ended.
    pub status: StepStatus,
    /// How grave what was found is.
    pub severity: Severity,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its duration as reported, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Points of its conditions.
    pub score: Option<i32>,
    /// The hardest layer that hit.
    pub layer: Option<u8>,
    /// Its cost.
    pub cost_nano_usd: Option<i64>,
    /// Tokens of all buckets.
    pub tokens: Option<i64>,
}

/// Gathers steps, in the order of time.
#[derive(Default)]
pub struct SkeletonBuilder {
    skeleton: Skeleton,
    parent_ids: Vec<Option<String>>,
    hashes: Vec<Option<i64>>,
    names: HashMap<String, u32>,
    models: HashMap<String, u32>,
    errors: HashMap<String, u32>,
}

impl SkeletonBuilder {
    /// Adds the next step.
    pub fn push(&mut self, step: RawStep) {
        let places = &mut self.skeleton;
        let name = place(&mut self.names, &mut places.names, step.name);
        let model = step
            .model
            .map(|model| place(&mut self.models, &mut places.models, model));
        let error = step.error.map(|error| {
            let line = text::first_line(&error, ERROR_CHARS);
            match places.errors.len() {
                MAX_ERRORS.. if !self.errors.contains_key(&line) => MAX_ERRORS as u32 - 1,
                _ => place(&mut self.errors, &mut places.errors, line),
            }
        });
        let length_us = length_us(step.started_at, step.ended_at, step.latency_ms);
        let reported_us = step
            .latency_ms
            .filter(|ms| ms.is_finite())
            .map(|ms| (ms * 1_000.0) as i64)
            .filter(|us| Some(*us) != length_us);
        places.ids.push(step.step_id);
        self.parent_ids.push(step.parent_step_id);
        self.hashes.push(step.prompt_hash);
        places.steps.push(SkeletonStep {
            parent: Parent::None,
            name,
            model,
            error,
            same_call: None,
            kind: step.kind,
            status: step.status,
            severity: step.severity,
            started_us: step.started_at.micros(),
            length_us,
            reported_us,
            score: step.score,
            layer: step.layer,
            cost_nano_usd: step.cost_nano_usd,
            tokens: step.tokens,
        });
    }

    /// The skeleton, with its parents and repetitions found.
    pub fn finish(mut self) -> Skeleton {
        self.number_calls();
        let mut skeleton = self.skeleton;
        skeleton.link(self.parent_ids);
        skeleton
    }

    fn number_calls(&mut self) {
        let mut seen: HashMap<i64, u32> = HashMap::new();
        for hash in self.hashes.iter().flatten() {
            *seen.entry(*hash).or_default() += 1;
        }
        let mut numbers: HashMap<i64, u32> = HashMap::new();
        for (step, hash) in self.skeleton.steps.iter_mut().zip(&self.hashes) {
            let Some(hash) = hash.filter(|hash| seen.get(hash).is_some_and(|count| *count > 1)) else {
                continue;
            };
            let next = numbers.len() as u32;
            step.same_call = Some(*numbers.entry(hash).or_insert(next));
        }
    }
}

/// How long a step is drawn: between its times, else as it reported.
fn length_us(started_at: Timestamp, ended_at: Option<Timestamp>, latency_ms: Option<f64>) -> Option<i64> {
    match (ended_at, latency_ms.filter(|ms| *ms > 0.0)) {
        (Some(end), _) => Some(end.micros().saturating_sub(started_at.micros()).max(0)),
        (None, Some(ms)) => Some((ms * 1_000.0) as i64),
        (None, None) => None,
    }
}

fn place(places: &mut HashMap<String, u32>, list: &mut Vec<String>, text: String) -> u32 {
    if let Some(place) = places.get(&text) {
        return *place;
    }
    let place = list.len() as u32;
    list.push(text.clone());
    places.insert(text, place);
    place
}

impl Skeleton {
    /// The skeleton of steps that were read whole. `same_calls` numbers those that sent a prompt which others sent too.
    pub fn of(steps: &[StepSummary], same_calls: &BTreeMap<String, u32>) -> Self {
        let mut builder = SkeletonBuilder::default();
        for step in steps {
            builder.push(RawStep {
                step_id: step.step_id.clone(),
                parent_step_id: step.parent_step_id.clone(),
                name: step.name.clone(),
                model: step.model.clone(),
                error: step.error.clone(),
                prompt_hash: same_calls.get(&step.step_id).map(|call| i64::from(*call)),
                kind: step.kind,
                status: step.status,
                severity: step.severity,
                started_at: step.started_at,
                ended_at: step.ended_at,
                latency_ms: step.latency_ms,
                score: step.score,
                layer: step.conditions.iter().map(|c| c.layer).min(),
                cost_nano_usd: step.cost_nano_usd.map(|cost| cost.0),
                tokens: step.tokens.total(),
            });
        }
        builder.finish()
    }

    /// The place of a step.
    pub fn find(&self, step_id: &str) -> Option<usize> {
        self.ids.iter().position(|id| id == step_id)
    }

    /// Whether each step of `other` is among these.
    pub fn has_all_of(&self, other: &Self) -> bool {
        let ids: HashSet<&str> = self.ids.iter().map(String::as_str).collect();
        other.ids.iter().all(|id| ids.contains(id.as_str()))
    }

    /// The id of a step; empty for none.
    pub fn id_of(&self, step: usize) -> &str {
        self.ids.get(step).map_or("", String::as_str)
    }

    /// The name of a step; never blank.
    pub fn name_of(&self, step: &SkeletonStep) -> &str {
        let name = self.names.get(step.name as usize).map_or("", String::as_str);
        if name.trim().is_empty() {
            "unnamed step"
        } else {
            name
        }
    }

    /// The model that answered.
    pub fn model_of(&self, step: &SkeletonStep) -> Option<&str> {
        self.models.get(step.model? as usize).map(String::as_str)
    }

    /// The first line of a step's error.
    pub fn error_of(&self, step: &SkeletonStep) -> Option<&str> {
        self.errors.get(step.error? as usize).map(String::as_str)
    }

    /// The id of what contains a step.
    fn parent_id(&self, step: &SkeletonStep) -> Option<&str> {
        match step.parent {
            Parent::None => None,
            Parent::Step(parent) => self.ids.get(parent as usize).map(String::as_str),
            Parent::Foreign(parent) => self.foreign.get(parent as usize).map(String::as_str),
        }
    }

    /// From the first beginning to the last end, in microseconds since 1970; both `now_us` without steps.
    pub fn bounds(&self, now_us: i64) -> (i64, i64) {
        let start = self.steps.iter().map(|s| s.started_us).min();
        let end = self.steps.iter().map(|s| s.end_us(now_us)).max();
        (start.unwrap_or(now_us), end.unwrap_or(now_us))
    }

    /// Whether every place lies within its list: what came from elsewhere is refused otherwise.
    pub fn is_sound(&self) -> bool {
        let within = |place: u32, length: usize| (place as usize) < length;
        let fits = |place: Option<u32>, length: usize| place.is_none_or(|place| within(place, length));
        self.ids.len() == self.steps.len()
            && self.steps.iter().all(|step| {
                within(step.name, self.names.len())
                    && fits(step.model, self.models.len())
                    && fits(step.error, self.errors.len())
                    && match step.parent {
                        Parent::None => true,
                        Parent::Step(parent) => within(parent, self.steps.len()),
                        Parent::Foreign(parent) => within(parent, self.foreign.len()),
                    }
            })
    }

    /// These steps and those of `later`; a step of both is the later one. Repetitions are found anew only within each.
    pub fn merged(&self, later: &Self) -> Self {
        let known: HashMap<&str, usize> = later
            .ids
            .iter()
            .enumerate()
            .map(|(place, id)| (id.as_str(), place))
            .collect();
        let mut order: Vec<(&Self, usize)> = (0..self.steps.len())
            .filter(|place| !known.contains_key(self.id_of(*place)))
            .map(|place| (self, place))
            .chain((0..later.steps.len()).map(|place| (later, place)))
            .collect();
        order.sort_by_key(|(of, place)| of.steps[*place].started_us);
        let mut names: HashMap<String, u32> = HashMap::new();
        let mut models: HashMap<String, u32> = HashMap::new();
        let mut errors: HashMap<String, u32> = HashMap::new();
        let mut merged = Self {
            received_us: self.received_us.max(later.received_us),
            ..Self::default()
        };
        let mut parents = Vec::with_capacity(order.len());
        for (of, at) in order {
            let step = of.steps[at];
            let own_name = of.names.get(step.name as usize).cloned().unwrap_or_default();
            parents.push(of.parent_id(&step).map(str::to_owned));
            merged.ids.push(of.id_of(at).to_owned());
            let name = place(&mut names, &mut merged.names, own_name);
            let model = of
                .model_of(&step)
                .map(|model| place(&mut models, &mut merged.models, model.to_owned()));
            let error = of
                .error_of(&step)
                .map(|error| place(&mut errors, &mut merged.errors, error.to_owned()));
            merged.steps.push(SkeletonStep {
                name,
                model,
                error,
                ..step
            });
        }
        merged.link(parents);
        merged
    }

    /// Only these steps, in this order, their parents among them as far as they are.
    pub fn part(&self, places: &[usize]) -> Self {
        let mut part = Self {
            names: self.names.clone(),
            models: self.models.clone(),
            errors: self.errors.clone(),
            received_us: self.received_us,
            ..Self::default()
        };
        let mut parents = Vec::with_capacity(places.len());
        for (at, step) in places.iter().filter_map(|at| Some((*at, self.steps.get(*at)?))) {
            parents.push(self.parent_id(step).map(str::to_owned));
            part.ids.push(self.id_of(at).to_owned());
            part.steps.push(*step);
        }
        part.link(parents);
        part.forget_unused();
        part
    }

    fn forget_unused(&mut self) {
        let mut names = HashMap::new();
        let mut models = HashMap::new();
        let mut errors = HashMap::new();
        let (old_names, old_models, old_errors) = (
            std::mem::take(&mut self.names),
            std::mem::take(&mut self.models),
            std::mem::take(&mut self.errors),
        );
        let text = |list: &[String], at: u32| list.get(at as usize).cloned().unwrap_or_default();
        for step in &mut self.steps {
            step.name = place(&mut names, &mut self.names, text(&old_names, step.name));
            step.model = step
                .model
                .map(|model| place(&mut models, &mut self.models, text(&old_models, model)));
            step.error = step
                .error
                .map(|error| place(&mut errors, &mut self.errors, text(&old_errors, error)));
        }
    }

    /// Sets what contains each step, given as ids. The first of several steps of one id is the parent; a step that
    /// names itself has one that was not received.
    fn link(&mut self, parent_ids: Vec<Option<String>>) {
        let mut places: HashMap<&str, u32> = HashMap::with_capacity(self.ids.len());
        for (place, id) in self.ids.iter().enumerate() {
            places.entry(id).or_insert(place as u32);
        }
        let mut foreign_places = HashMap::new();
        let mut foreign = Vec::new();
        for (at, (step, id)) in self.steps.iter_mut().zip(parent_ids).enumerate() {
            step.parent = match id {
                None => Parent::None,
                Some(id) => match places.get(id.as_str()) {
                    Some(parent) if *parent as usize != at => Parent::Step(*parent),
                    _ => Parent::Foreign(place(&mut foreign_places, &mut foreign, id)),
                },
            };
        }
        self.foreign = foreign;
    }
}

#[cfg(test)]
mod tests;
