//! Spans of traces that belong to no call of a model: those of the web server and the database around it. A project may
//! do without them.

use std::collections::HashSet;

use domain::ProjectId;
use otlp::ReadSpan;

use crate::error::HttpResult;
use crate::state::AppState;

/// Why such a span is not kept, in the ledger.
pub(super) const REASON: &str = "plain_span";

/// The spans that are kept, and how many are not. A trace is of a model if one of its spans is, of this request or of
/// those before: what lies around its calls is a part of the run.
pub(super) async fn without_plain(
    state: &AppState,
    project: ProjectId,
    spans: Vec<ReadSpan>,
) -> HttpResult<(Vec<ReadSpan>, usize)> {
    let plain = plain_runs(&spans);
    if plain.is_empty() || storage::spans::keeps_plain(&state.ingest_db, project).await? {
        return Ok((spans, 0));
    }
    let asked: Vec<String> = plain.iter().cloned().collect();
    let known = storage::spans::known_runs(&state.ingest_db, project, &asked).await?;
    let all = spans.len();
    let is_kept = |span: &ReadSpan| !plain.contains(&span.step.run_id) || known.contains(&span.step.run_id);
    let kept: Vec<ReadSpan> = spans.into_iter().filter(is_kept).collect();
    let left_out = all - kept.len();
    Ok((kept, left_out))
}

/// The runs without a span of those who call models.
fn plain_runs(spans: &[ReadSpan]) -> HashSet<String> {
    let of_models: HashSet<&str> = spans
        .iter()
        .filter(|span| span.is_of_a_model)
        .map(|span| span.step.run_id.as_str())
        .collect();
    spans
        .iter()
        .map(|span| &span.step.run_id)
        .filter(|run_id| !of_models.contains(run_id.as_str()))
        .cloned()
        .collect()
}
