//! Incidents as programs read them: the API's answers, and `--json` of the command line.

mod blame;

use domain::series::MetricUnit;
use domain::{CauseAnswer, IncidentEventKind, IncidentStatus, NanoUsd, Timestamp};
use engine::incidents::attribution::{Attribution, Evidence};
use engine::incidents::incident::{Amount, IncidentDay, Moved};
use engine::incidents::{Incident, Metric, words};
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use storage::incidents::{IncidentEvent, StoredIncident};
use utoipa::ToSchema;

pub(crate) use blame::AttributionAnswer;

use super::write::{null_word, verdict_word};

/// An incident in a list. Its figures are those of the day on which it began, or that the daily rule flagged first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentAnswer {
    pub(crate) id: String,
    /// Label of the key; null where one model moved on all keys at once.
    pub(crate) key: Option<String>,
    pub(crate) step: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) metric: String,
    /// What baseline, actual and delta are counted in.
    pub(crate) unit: MetricUnit,
    /// Always `up`: decreases open no incidents.
    #[schema(value_type = String)]
    pub(crate) direction: &'static str,
    pub(crate) status: IncidentStatus,
    /// What opened it: `evidence`, `deploy`, `extreme_hour` or `daily`.
    #[schema(value_type = String)]
    pub(crate) door: Value,
    /// Of the day of the figures, `2026-11-12`.
    pub(crate) date: Option<String>,
    pub(crate) onset: OnsetAnswer,
    pub(crate) opened_at: Timestamp,
    /// The end of its last hour.
    pub(crate) last_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    pub(crate) peak: Option<PeakAnswer>,
    pub(crate) verdict: VerdictAnswer,
    pub(crate) acknowledged_at: Option<Timestamp>,
    /// What people say of the cause.
    pub(crate) answer: Option<CauseAnswer>,
    pub(crate) confirmed_deploy_id: Option<String>,
}

/// When it began: the middle, and the interval that holds nine tenths of the probability.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnsetAnswer {
    at: Timestamp,
    from: Timestamp,
    to: Timestamp,
}

