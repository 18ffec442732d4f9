//! What one session shows beside its runs: what its models cost, and what was said.

use domain::{NanoUsd, ProjectId, RunSummary};

use crate::payloads::{Field, Opener, TextPlace};
use crate::{Result, Snapshot};

/// What one model, or none, did in the runs of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentOn {
    /// `None` for calls that name no model.
    pub model: Option<String>,
    pub calls: i64,
    /// Known cost; `None` when none is.
    pub cost_nano_usd: Option<NanoUsd>,
}

/// What a session's model calls cost by model, the most expensive first, at most 20 models of its first thousand runs.
pub async fn spent_on(snapshot: &mut Snapshot, project: ProjectId, session: &str) -> Result<Vec<SpentOn>> {
    let rows = sqlx::query!(
        "select s.model, count(*) as \"calls!\",
           case when count(s.cost_nano_usd) > 0
             then least(sum(s.cost_nano_usd), 9223372036854775807)::bigint end as cost_nano_usd
         from (
           select partition_at, run_id from runs
           where project_id = $1 and session_id = $2 and step_count > 0 order by partition_at limit 1000) r
         join steps s on s.project_id = $1 and s.partition_at = r.partition_at and s.run_id = r.run_id
         where s.kind in ('llm', 'embedding')
         group by s.model order by sum(s.cost_nano_usd) desc nulls last, count(*) desc, s.model limit 20",
        project.0,
        session
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SpentOn {
            model: row.model,
            calls: row.calls,
            cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
        })
        .collect())
}

/// What was asked in a run, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTexts {
    /// What its first top-level step with a text was given; `None` also where that is too long.
    pub input: Option<String>,
    /// The beginning of what its last one answered.
    pub output: Option<String>,
}

/// What was asked in a run and answered by it: of its top-level steps, of nested ones where those have no text. An input
/// of more than `max_input_bytes` is left out, because half a conversation can't be read; an output is cut after
/// `max_output_chars`.
pub async fn texts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run: &RunSummary,
    max_input_bytes: i32,
    max_output_chars: i32,
) -> Result<RunTexts> {
    let row = sqlx::query!(
        "with said as (
           select s.parent_step_id is null as is_top, s.started_at, s.step_index, s.step_id, p.input, p.output,
             p.input_sealed, p.output_sealed
           from steps s
           join step_payloads p on p.project_id = s.project_id and p.partition_at = s.partition_at
             and p.run_id = s.run_id and p.step_id = s.step_id
           where s.project_id = $1 and s.partition_at = $2 and s.run_id = $3 and s.kind in ('llm', 'agent', 'chain')
         )
         select asked.step_id as \"asked?\", asked.input as \"input?\", asked.input_sealed as \"input_sealed?\",
           answered.step_id as \"answered?\", answered.output as \"output?\", answered.output_sealed as \"output_sealed?\"
         from (values (1)) as always (one)
         left join lateral (
           select step_id, case when octet_length(input) <= $4 then input end as input,
             case when octet_length(input_sealed) <= $4 then input_sealed end as input_sealed
           from said where input is not null or input_sealed is not null
           order by is_top desc, started_at, step_index nulls first, step_id limit 1) as asked on true
         left join lateral (
           select step_id, left(output, $5) as output, output_sealed
           from said where output is not null or output_sealed is not null
           order by is_top desc, started_at desc, step_index desc nulls last, step_id desc limit 1) as answered on true",
        project.0,
        run.partition_at.to_offset_date_time(),
        run.run_id.as_str(),
        max_input_bytes,
        max_output_chars
    )
    .fetch_one(&mut *snapshot)
    .await?;
    let is_sealed = row.input_sealed.is_some() || row.output_sealed.is_some();
    let opener = Opener::of(snapshot, project, is_sealed).await?;
    let (asked, answered) = (row.asked.unwrap_or_default(), row.answered.unwrap_or_default());
    let at = |step_id, field| TextPlace {
        run_id: run.run_id.as_str(),
        step_id,
        field,
    };
    let (asked, answered) = (at(&asked, Field::Input), at(&answered, Field::Output));
    Ok(RunTexts {
        input: opener.text(asked, row.input, row.input_sealed.as_deref())?,
        output: opener.beginning(
            answered,
            row.output,
            row.output_sealed.as_deref(),
            max_output_chars,
        )?,
    })
}
