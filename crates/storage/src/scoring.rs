//! What scoring reads: the project's settings and its latest steps.

mod settings;

use domain::{NanoUsd, ProjectId, StepKind, StepStatus, TokenUsage};
use sqlx::PgConnection;

pub use settings::{change_settings, save_settings, settings};

use crate::sequence::SEQUENCE_BITS;
use crate::{Db, Result, Tx};

/// A project's latest steps among which those for the history are looked for.
const LATEST_STEPS: i64 = 200_000;
/// Latest steps of one name, model and template that are read: as many as `engine::history` remembers.
const STEPS_EACH: i64 = 200;
/// Steps that are read as a delta; when there are more, everything is reloaded.
const MAX_DELTA_STEPS: i64 = 50_000;
/// Steps of a run up to which all of them are read to know what it has done.
const RUN_STEPS: i64 = 5_000;
/// Of a run with more steps those are read that are among so many latest ones of its project.
const LONG_RUN_STEPS: i64 = 20_000;
/// At most so many batches begin while another one is under way.
const MAX_CONCURRENT_BATCHES: i64 = 4_096;

/// What is kept of a stored step for the history.
#[derive(Clone, Debug)]
pub struct HistoryStep {
    pub sequence: i64,
    pub run_id: String,
    pub name: String,
    pub kind: StepKind,
    /// The model that answered, else the one that was asked for.
    pub model: String,
    pub template: Vec<u8>,
    pub status: StepStatus,
    /// Duration in milliseconds, as reported.
    pub latency_ms: Option<f64>,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub score: i32,
    /// Whether it was critical.
    pub is_critical: bool,
    /// Whether the answer was a refusal (code 3018).
    pub is_refusal: bool,
}

/// Up to where the steps of all processes are known. Batches commit in another order than they are numbered in, so
/// the highest number that was read says little.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watermark {
    /// Every step that arrived before is known.
    first_unseen: i64,
    /// Batches up to this number had begun, and were among the transactions below `transaction`: once none of those is
    /// under way, a read finds all of them. A batch writes or locks before it takes its number, so it is a transaction
    /// by then.
    batch: i64,
    transaction: i64,
}

impl Watermark {
    /// Up to where all is known after a read within these bounds that began where this one says.
    fn after_read(self, bounds: &SnapshotBounds) -> Self {
        if self.transaction <= bounds.all_ended_before {
            bounds.watermark(first_sequence(self.batch + 1))
        } else {
            self
        }
    }
}

/// The bounds of a transaction's snapshot.
struct SnapshotBounds {
    last_batch: i64,
    /// Transactions below have ended.
    all_ended_before: i64,
    /// Transactions from here on had not begun.
    none_begun_from: i64,
}

impl SnapshotBounds {
    /// To be read before the rows that it is about.
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

    fn watermark(&self, first_unseen: i64) -> Watermark {
        Watermark {
            first_unseen,
            batch: self.last_batch,
            transaction: self.none_begun_from,
        }
    }
}

fn first_sequence(batch: i64) -> i64 {
    batch.max(0) << SEQUENCE_BITS
}

/// The latest 200 scored steps of each name, model and template among a project's last 200,000, in order of arrival, and
/// up to where all are known then. `previous` is up to where they were before: without it nobody knows how long batches
/// have been under way, and what the last 4,096 stored will be read once more.
pub async fn latest_steps(
    db: &Db,
    project: ProjectId,
    previous: Option<Watermark>,
) -> Result<(Vec<HistoryStep>, Watermark)> {
    let mut tx = db.project(project).await?;
    // One sort of that many rows; both are about how it is done, not about what is found.
    sqlx::query!(
        "select set_config('work_mem', '64MB', true) as work_mem, set_config('jit', 'off', true) as jit"
    )
    .fetch_one(&mut *tx)
    .await?;
    let bounds = SnapshotBounds::of(&mut tx).await?;
    let rows = sqlx::query_as!(
        Row,
        "with latest as (
           select sequence, run_id, partition_at, step_id, kind, name, coalesce(model, request_model, '') as model,
             coalesce(template_fingerprint, '') as template, status, latency_ms, input_fresh, cache_read,
             cache_write, output, reasoning, cost_nano_usd, score, severity
           from steps where project_id = $1 and score is not null order by sequence desc limit $2
         ), ranked as (
           select l.*, row_number() over (
             partition by hashtextextended(
               name || e'\\x1f' || model || e'\\x1f' || kind || encode(template, 'hex'), 0)
             order by sequence desc) as back
           from latest l
         )
         select r.sequence, r.run_id, r.kind, r.name, r.model as \"model!\", r.template as \"template!\", r.status, r.latency_ms, r.input_fresh,
           r.cache_read, r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.score as \"score!\", r.severity,
           exists (select from step_conditions c where c.project_id = $1 and c.run_id = r.run_id
             and c.step_id = r.step_id and c.partition_at = r.partition_at and c.code = 3018) as \"is_refusal!\"
         from ranked r where r.back <= $3 order by r.sequence, r.step_id",
        project.0,
        LATEST_STEPS,
        STEPS_EACH
    )
    .fetch_all(&mut *tx)
    .await?;
    // Both are true, so the later one holds: before the previous watermark nothing is missing, nor is what was stored so
    // many batches ago.
    let mut watermark = previous.map_or_else(|| bounds.watermark(0), |previous| previous.after_read(&bounds));
    let oldest_concurrent = first_sequence(bounds.last_batch - MAX_CONCURRENT_BATCHES);
    watermark.first_unseen = watermark.first_unseen.max(oldest_concurrent);
    Ok((rows.into_iter().map(Row::step).collect(), watermark))
}

