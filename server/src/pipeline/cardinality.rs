//! How many different values a project's hourly sums may have. Names that contain ids would make a series of every
//! call; what is too many is counted under `other`, while the step itself keeps its name.
//!
//! The bound is this process' own, and begins anew when it starts: with three processes an hour may have three times as
//! many series.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use domain::ledger::{Dimension, OTHER};
use domain::{NewStep, ProjectId, Timestamp};
use uuid::Uuid;

use super::series::series_id;

/// Different templates of one step name that one hour may have. Beyond it its prompts are taken for free text, which
/// would make a template of each single one.
const TEMPLATES_PER_STEP: u32 = 200;
/// Values over all projects and hours that are kept, about 16 bytes each.
const MAX_VALUES: usize = 1_000_000;

/// How many different values of a dimension an hour of a project may have.
const fn limit_of(dimension: Dimension) -> u32 {
    match dimension {
        Dimension::Environment | Dimension::FinishReason => 50,
        Dimension::Model | Dimension::Release => 200,
        Dimension::StepName => 500,
        Dimension::Series => 5_000,
    }
}

/// What a step is counted under in the hourly sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedAs<'a> {
    pub(super) environment: Option<&'a str>,
    pub(super) step_name: &'a str,
    pub(super) model: Option<&'a str>,
    pub(super) template: Option<[u8; 32]>,
    pub(super) finish_reason: Option<&'a str>,
    pub(super) release: Option<&'a str>,
    pub(super) series_id: Uuid,
    /// The dimensions in which it is not counted under its own value.
    pub(super) limited: Vec<Dimension>,
}

impl CountedAs<'_> {
    /// Its series, when that is another one than the step itself would say.
    pub(super) fn other_series(&self) -> Option<Uuid> {
        let is_other =
            |dimension: &Dimension| !matches!(dimension, Dimension::FinishReason | Dimension::Release);
        self.limited.iter().any(is_other).then_some(self.series_id)
    }

    /// Whether its release is one of too many.
    pub(super) fn release_is_other(&self) -> bool {
        self.limited.contains(&Dimension::Release)
    }

    fn identify(&mut self, key_label: &str) {
        let template = self.template.as_ref().map(<[u8; 32]>::as_slice);
        self.series_id = series_id(key_label, self.environment, self.step_name, self.model, template);
    }
}

/// The values of all projects' hours. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Cardinality(Arc<Mutex<Known>>);

impl Cardinality {
    /// Whether a prompt's template is to count as one: not for a step that has had too many within the hour.
    pub fn admit_template(&self, project: ProjectId, step: &NewStep, template: [u8; 32]) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hour = known.hour(project, step.started_at.hour());
        hour.admit(TEMPLATES_PER_STEP, hash(("template", &step.name)), template)
    }

    /// What a step is counted under.
    pub fn counted_as<'a>(
        &self,
        project: ProjectId,
        key_label: &str,
        step: &'a NewStep,
        template: Option<[u8; 32]>,
    ) -> CountedAs<'a> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .hour(project, step.started_at.hour())
            .counted_as(key_label, step, template)
    }
}

#[derive(Debug, Default)]
struct Known {
    hours: HashMap<(ProjectId, Timestamp), Hour>,
    values: usize,
    uses: u64,
}

impl Known {
    fn hour(&mut self, project: ProjectId, hour: Timestamp) -> HourOf<'_> {
        if self.values >= MAX_VALUES {
            self.evict_oldest_half();
        }
        self.uses += 1;
        let found = self.hours.entry((project, hour)).or_default();
        found.used_at = self.uses;
        HourOf {
            hour: found,
            values: &mut self.values,
        }
    }

    fn evict_oldest_half(&mut self) {
        let mut uses: Vec<u64> = self.hours.values().map(|hour| hour.used_at).collect();
        let middle = uses.len() / 2;
        let (_, middle, _) = uses.select_nth_unstable(middle);
        let middle = *middle;
        self.hours.retain(|_, hour| hour.used_at > middle);
        self.values = self.hours.values().map(|hour| hour.values.len()).sum();
    }
}

#[derive(Debug, Default)]
struct Hour {
    used_at: u64,
    /// Hashes of dimensions with their values.
    values: HashSet<u64>,
    /// How many a dimension has.
    counts: HashMap<u64, u32>,
}

struct HourOf<'a> {
    hour: &'a mut Hour,
    values: &'a mut usize,
}

