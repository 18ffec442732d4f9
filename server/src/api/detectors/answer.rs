//! A detector as it is answered, with what became of runs under it.

use std::collections::BTreeMap;

use domain::detector::{ConditionOp, Detector, Template};
use domain::{ModelChoice, NanoUsd, ProjectId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use storage::Snapshot;
use storage::detectors::{self, DetectorDay};
use storage::findings::{self, Marked};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::HttpResult;

const DAY_MICROS: i64 = 86_400_000_000;
/// Days that the sums are of.
const DAYS: i64 = 7;

/// A detector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DetectorAnswer {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    name: String,
    template: Template,
    /// What a model is asked; blank of rules.
    prompt: String,
    /// A JSON schema: of the run's last output for the template `schema`, of `data` in the model's answer for others.
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
    required_step: Option<String>,
    /// It judges runs for which all of them hold.
    conditions: Vec<ConditionAnswer>,
    /// It has no conditions and judges every run.
    every_run: bool,
    /// How many of the matching runs it judges.
    sample_percent: f64,
    /// Dollars; a decimal text. null for no cap.
    daily_cap_usd: Option<String>,
    enabled: bool,
    /// null for the model that the project's detectors use.
    model: Option<ModelChoice>,
    /// Counts changes of what it judges by. One version judges a run once.
    version: i32,
    version_since: Timestamp,
    created_at: Timestamp,
    /// Of seven days.
    week: SumsAnswer,
    today: SumsAnswer,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DetectorCondition)]
struct ConditionAnswer {
    /// `model`, `environment`, `cost_usd`, `total_tokens`, `duration_ms`, `errors` or `metadata.<key>`.
    field: String,
    op: ConditionOp,
    /// A text, a number, true or false, or a list of them.
    #[schema(value_type = Value)]
    value: Value,
}

/// What became of runs, and what people said of findings.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = DetectorSums)]
struct SumsAnswer {
    judged: i64,
    found: i64,
    /// The model gave no answer, or twice none in the form it has to have; or the run could not be read.
    failed: i64,
    /// Not judged: the cap of the day was reached.
    not_judged_cap: i64,
    /// Not judged: the project has no model for detectors, or its budget is used up.
    not_judged_budget: i64,
    /// Quotes that did not occur in the run.
    dropped_quotes: i64,
    cost_usd: String,
    /// Judgements of which no cost is known.
    unpriced: i64,
    marked_real: i64,
    marked_noise: i64,
    /// The real ones of those that are marked; null where none is.
    precision: Option<f64>,
}

/// What happened in seven days.
pub(super) struct Sums {
    days: Vec<DetectorDay>,
    marked: BTreeMap<(Uuid, i32), Marked>,
    today: Timestamp,
}

impl Sums {
    pub(super) async fn read(
        snapshot: &mut Snapshot,
        project: ProjectId,
        detector: Option<Uuid>,
        now: Timestamp,
    ) -> HttpResult<Self> {
        let today = now.day();
        let from = today.plus_micros(-DAY_MICROS * (DAYS - 1));
        Ok(Self {
            days: detectors::days(snapshot, project, detector, from).await?,
            marked: findings::marked(snapshot, project, from).await?,
            today,
        })
    }

    pub(super) fn answer(&self, detector: Detector) -> DetectorAnswer {
        let week = self.of(detector.id, Timestamp::from_micros(i64::MIN));
        let today = self.of(detector.id, self.today);
        let definition = detector.definition;
        DetectorAnswer {
            id: detector.id,
            name: detector.name,
            template: definition.template,
            prompt: definition.prompt,
            schema: definition.schema,
            required_step: definition.required_step,
            every_run: definition.conditions.is_empty(),
            conditions: definition
                .conditions
                .into_iter()
                .map(|condition| ConditionAnswer {
                    field: condition.field.to_string(),
                    op: condition.op,
                    value: condition.value,
                })
                .collect(),
            sample_percent: detector.sample.percent(),
            daily_cap_usd: detector.daily_cap.map(NanoUsd::to_decimal),
            enabled: detector.enabled,
            model: definition.model,
            version: detector.version,
            version_since: detector.version_since,
            created_at: detector.created_at,
            week,
            today,
        }
    }

    fn of(&self, id: Uuid, from: Timestamp) -> SumsAnswer {
        let mut sums = SumsAnswer::default();
        let mut cost = NanoUsd(0);
        for day in self
            .days
            .iter()
            .filter(|day| day.detector_id == id && day.day >= from)
        {
            sums.judged += day.judged;
            sums.found += day.found;
            sums.failed += day.failed;
            sums.not_judged_cap += day.capped;
            sums.not_judged_budget += day.refused;
            sums.dropped_quotes += day.dropped_quotes;
            sums.unpriced += day.unpriced;
            cost = cost.saturating_add(day.cost);
        }
        for (_, marked) in self.marked.iter().filter(|((detector, _), _)| *detector == id) {
            sums.marked_real += marked.real;
            sums.marked_noise += marked.noise;
        }
        let marked = sums.marked_real + sums.marked_noise;
        sums.precision = (marked > 0).then(|| sums.marked_real as f64 / marked as f64);
        sums.cost_usd = cost.to_decimal();
        sums
    }
}
