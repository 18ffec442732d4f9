//! An analysis as the API answers it.

use domain::{NanoUsd, Timestamp, WorkState};
use engine::analysis::Report;
use engine::citations::Cite;
use serde::Serialize;
use storage::analyses::Analysis;
use utoipa::ToSchema;

/// An analysis of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalysisAnswer {
    state: WorkState,
    /// `rules` or `model`.
    #[schema(value_type = String)]
    source: &'static str,
    /// The model that wrote it.
    model: Option<String>,
    summary: String,
    root_cause: Option<RootCauseAnswer>,
    recommendations: Vec<RecommendationAnswer>,
    /// How many claims of the model did not hold.
    dropped_claims: u64,
    /// Those claims, and why.
    dropped: Vec<DroppedAnswer>,
    /// How many steps the run has, and how many the writer was told of one by one.
    steps: u64,
    steps_read: u64,
    /// Dollars; a decimal text. `null` when it is unknown, and of rules, which cost nothing.
    cost_usd: Option<String>,
    /// Why there is nothing else, in words for people.
    error: Option<String>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RootCauseAnswer {
    step_id: Option<String>,
    step_name: Option<String>,
    text: String,
    cites: Vec<CiteAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecommendationAnswer {
    text: String,
    /// Why; empty where the text says it.
    because: String,
    /// What it would have saved in this run.
    saves: Option<String>,
    cites: Vec<CiteAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DroppedAnswer {
    text: String,
    reason: String,
}

/// What a claim rests on; one of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CiteAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    step_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u16)]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    deploy_id: Option<String>,
}

impl AnalysisAnswer {
    /// By rules, made now.
    pub(crate) fn by_rules(report: Report, now: Timestamp) -> Self {
        Self::of(report, ("rules", WorkState::Done), now)
    }

    /// What a model wrote, or how far it is.
    pub(crate) fn by_model(stored: Analysis) -> Self {
        let report = stored
            .report
            .and_then(|report| serde_json::from_value::<Report>(report).ok())
            .unwrap_or_default();
        Self {
            model: stored.model,
            cost_usd: stored.cost.map(NanoUsd::to_decimal),
            error: stored.error,
            ..Self::of(report, ("model", stored.state), stored.created_at)
        }
    }

    fn of(report: Report, (source, state): (&'static str, WorkState), created_at: Timestamp) -> Self {
        Self {
            state,
            source,
            model: None,
            summary: report.summary,
            root_cause: report.root_cause.map(|cause| RootCauseAnswer {
                step_id: cause.step_id,
                step_name: cause.step_name,
                text: cause.text,
                cites: cause.cites.into_iter().filter_map(cite).collect(),
            }),
            recommendations: report
                .recommendations
                .into_iter()
                .map(|advice| RecommendationAnswer {
                    text: advice.text,
                    because: advice.because,
                    saves: advice.saves,
                    cites: advice.cites.into_iter().filter_map(cite).collect(),
                })
                .collect(),
            dropped_claims: u64::try_from(report.dropped.len()).unwrap_or(u64::MAX),
            dropped: report
                .dropped
                .into_iter()
                .map(|dropped| DroppedAnswer {
                    text: dropped.claim.text,
                    reason: dropped.reason,
                })
                .collect(),
            steps: report.steps,
            steps_read: report.steps_read,
            cost_usd: None,
            error: None,
            created_at,
        }
    }
}

fn cite(cite: Cite) -> Option<CiteAnswer> {
    let none = CiteAnswer {
        step_id: None,
        code: None,
        deploy_id: None,
    };
    match cite {
        Cite::Step(id) => Some(CiteAnswer {
            step_id: Some(id),
            ..none
        }),
        Cite::Code(code) => Some(CiteAnswer {
            code: Some(code),
            ..none
        }),
        Cite::Deploy(id) => Some(CiteAnswer {
            deploy_id: Some(id),
            ..none
        }),
        // No tool is asked in an analysis of a run.
        Cite::Result(_) => None,
    }
}