/// The scored steps that may have arrived since, of this process too, in order of arrival, and up to where all are
/// known then. `None` when they are so many that reading everything anew is better.
pub async fn steps_since(
    db: &Db,
    project: ProjectId,
    watermark: Watermark,
) -> Result<Option<(Vec<HistoryStep>, Watermark)>> {
    let mut tx = db.project(project).await?;
    let bounds = SnapshotBounds::of(&mut tx).await?;
    let rows = sqlx::query_as!(
        Row,
        "select s.sequence, s.run_id, s.kind, s.name, coalesce(s.model, s.request_model, '') as \"model!\",
           coalesce(s.template_fingerprint, '') as \"template!\", s.status,
           s.latency_ms, s.input_fresh, s.cache_read, s.cache_write, s.output, s.reasoning, s.cost_nano_usd,
           s.score as \"score!\", s.severity,
           exists (select from step_conditions c where c.project_id = $1 and c.run_id = s.run_id
             and c.step_id = s.step_id and c.partition_at = s.partition_at and c.code = 3018) as \"is_refusal!\"
         from steps s where s.project_id = $1 and s.sequence >= $2 and s.score is not null
         order by s.sequence, s.step_id limit $3",
        project.0,
        watermark.first_unseen,
        MAX_DELTA_STEPS + 1
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.len() as i64 > MAX_DELTA_STEPS {
        return Ok(None);
    }
    let steps = rows.into_iter().map(Row::step).collect();
    Ok(Some((steps, watermark.after_read(&bounds))))
}

/// A run of which it is asked what it has done.
#[derive(Clone, Copy, Debug)]
pub struct WantedRun<'a> {
    pub project_id: ProjectId,
    pub run_id: &'a str,
    /// A step that doesn't count.
    pub except_step_id: Option<&'a str>,
}

/// What a run has done, as far as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDone {
    pub project_id: ProjectId,
    pub run_id: String,
    /// What all of its steps cost.
    pub cost: Option<NanoUsd>,
    /// Which calls its scored steps made. All of them for a run of up to 5,000 steps; of a longer one those among the
    /// project's latest 20,000. In the order in which each was made last, which decides what is evicted.
    pub calls: Vec<RunCalls>,
}

/// The same call, some times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCalls {
    pub name: String,
    /// The tool they called.
    pub tool_name: Option<String>,
    /// Hash of the whole prompt.
    pub prompt: Option<i64>,
    pub times: i64,
}

/// What a run has done; `None` before it has a step.
pub async fn run_done(
    db: &Db,
    project_id: ProjectId,
    run_id: &str,
    except_step_id: Option<&str>,
) -> Result<Option<RunDone>> {
    let mut tx = db.project(project_id).await?;
    let wanted = WantedRun {
        project_id,
        run_id,
        except_step_id,
    };
    Ok(runs_done(&mut tx, &[wanted]).await?.pop())
}