impl HourOf<'_> {
    /// Whether a value is known, or one of the first `limit` of its dimension.
    fn admit(&mut self, limit: u32, dimension: u64, value: impl Hash) -> bool {
        let value = hash((dimension, value));
        if self.hour.values.contains(&value) {
            return true;
        }
        let count = self.hour.counts.entry(dimension).or_default();
        if *count >= limit {
            return false;
        }
        *count += 1;
        *self.values += 1;
        self.hour.values.insert(value)
    }

    fn counted_as<'a>(
        mut self,
        key_label: &str,
        step: &'a NewStep,
        template: Option<[u8; 32]>,
    ) -> CountedAs<'a> {
        let mut limited = Vec::new();
        let mut of = |dimension: Dimension, value: &'a str| {
            if self.admit(limit_of(dimension), hash(dimension), value) {
                return value;
            }
            limited.push(dimension);
            OTHER
        };
        let mut counted = CountedAs {
            environment: step
                .environment
                .as_deref()
                .map(|value| of(Dimension::Environment, value)),
            step_name: of(Dimension::StepName, &step.name),
            model: step.model.as_deref().map(|value| of(Dimension::Model, value)),
            finish_reason: step
                .stop_reason
                .as_deref()
                .map(|value| of(Dimension::FinishReason, value)),
            release: step.release.as_deref().map(|value| of(Dimension::Release, value)),
            template,
            series_id: Uuid::nil(),
            limited,
        };
        counted.identify(key_label);
        let dimension = Dimension::Series;
        if !self.admit(limit_of(dimension), hash(dimension), counted.series_id) {
            counted = CountedAs {
                environment: counted.environment.map(|_| OTHER),
                step_name: OTHER,
                model: counted.model.map(|_| OTHER),
                template: None,
                ..counted
            };
            counted.identify(key_label);
            counted.limited.push(dimension);
        }
        counted
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(n: usize) -> ProjectId {
        format!("01890000-0000-7000-8000-{n:012}").parse().unwrap()
    }

    fn step(name: &str, at: Timestamp) -> NewStep {
        let step = serde_json::json!({
            "run_id": "r", "step_id": "s", "kind": "llm", "name": name, "status": "ok", "started_at": at,
            "stream_incomplete": false, "tokens": {}, "tags": [], "attributes": {}, "events": [],
        });
        serde_json::from_value(step).unwrap()
    }

    const HOUR: i64 = 3_600_000_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_micros(hour * HOUR)
    }

    #[test]
    fn names_beyond_the_limit_are_other_until_the_next_hour() {
        let guard = Cardinality::default();
        let name_of = |name: &str, hour: i64| {
            let step = step(name, at(hour));
            guard
                .counted_as(project(1), "key", &step, None)
                .step_name
                .to_owned()
        };
        for n in 0..500 {
            assert_eq!(name_of(&format!("step-{n}"), 1), format!("step-{n}"));
        }
        assert_eq!(name_of("step-500", 1), OTHER);
        assert_eq!(name_of("step-0", 1), "step-0", "a known one stays");
        assert_eq!(name_of("step-500", 2), "step-500");
        let step = step("step-500", at(1));
        let limited = guard.counted_as(project(1), "key", &step, None);
        assert_eq!(limited.limited, [Dimension::StepName]);
        assert_eq!(limited.other_series(), Some(limited.series_id));
        let others = guard.counted_as(project(2), "key", &step, None);
        assert_eq!(
            others.step_name, "step-500",
            "another project has an hour of its own"
        );
    }

    #[test]
    fn combinations_are_bounded_too() {
        let guard = Cardinality::default();
        let mut series = HashSet::new();
        for n in 0..20_000 {
            let mut one = step(&format!("step-{}", n % 200), at(1));
            one.model = Some(format!("model-{}", n / 200));
            one.environment = Some("production".to_owned());
            let counted = guard.counted_as(project(1), "key", &one, None);
            series.insert(counted.series_id);
        }
        assert_eq!(series.len(), 5_001);
    }

    #[test]
    fn finish_reasons_make_no_other_series() {
        let guard = Cardinality::default();
        for n in 0..51 {
            let mut one = step("chat", at(1));
            one.stop_reason = Some(format!("reason-{n}"));
            let counted = guard.counted_as(project(1), "key", &one, None);
            assert_eq!(counted.other_series(), None);
            assert_eq!(counted.finish_reason == Some(OTHER), n == 50);
        }
    }

    #[test]
    fn free_text_makes_no_more_templates_than_an_hour_may_have() {
        let guard = Cardinality::default();
        let template = |n: u32| std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(0));
        let chat = step("chat", at(1));
        for n in 0..TEMPLATES_PER_STEP {
            assert!(guard.admit_template(project(1), &chat, template(n)));
        }
        assert!(!guard.admit_template(project(1), &chat, template(TEMPLATES_PER_STEP)));
        assert!(
            guard.admit_template(project(1), &chat, template(0)),
            "a known one stays one"
        );
        for other in [step("classify", at(1)), step("chat", at(2))] {
            assert!(guard.admit_template(project(1), &other, template(TEMPLATES_PER_STEP)));
        }
    }

    #[test]
    fn memory_is_bounded_over_all_projects() {
        let guard = Cardinality::default();
        for n in 0..(MAX_VALUES / 250) {
            for name in 0..200 {
                guard.counted_as(project(n), "key", &step_named(name), None);
            }
        }
        let known = guard.0.lock().unwrap();
        assert!(known.values <= MAX_VALUES + 10_000, "{}", known.values);
        let counted: usize = known.hours.values().map(|hour| hour.values.len()).sum();
        assert_eq!(counted, known.values);
    }

    fn step_named(n: usize) -> NewStep {
        step(&format!("step-{n}"), at(1))
    }
}
