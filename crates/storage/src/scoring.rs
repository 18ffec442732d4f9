//! What scoring remembers between starts: the project's settings and its latest steps.

use domain::{NanoUsd, ProjectId, StepKind, StepStatus, Timestamp, TokenUsage};
use serde_json::Value;

use crate::ingest::ARRIVAL_BITS;
use crate::{Db, Result, Tx};

/// A project's latest steps that are looked through for those that scoring remembers.
const LATEST_STEPS: i64 = 200_000;
/// Latest steps of one name, model and template that are read: as many as `engine::history` remembers.
const STEPS_EACH: i64 = 200;
/// Steps that are read as news; when there are more, everything is read anew.
const MAX_NEWS: i64 = 50_000;
/// Steps of runs that are read to know what the runs have done, at most.
const MAX_RUN_STEPS: i64 = 50_000;
/// A batch that is under way while the latest steps are read has, at most, this many younger ones.
const BATCHES_UNDER_WAY: i64 = 4_096;

/// A project's scoring settings as JSON; `{}` before anybody changed them.
pub async fn settings(db: &Db, project: ProjectId) -> Result<Value> {
    let mut tx = db.project(project).await?;
    let settings = sqlx::query_scalar!(
        "select scoring from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(settings.unwrap_or_else(nothing_set))
}

/// Replaces a project's scoring settings.
pub async fn save_settings(db: &Db, project: ProjectId, settings: &Value, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    write_settings(&mut tx, project, settings, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes a project's scoring settings by what they are now: nobody else can change them meanwhile. `None` from
/// `change` leaves them as they are. Returns whether they were changed.
pub async fn change_settings(
    db: &Db,
    project: ProjectId,
    now: Timestamp,
    change: impl FnOnce(Value) -> Option<Value>,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    // A row has to be there to be locked.
    sqlx::query!(
        "insert into project_settings (project_id, updated_at) values ($1, $2) on conflict (project_id) do nothing",
        project.0,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let settings = sqlx::query_scalar!(
        "select scoring from project_settings where project_id = $1 for update",
        project.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(changed) = change(settings) else {
        return Ok(false);
    };
    write_settings(&mut tx, project, &changed, now).await?;
    tx.commit().await?;
    Ok(true)
}

async fn write_settings(tx: &mut Tx, project: ProjectId, settings: &Value, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into project_settings (project_id, scoring, updated_at) values ($1, $2, $3)
         on conflict (project_id) do update set scoring = excluded.scoring, updated_at = excluded.updated_at",
        project.0,
        settings,
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn nothing_set() -> Value {
    Value::Object(Default::default())
}

/// A step as its run remembers it.
#[derive(Clone, Debug)]
pub struct RunCall {
    /// Its place in the order of arrival.
    pub arrival: i64,
    /// Its run.
    pub run_id: String,
    /// Its id within the run.
    pub step_id: String,
    /// Its name.
    pub name: String,
    /// The tool it called.
    pub tool_name: Option<String>,
    /// Fingerprint of the whole prompt.
    pub prompt: Option<Vec<u8>>,
    /// Its cost.
    pub cost: Option<NanoUsd>,
}

/// A stored step as scoring remembers it.
#[derive(Clone, Debug)]
pub struct PastStep {
    /// What its run remembers of it.
    pub call: RunCall,
    /// What it did.
    pub kind: StepKind,
    /// The model that answered, else the one that was asked for.
    pub model: String,
    /// Template fingerprint.
    pub template: Vec<u8>,
    /// How it ended.
    pub status: StepStatus,
    /// Duration in milliseconds, as reported.
    pub latency_ms: Option<f64>,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// Its score.
    pub score: i32,
    /// Whether it was critical.
    pub is_critical: bool,
    /// Whether the answer was a refusal (code 3018).
    pub is_refusal: bool,
}

/// Up to where the steps of all processes are known. Batches commit in another order than they are numbered in, so
/// the highest number that was read says little.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeenTo {
    /// Every step that arrived before is known.
    first_unknown: i64,
    /// Batches up to this number had begun, and were among the transactions below `transaction`: once none of those is
    /// under way, a read finds all of them. A batch writes or locks before it takes its number, so it is a transaction
    /// by then.
    batch: i64,
    transaction: i64,
}

/// What an open transaction can see.
struct Sight {
    last_batch: i64,
    /// Transactions below have ended.
    all_ended_before: i64,
    /// Transactions from here on had not begun.
    none_begun_from: i64,
}

impl Sight {
    /// To be asked before what is read in the light of it.
    async fn of(tx: &mut Tx) -> Result<Self> {
        // Two statements: the number has to be older than the snapshot.
        let last_batch = sqlx::query_scalar!("select last_value from batches")
            .fetch_one(&mut **tx)
            .await?;
        let snapshot = sqlx::query!(
            "select pg_snapshot_xmin(s)::text::bigint as \"xmin!\", pg_snapshot_xmax(s)::text::bigint as \"xmax!\"
             from pg_current_snapshot() s"
        )
        .fetch_one(&mut **tx)
        .await?;
        Ok(Self {
            last_batch,
            all_ended_before: snapshot.xmin,
            none_begun_from: snapshot.xmax,
        })
    }

    fn begins_unknown_at(&self, first_unknown: i64) -> SeenTo {
        SeenTo {
            first_unknown,
            batch: self.last_batch,
            transaction: self.none_begun_from,
        }
    }
}

fn first_arrival(batch: i64) -> i64 {
    batch.max(0) << ARRIVAL_BITS
}

/// The latest 200 scored steps of each name, model and template among a project's last 200,000, in order of arrival.
pub async fn latest_steps(db: &Db, project: ProjectId) -> Result<(Vec<PastStep>, SeenTo)> {
    let mut tx = db.project(project).await?;
    // One sort of that many rows; both are about how it is done, not about what is found.
    sqlx::query!(
        "select set_config('work_mem', '64MB', true) as work_mem, set_config('jit', 'off', true) as jit"
    )
    .fetch_one(&mut *tx)
    .await?;
    let sight = Sight::of(&mut tx).await?;
    let rows = sqlx::query_as!(
        Row,
        "with latest as (
           select arrival, run_id, run_at, step_id, kind, name, coalesce(model, request_model, '') as model, tool_name,
             prompt_fingerprint, coalesce(template_fingerprint, '') as template, status, latency_ms, input_fresh,
             cache_read, cache_write, output, reasoning, cost_nano_usd, score, severity
           from steps where project_id = $1 and score is not null order by arrival desc limit $2
         ), ranked as (
           select l.*, row_number() over (
             partition by hashtextextended(
               name || e'\\x1f' || model || e'\\x1f' || kind || encode(template, 'hex'), 0)
             order by arrival desc) as back
           from latest l
         )
         select r.arrival, r.run_id, r.step_id, r.kind, r.name, r.model as \"model!\", r.tool_name,
           r.prompt_fingerprint as prompt, r.template as \"template!\", r.status, r.latency_ms, r.input_fresh,
           r.cache_read, r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.score as \"score!\", r.severity,
           exists (select from step_conditions c where c.project_id = $1 and c.run_id = r.run_id
             and c.step_id = r.step_id and c.run_at = r.run_at and c.code = 3018) as \"is_refusal!\"
         from ranked r where r.back <= $3 order by r.arrival, r.step_id",
        project.0,
        LATEST_STEPS,
        STEPS_EACH
    )
    .fetch_all(&mut *tx)
    .await?;
    let seen_to = sight.begins_unknown_at(first_arrival(sight.last_batch - BATCHES_UNDER_WAY));
    Ok((rows.into_iter().map(Row::step).collect(), seen_to))
}

/// The scored steps that may have arrived since, of this process too, in order of arrival, and up to where all are
/// known then. `None` when they are so many that reading everything anew is better.
pub async fn steps_since(
    db: &Db,
    project: ProjectId,
    seen_to: SeenTo,
) -> Result<Option<(Vec<PastStep>, SeenTo)>> {
    let mut tx = db.project(project).await?;
    let sight = Sight::of(&mut tx).await?;
    let rows = sqlx::query_as!(
        Row,
        "select s.arrival, s.run_id, s.step_id, s.kind, s.name, coalesce(s.model, s.request_model, '') as \"model!\",
           s.tool_name, s.prompt_fingerprint as prompt, coalesce(s.template_fingerprint, '') as \"template!\", s.status,
           s.latency_ms, s.input_fresh, s.cache_read, s.cache_write, s.output, s.reasoning, s.cost_nano_usd,
           s.score as \"score!\", s.severity,
           exists (select from step_conditions c where c.project_id = $1 and c.run_id = s.run_id
             and c.step_id = s.step_id and c.run_at = s.run_at and c.code = 3018) as \"is_refusal!\"
         from steps s where s.project_id = $1 and s.arrival >= $2 and s.score is not null
         order by s.arrival, s.step_id limit $3",
        project.0,
        seen_to.first_unknown,
        MAX_NEWS + 1
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.len() as i64 > MAX_NEWS {
        return Ok(None);
    }
    let seen_to = if seen_to.transaction <= sight.all_ended_before {
        sight.begins_unknown_at(first_arrival(seen_to.batch + 1))
    } else {
        seen_to
    };
    Ok(Some((rows.into_iter().map(Row::step).collect(), seen_to)))
}

/// What a run's scored steps were; nothing for a run that nobody knows.
pub async fn calls_of_run(db: &Db, project: ProjectId, run_id: &str) -> Result<Vec<RunCall>> {
    let mut tx = db.project(project).await?;
    let calls = calls_of_runs(&mut tx, &[(project, run_id)]).await?;
    Ok(calls.into_iter().map(|(_, call)| call).collect())
}

/// What the scored steps of runs were, in no order.
pub(crate) async fn calls_of_runs(
    tx: &mut Tx,
    runs: &[(ProjectId, &str)],
) -> Result<Vec<(ProjectId, RunCall)>> {
    let (projects, run_ids): (Vec<_>, Vec<&str>) =
        runs.iter().map(|(project, run_id)| (project.0, *run_id)).unzip();
    // Said like this, the index of scored steps by their arrival can't be used, which would read the whole project.
    let rows = sqlx::query!(
        "select s.project_id, s.arrival, s.run_id, s.step_id, s.name, s.tool_name, s.prompt_fingerprint, s.cost_nano_usd
         from unnest($1::uuid[], $2::text[]) as wanted (project_id, run_id)
         join run_keys k on k.project_id = wanted.project_id and k.run_id = wanted.run_id
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.run_at = k.run_at
         where coalesce(s.score, -1) >= 0 limit $3",
        &projects,
        &run_ids as _,
        MAX_RUN_STEPS
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|s| {
            let call = RunCall {
                arrival: s.arrival,
                run_id: s.run_id,
                step_id: s.step_id,
                name: s.name,
                tool_name: s.tool_name,
                prompt: s.prompt_fingerprint,
                cost: s.cost_nano_usd.map(NanoUsd),
            };
            (ProjectId(s.project_id), call)
        })
        .collect())
}

struct Row {
    arrival: i64,
    run_id: String,
    step_id: String,
    kind: String,
    name: String,
    model: String,
    tool_name: Option<String>,
    prompt: Option<Vec<u8>>,
    template: Vec<u8>,
    status: String,
    latency_ms: Option<f64>,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    cost_nano_usd: Option<i64>,
    score: i32,
    severity: i16,
    is_refusal: bool,
}

impl Row {
    fn step(self) -> PastStep {
        PastStep {
            call: RunCall {
                arrival: self.arrival,
                run_id: self.run_id,
                step_id: self.step_id,
                name: self.name,
                tool_name: self.tool_name,
                prompt: self.prompt,
                cost: self.cost_nano_usd.map(NanoUsd),
            },
            kind: StepKind::parse(&self.kind).unwrap_or(StepKind::Other),
            model: self.model,
            template: self.template,
            status: StepStatus::parse(&self.status).unwrap_or(StepStatus::Error),
            latency_ms: self.latency_ms,
            tokens: TokenUsage {
                input_fresh: self.input_fresh,
                cache_read: self.cache_read,
                cache_write: self.cache_write,
                cache_write_1h: None,
                output: self.output,
                reasoning: self.reasoning,
            },
            score: self.score,
            is_critical: self.severity >= 2,
            is_refusal: self.is_refusal,
        }
    }
}