/// What runs have done, those that exist.
pub(crate) async fn runs_done(tx: &mut PgConnection, runs: &[WantedRun<'_>]) -> Result<Vec<RunDone>> {
    // `coalesce` keeps the planner from the index of scored steps by their arrival, by which it would read the whole
    // project for a run.
    let rows = sqlx::query!(
        "select wanted.project_id as \"project_id!\", wanted.run_id as \"run_id!\", wanted.except_step_id,
           r.step_count as \"step_count!\", r.cost_nano_usd - coalesce((
             select x.cost_nano_usd from runs p
             join steps x on x.project_id = p.project_id and x.run_id = p.run_id and x.partition_at = p.partition_at
             where p.project_id = wanted.project_id and p.run_id = wanted.run_id
               and x.step_id = wanted.except_step_id limit 1), 0) as cost,
           c.name as \"name?\", c.tool_name, c.prompt, c.times
         from unnest($1::uuid[], $2::text[], $3::text[]) as wanted (project_id, run_id, except_step_id)
         join lateral (
           select sum(p.step_count) as step_count,
             least(sum(p.cost_nano_usd), 9223372036854775807)::bigint as cost_nano_usd
           from runs p where p.project_id = wanted.project_id and p.run_id = wanted.run_id
         ) r on r.step_count > 0
         left join lateral (
           select s.name, s.tool_name, s.prompt_hash as prompt, count(*) as times,
             max(s.sequence) as last_sequence
           from runs p
           join steps s on s.project_id = p.project_id and s.run_id = p.run_id and s.partition_at = p.partition_at
           where p.project_id = wanted.project_id and p.run_id = wanted.run_id
             and coalesce(s.score, -1) >= 0 and s.step_id is distinct from wanted.except_step_id
             and r.step_count <= $4
           group by s.name, s.tool_name, s.prompt_hash
         ) c on true
         order by wanted.project_id, wanted.run_id, c.last_sequence",
        &runs.iter().map(|run| run.project_id.0).collect::<Vec<_>>(),
        &runs.iter().map(|run| run.run_id).collect::<Vec<_>>() as _,
        &runs.iter().map(|run| run.except_step_id).collect::<Vec<_>>() as _,
        RUN_STEPS
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut done: Vec<RunDone> = Vec::new();
    for row in rows {
        let project_id = ProjectId(row.project_id);
        let is_next = done
            .last()
            .is_none_or(|last| (last.project_id, last.run_id.as_str()) != (project_id, row.run_id.as_str()));
        if is_next {
            let calls = if row.step_count > RUN_STEPS {
                let except = row.except_step_id.as_deref();
                latest_calls(tx, project_id, &row.run_id, except).await?
            } else {
                Vec::new()
            };
            done.push(RunDone {
                project_id,
                run_id: row.run_id,
                cost: row.cost.map(NanoUsd),
                calls,
            });
        }
        if let (Some(run), Some(name)) = (done.last_mut(), row.name) {
            run.calls.push(RunCalls {
                name,
                tool_name: row.tool_name,
                prompt: row.prompt,
                times: row.times.unwrap_or(0),
            });
        }
    }
    Ok(done)
}

/// The calls of a run's steps that are among its project's latest.
async fn latest_calls(
    tx: &mut PgConnection,
    project: ProjectId,
    run_id: &str,
    except_step_id: Option<&str>,
) -> Result<Vec<RunCalls>> {
    // A week without statistics yet would be sorted as a whole, which takes as long as the week is large; by its
    // index, the latest are 15 ms.
    sort(tx, "off").await?;
    let calls = sqlx::query_as!(
        RunCalls,
        "select l.name, l.tool_name, l.prompt, count(*) as \"times!\"
         from (
           select s.run_id, s.step_id, s.name, s.tool_name, s.prompt_hash as prompt, s.sequence
           from steps s where s.project_id = $1 and s.score is not null
           order by s.sequence desc limit $4
         ) l
         where l.run_id = $2 and l.step_id is distinct from $3::text
         group by l.name, l.tool_name, l.prompt
         order by max(l.sequence)",
        project.0,
        run_id,
        except_step_id,
        LONG_RUN_STEPS
    )
    .fetch_all(&mut *tx)
    .await?;
    sort(tx, "on").await?;
    Ok(calls)
}

/// Whether the planner may choose to sort, from here on in this transaction.
async fn sort(tx: &mut PgConnection, is: &str) -> Result<()> {
    sqlx::query!("select set_config('enable_sort', $1, true) as is", is)
        .fetch_one(&mut *tx)
        .await?;
    Ok(())
}

struct Row {
    sequence: i64,
    run_id: String,
    kind: String,
    name: String,
    model: String,
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
    fn step(self) -> HistoryStep {
        HistoryStep {
            sequence: self.sequence,
            run_id: self.run_id,
            name: self.name,
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
            cost: self.cost_nano_usd.map(NanoUsd),
            score: self.score,
            is_critical: self.severity >= 2,
            is_refusal: self.is_refusal,
        }
    }
}
