//! What calls used beside the four buckets, for the filters of their cost.

use domain::ProjectId;
use sqlx::{FromRow, QueryBuilder};

use super::{CostFilter, between, shared, steps_of};
use crate::hours::Parts;
use crate::{Result, Snapshot};

/// What the calls of one model used beside the four buckets.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct UsagePart {
    /// The model; `None` for steps without one.
    pub model: Option<String>,
    /// The name under which it is summed: `UsageDetails::counted_parts`.
    pub word: String,
    /// How many.
    pub n: i64,
}

/// What the calls that a filter leaves used beside the four buckets. A model may have a name more than once: its parts
/// are to be added up.
pub async fn usage_parts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
) -> Result<Vec<UsagePart>> {
    const OF_STEPS: &str = "steps cross join lateral \
        parts_of_usage(coalesce(usage_semantics, cost_source), usage_details, web_searches, cache_write_1h) p";
    // Few hours have any, and those have an index.
    const OF_HOURS: &str = "select model, w.key as word, least(sum(w.value::bigint), 9223372036854775807)::bigint as n \
        from rollups cross join lateral jsonb_each_text(usage_parts) w where usage_parts is not null and project_id = ";
    let columns = "model, p.word, least(sum(p.n), 9223372036854775807)::bigint as n";
    let mut found: Vec<UsagePart> = Vec::new();
    let parts = Parts::of(filter.from, filter.to);
    let is_of_steps = filter.session.is_some() || filter.run.is_some() || filter.user.is_some();
    let of_steps = match is_of_steps {
        true => vec![(filter.from, filter.to)],
        false => parts
            .ragged
            .into_iter()
            .map(|(from, to)| (Some(from), Some(to)))
            .collect(),
    };
    for (from, to) in of_steps {
        let mut query = steps_of(OF_STEPS, columns, project, filter, from, to);
        query.push(" group by model, p.word");
        found.extend(
            query
                .build_query_as::<UsagePart>()
                .fetch_all(&mut *snapshot)
                .await?,
        );
    }
    if let Some((from, to)) = parts.hours.filter(|_| !is_of_steps) {
        let mut query = QueryBuilder::new(OF_HOURS);
        query.push_bind(project.0);
        for (column, value) in shared(filter, "step_name") {
            if let Some(value) = value {
                query.push(format!(" and {column} = ")).push_bind(value.clone());
            }
        }
        between(&mut query, "hour", from, to);
        query.push(" group by model, w.key");
        found.extend(
            query
                .build_query_as::<UsagePart>()
                .fetch_all(&mut *snapshot)
                .await?,
        );
    }
    Ok(found)
}