/// Figures of a day. Money is in whole nano-dollars, and once more as decimal dollars.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentFigures)]
pub(crate) struct Figures {
    pub(crate) baseline: Number,
    pub(crate) actual: Number,
    /// Actual less baseline.
    pub(crate) delta: Number,
    pub(crate) baseline_usd: Option<String>,
    pub(crate) actual_usd: Option<String>,
    pub(crate) delta_usd: Option<String>,
    /// Standard deviations above the baseline, by the daily rule; null for other metrics than cost, and with fewer than 7
    /// days before.
    pub(crate) sigma: Option<f64>,
    /// Calls.
    pub(crate) samples: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PeakAnswer {
    date: String,
    actual: Number,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictAnswer {
    /// `deploy`, `probably`, `no_deploy`, `unclear` or `learning`.
    #[schema(value_type = String)]
    pub(crate) kind: &'static str,
    pub(crate) deploy_id: Option<String>,
    /// Of a release without a deploy record.
    pub(crate) release: Option<String>,
    /// `traffic`, `price`, `provider_drift`, `user_mix`, `configuration` or `unknown`.
    #[schema(value_type = Option<String>)]
    pub(crate) null_kind: Option<&'static str>,
    pub(crate) probability: f64,
    pub(crate) sentence: String,
    pub(crate) weights_version: String,
}

/// An incident with everything that is known of its cause.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentDetails {
    #[serde(flatten)]
    pub(crate) incident: IncidentAnswer,
    pub(crate) days: Vec<DayAnswer>,
    pub(crate) also_moved: Vec<MovedAnswer>,
    /// Of the day of the figures; the items of cost sum to its delta exactly, those of a latency's p95 and of its mean to
    /// the change of each.
    pub(crate) decomposition: Vec<TermAnswer>,
    /// Every candidate, the likeliest first.
    pub(crate) attributions: Vec<CandidateAnswer>,
    /// The causes that are no deploy.
    pub(crate) nulls: Vec<NullAnswer>,
    /// What happened after it was found.
    pub(crate) history: Vec<EventAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayAnswer {
    date: String,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MovedAnswer {
    key: String,
    step: Option<String>,
    metric: String,
    onset: Timestamp,
    /// After against before, less one; of shares the difference.
    change: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermAnswer {
    #[schema(value_type = String)]
    term: &'static str,
    step: Option<String>,
    model: Option<String>,
    unit: MetricUnit,
    /// `p95` or `mean`, of latencies.
    #[schema(value_type = Option<String>)]
    of: Option<&'static str>,
    amount: Number,
    nano_usd: Option<i64>,
    sentence: String,
}

/// A deploy that may have caused it. `confidence` is the rubric's sum of points, `probability` how often such a cause is
/// the right one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateAnswer {
    deploy_id: Option<String>,
    release: Option<String>,
    sha: String,
    pr_number: Option<i64>,
    title: String,
    started_at: Timestamp,
    completed_at: Timestamp,
    confidence: f64,
    probability: f64,
    /// Why it is not the cause.
    cleared_because: Option<String>,
    evidence: Vec<EvidenceAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvidenceAnswer {
    /// Of the rubric, with its points in `details`, or a feature, with its factor.
    #[schema(value_type = String)]
    kind: &'static str,
    description: String,
    #[schema(value_type = Object)]
    details: Value,
    /// How many times more likely it makes the candidate. Null for the rubric, which gives points.
    factor: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NullAnswer {
    #[schema(value_type = String)]
    kind: &'static str,
    probability: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventAnswer {
    at: Timestamp,
    kind: IncidentEventKind,
    actor: String,
    deploy_id: Option<String>,
    note: Option<String>,
}

/// A number: whole for money, calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Number(Amount);

impl ToSchema for Number {}

impl utoipa::PartialSchema for Number {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Number)
            .into()
    }
}

/// `2026-11-12`.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn usd(metric: Metric, amount: Amount) -> Option<String> {
    match (words::unit(metric), amount) {
        (MetricUnit::NanoUsd, Amount::Whole(nano)) => Some(NanoUsd(nano).to_decimal()),
        (MetricUnit::NanoUsd, Amount::Real(nano)) => Some(NanoUsd(nano.round() as i64).to_decimal()),
        _ => None,
    }
}

impl Figures {
    fn of(metric: Metric, day: Option<&IncidentDay>) -> Self {
        let zero = Amount::Whole(0);
        let (baseline, actual) = day.map_or((zero, zero), |day| (day.baseline, day.actual));
        let delta = actual.minus(baseline);
        Self {
            baseline: Number(baseline),
            actual: Number(actual),
            delta: Number(delta),
            baseline_usd: usd(metric, baseline),
            actual_usd: usd(metric, actual),
            delta_usd: usd(metric, delta),
            sigma: day.and_then(|day| day.sigma),
            samples: day.map_or(0, |day| day.samples),
        }
    }
}

/// The judgement of a stored incident; `None` when it was written by a version that is none of this one's.
pub(crate) fn judgement(stored: &StoredIncident) -> Option<Incident> {
    Incident::deserialize(&stored.judgement)
        .inspect_err(|cause| tracing::error!(incident.id = %stored.id, %cause, "a judgement can't be read"))
        .ok()
}

impl IncidentAnswer {
    /// `None` when the judgement can't be read.
    pub(crate) fn of(stored: &StoredIncident) -> Option<Self> {
        Some(Self::with(stored, &judgement(stored)?))
    }

    fn with(stored: &StoredIncident, incident: &Incident) -> Self {
        let verdict = &incident.verdict;
        Self {
            id: stored.id.to_string(),
            key: stored.key.clone(),
            step: stored.step.clone(),
            model: incident.model.clone(),
            metric: stored.metric.clone(),
            unit: words::unit(incident.metric),
            direction: "up",
            status: stored.status,
            door: json!(incident.door),
            date: incident.day().map(|day| date(day.date)),
            onset: OnsetAnswer {
                at: stored.onset_at,
                from: stored.onset_from,
                to: stored.onset_to,
            },
            opened_at: stored.opened_at,
            last_at: stored.last_at,
            ended_at: stored.ended_at,
            figures: Figures::of(incident.metric, incident.day()),
            peak: incident.peak().map(|day| PeakAnswer {
                date: date(day.date),
                actual: Number(day.actual),
            }),
            verdict: VerdictAnswer {
                kind: verdict_word(verdict.kind),
                deploy_id: verdict.deploy_id.clone(),
                release: verdict.release.clone(),
                null_kind: verdict.null_cause.map(null_word),
                probability: verdict.probability,
                sentence: words::headline(incident),
                weights_version: verdict.weights_version.clone(),
            },
            acknowledged_at: stored.acknowledged_at,
            answer: stored.answer,
            confirmed_deploy_id: stored.confirmed_deploy_id.clone(),
        }
    }
}

impl IncidentDetails {
    /// `None` when the judgement can't be read.
    pub(crate) fn of(stored: &StoredIncident, events: Vec<IncidentEvent>) -> Option<Self> {
        let incident = judgement(stored)?;
        let metric = incident.metric;
        let unit = words::unit(metric);
        let is_latency = unit == MetricUnit::Ms;
        let term = |line: words::Line, of: Option<&'static str>| TermAnswer {
            term: words::term_name(line.kind),
            step: line.step,
            model: line.model,
            unit,
            of,
            amount: Number(line.amount),
            nano_usd: match line.amount {
                Amount::Whole(nano) if unit == MetricUnit::NanoUsd => Some(nano),
                _ => None,
            },
            sentence: line.sentence,
        };
        let whole = words::lines(&incident.decomposition);
        let mean = words::lines_of_mean(&incident.decomposition);
        Some(Self {
            days: incident
                .days
                .iter()
                .map(|day| DayAnswer {
                    date: date(day.date),
                    figures: Figures::of(metric, Some(day)),
                })
                .collect(),
            also_moved: incident.also_moved.iter().map(moved).collect(),
            decomposition: whole
                .into_iter()
                .map(|line| term(line, is_latency.then_some("p95")))
                .chain(mean.into_iter().map(|line| term(line, Some("mean"))))
                .collect(),
            attributions: incident.attributions.iter().map(candidate).collect(),
            nulls: incident
                .nulls
                .iter()
                .map(|null| NullAnswer {
                    kind: null_word(null.cause),
                    probability: null.probability,
                })
                .collect(),
            history: events
                .into_iter()
                .map(|event| EventAnswer {
                    at: event.at,
                    kind: event.kind,
                    actor: event.actor,
                    deploy_id: event.deploy_id,
                    note: event.note,
                })
                .collect(),
            incident: IncidentAnswer::with(stored, &incident),
        })
    }
}

fn moved(moved: &Moved) -> MovedAnswer {
    MovedAnswer {
        key: moved.key.clone(),
        step: moved.step.clone(),
        metric: moved.metric.as_str().to_owned(),
        onset: moved.onset,
        change: moved.change,
    }
}

fn candidate(candidate: &Attribution) -> CandidateAnswer {
    CandidateAnswer {
        deploy_id: candidate.deploy_id.clone(),
        release: candidate.release.clone(),
        sha: candidate.sha.clone(),
        pr_number: candidate.pr_number,
        title: candidate.title.clone(),
        started_at: candidate.rolled_out.0,
        completed_at: candidate.rolled_out.1,
        confidence: candidate.confidence(),
        probability: candidate.probability,
        cleared_because: candidate.cleared_because.clone(),
        evidence: evidence(candidate),
    }
}

/// What the rubric gave points for, then what made it likelier or not.
fn evidence(candidate: &Attribution) -> Vec<EvidenceAnswer> {
    let rubric = candidate.points.iter().flat_map(|points| {
        let sides = &points.sides;
        let rows = words::rubric_rows(points).into_iter().filter(|row| row.holds);
        rows.map(|row| EvidenceAnswer {
            kind: words::rubric_name(row.kind),
            description: row.finding,
            details: json!({
                "points": f64::from(row.kind.points()) / 100.0, "before": row.before, "after": row.after,
                "calls_before": sides.calls_before, "calls_after": sides.calls_after,
            }),
            factor: None,
        })
    });
    let features = candidate.evidence.iter().map(|item: &Evidence| EvidenceAnswer {
        kind: item.kind.as_str(),
        description: item.description.clone(),
        details: json!({
            "before": item.before, "after": item.after,
            "calls_before": item.samples.0, "calls_after": item.samples.1,
        }),
        factor: Some(item.factor),
    });
    rubric.chain(features).collect()
}
