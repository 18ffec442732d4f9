//! Reading what a back-test needs: many steps with their figures and codes, and the texts of a few.

use domain::anomaly::CodePrecision;
use domain::usage::known_sum;
use domain::{ProjectId, RunFilter, Severity, StepKind, StepStatus, Timestamp, Window};
use serde_json::Value;

use crate::payloads::{Field, Opener, TextPlace};
use crate::runs::severity;
use crate::{Result, Snapshot};

/// Steps before the window that limits and bands are learned from, at most.
const LEAD_IN: usize = 2_000;
/// How far before the window they may lie: 7 days.
const LEAD_IN_MICROS: i64 = 7 * 86_400 * 1_000_000;
/// Steps of which texts are read, at most.
const MAX_TEXTS: usize = 200;
/// A step with longer texts than this is passed over, in bytes.
const MAX_TEXT_BYTES: i64 = 128 * 1024;
/// All texts together, in bytes.
const MAX_TEXTS_BYTES: usize = 2 * 1024 * 1024;
/// Changes of the rules that are looked through for who set a limit.
const MAX_CHANGES: i64 = 50;

/// A stored step. Unknown is `None`, never 0.
#[derive(Clone, Debug)]
pub struct StoredStep {
    pub run_id: String,
    /// Its id within the run.
    pub step_id: String,
    /// When its run is filed.
    pub partition_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    pub kind: StepKind,
    pub name: String,
    /// The model that answered, else the one that was asked for.
    pub model: String,
    /// Template fingerprint in hexadecimal, blank when there is none.
    pub template: String,
    pub key_label: String,
    pub status: StepStatus,
    pub has_output: bool,
    /// Duration in milliseconds.
    pub latency_ms: Option<f64>,
    /// Time to the first token in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Longest pause of a stream in milliseconds.
    pub max_gap_ms: Option<f64>,
    pub input_tokens: Option<i64>,
    /// Input tokens from the prompt cache.
    pub cache_read_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// Reasoning tokens among them.
    pub reasoning_tokens: Option<i64>,
    pub cost_nano_usd: Option<i64>,
    /// The severity it was stored with.
    pub severity: Severity,
    /// The layer after which scoring stopped.
    pub stopped_at_layer: Option<u8>,
    pub codes: Vec<u16>,
    /// Points of code 4011, where it hit.
    pub context_points: Option<i32>,
    /// Whether a condition was marked real; `None` when none was marked.
    pub marked_real: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct StoredText {
    /// Its position among the steps.
    pub step: usize,
    pub input: Option<String>,
    /// What came back.
    pub output: Option<String>,
    pub error: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// True when a stream ended without its final event.
    pub stream_incomplete: bool,
}

/// Stored steps in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct StoredSteps {
    /// How many of them, at the beginning, came before the window.
    pub lead_in: usize,
    /// How many scored and unscored steps the window has.
    pub steps_in_window: i64,
    pub steps: Vec<StoredStep>,
    /// Texts of the newest model calls that have any.
    pub texts: Vec<StoredText>,
}

/// The scored steps that were received since `from`, at most the latest `limit`, and those that arrived before them.
pub async fn steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    limit: usize,
) -> Result<StoredSteps> {
    // The ledger counts by the minute.
    let from = from.minute();
    let bounds = sqlx::query!(
        "with latest as materialized (
           select sequence, received_at from steps
           where project_id = $1 and score is not null order by sequence desc limit $3
         ), first as (
           select min(sequence) as in_window from latest where received_at >= $2
         ), lead_in as (
           select l.sequence from latest l, first
           where l.sequence < first.in_window and l.received_at >= $4 order by l.sequence desc limit $5
         )
         select in_window as \"in_window!\", least(in_window, (select min(sequence) from lead_in)) as \"read!\"
         from first where in_window is not null",
        project.0,
        from.to_offset_date_time(),
        (limit + LEAD_IN) as i64,
        from.plus_micros(-LEAD_IN_MICROS).to_offset_date_time(),
        LEAD_IN as i64
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    let (first_read, first_in_window) = bounds.map_or((i64::MAX, i64::MAX), |b| (b.read, b.in_window));
    let rows = sqlx::query!(
        "with marked as materialized (
           select run_id, step_id, bool_or(verdict = 'real') as is_real
           from condition_feedback where project_id = $1 group by run_id, step_id
         )
         select s.run_id, s.step_id, s.partition_at, s.started_at, s.kind, s.name,
           coalesce(s.model, s.request_model, '') as \"model!\",
           coalesce(encode(s.template_fingerprint, 'hex'), '') as \"template!\", s.key_label, s.status,
           coalesce(s.output_shape <> 'empty', false) as \"has_output!\", s.latency_ms, s.ttft_ms, s.max_gap_ms,
           s.input_fresh, s.cache_read, s.cache_write, s.output, s.reasoning, s.cost_nano_usd, s.severity,
           s.stopped_at_layer, c.codes, c.context_points, m.is_real as \"is_real?\",
           s.sequence
         from steps s
         left join lateral (
           select array_agg(code order by code) as codes, max(points) filter (where code = 4011) as context_points
           from step_conditions
           where project_id = $1 and run_id = s.run_id and step_id = s.step_id and partition_at = s.partition_at
         ) c on true
         left join marked m on m.run_id = s.run_id and m.step_id = s.step_id
         where s.project_id = $1 and s.sequence >= $2 and s.score is not null
         order by s.sequence, s.step_id limit $3",
        project.0,
        first_read,
        (limit + LEAD_IN) as i64
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let before_window = rows
        .iter()
        .take_while(|row| row.sequence < first_in_window)
        .count();
    let mut steps: Vec<StoredStep> = rows
        .into_iter()
        .map(|s| {
            let input = known_sum(known_sum(s.input_fresh, s.cache_read), s.cache_write);
            StoredStep {
                run_id: s.run_id,
                step_id: s.step_id,
                partition_at: Timestamp::from_offset_date_time(s.partition_at),
                started_at: Timestamp::from_offset_date_time(s.started_at),
                kind: StepKind::parse(&s.kind).unwrap_or(StepKind::Other),
                name: s.name,
                model: s.model,
                template: s.template,
                key_label: s.key_label,
                status: StepStatus::parse(&s.status).unwrap_or(StepStatus::Error),
                has_output: s.has_output,
                latency_ms: s.latency_ms,
                ttft_ms: s.ttft_ms,
                max_gap_ms: s.max_gap_ms,
                input_tokens: input,
                cache_read_tokens: s.cache_read,
                output_tokens: s.output,
                reasoning_tokens: s.reasoning,
                cost_nano_usd: s.cost_nano_usd,
                severity: severity(s.severity),
                stopped_at_layer: s.stopped_at_layer.and_then(|layer| u8::try_from(layer).ok()),
                codes: codes(s.codes.unwrap_or_default()),
                context_points: s.context_points,
                marked_real: s.is_real,
            }
        })
        .collect();
    let in_window = steps.len() - before_window;
    let lead_in = before_window + in_window.saturating_sub(limit);
    let too_old = lead_in.saturating_sub(LEAD_IN);
    steps.drain(..too_old);
    let steps_in_window = sqlx::query_scalar!(
        "select coalesce(sum(steps), 0)::bigint as \"n!\" from ledger
         where project_id = $1 and minute >= $2 and outcome = 'stored'",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_one(&mut *snapshot)
    .await?;
    let texts = texts(snapshot, project, &steps).await?;
    Ok(StoredSteps {
        lead_in: lead_in - too_old,
        steps_in_window,
        steps,
        texts,
    })
}

/// Of a step with a text that was too large to keep, the other says too little to judge it by. The attributes that say
/// so are named by `engine::StepFacts`.
async fn texts(snapshot: &mut Snapshot, project: ProjectId, steps: &[StoredStep]) -> Result<Vec<StoredText>> {
    let newest: Vec<usize> = (0..steps.len())
        .rev()
        .filter(|index| steps[*index].kind == StepKind::Llm)
        .take(2 * MAX_TEXTS)
        .collect();
    let (runs, ids): (Vec<&str>, Vec<&str>) = newest
        .iter()
        .map(|index| (steps[*index].run_id.as_str(), steps[*index].step_id.as_str()))
        .unzip();
    let filed: Vec<_> = newest
        .iter()
        .map(|index| steps[*index].partition_at.to_offset_date_time())
        .collect();
    let rows = sqlx::query!(
        "select w.place as \"place!\", p.input, p.output, p.input_sealed, p.output_sealed, s.error, s.stop_reason,
           coalesce(s.stream_incomplete, false) as \"stream_incomplete!\"
         from unnest($2::text[], $3::text[], $4::timestamptz[]) with ordinality as w (run_id, step_id, partition_at, place)
         join step_payloads p on p.project_id = $1 and p.run_id = w.run_id and p.step_id = w.step_id
           and p.partition_at = w.partition_at
         join steps s on s.project_id = $1 and s.run_id = w.run_id and s.step_id = w.step_id and s.partition_at = w.partition_at
         where coalesce(octet_length(p.input), octet_length(p.input_sealed), 0)
             + coalesce(octet_length(p.output), octet_length(p.output_sealed), 0) <= $5
           and not coalesce(s.attributes ?| array['input_not_kept', 'output_not_kept'], false)",
        project.0,
        &runs as _,
        &ids as _,
        &filed as _,
        MAX_TEXT_BYTES as i32
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let is_sealed = rows
        .iter()
        .any(|row| row.input_sealed.is_some() || row.output_sealed.is_some());
    let opener = Opener::of(snapshot, project, is_sealed).await?;
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        let place = usize::try_from(row.place - 1).ok();
        let Some(step) = place.and_then(|place| newest.get(place)).copied() else {
            continue;
        };
        let at = |field| TextPlace {
            run_id: &steps[step].run_id,
            step_id: &steps[step].step_id,
            field,
        };
        texts.push(StoredText {
            step,
            input: opener.text(at(Field::Input), row.input, row.input_sealed.as_deref())?,
            output: opener.text(at(Field::Output), row.output, row.output_sealed.as_deref())?,
            error: row.error,
            stop_reason: row.stop_reason,
            stream_incomplete: row.stream_incomplete,
        });
    }
    texts.sort_by_key(|text| std::cmp::Reverse(text.step));
    let mut bytes = 0;
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    texts.retain(|text| {
        bytes += len(&text.input) + len(&text.output);
        bytes <= MAX_TEXTS_BYTES
    });
    texts.truncate(MAX_TEXTS);
    Ok(texts)
}

/// What the scoring settings show beside the rules.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Steps since `from`.
    pub steps: i64,
    /// Critical and other anomalous steps per key, most critical ones first.
    pub keys: Vec<KeyAlerts>,
    /// How often each code hit, ascending; codes that never did are absent.
    pub hits: Vec<(u16, i64)>,
    /// How often each was right by what people said.
    pub precision: Vec<CodePrecision>,
    /// Changes of the rules, newest first.
    pub changes: Vec<Change>,
}

/// Anomalies of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAlerts {
    pub key_label: String,
    pub critical: i64,
    /// Steps with points that are not critical.
    pub warning: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub at: Timestamp,
    /// Who: a person's name, else what the audit log calls them.
    pub by: String,
    /// The rules as the API writes them.
    pub rules: Value,
}

/// Figures since `from` and the changes of a project's rules.
pub async fn overview(snapshot: &mut Snapshot, project: ProjectId, from: Timestamp) -> Result<Overview> {
    let since = from.to_offset_date_time();
    let runs = RunFilter {
        window: Window::Fixed {
            from: Some(from),
            to: None,
        },
        ..RunFilter::default()
    };
    let steps = crate::runs::totals(snapshot, project, &runs, from).await?.steps;
    let keys = sqlx::query_as!(
        KeyAlerts,
        "select key_label, count(*) filter (where severity = 2) as \"critical!\",
           count(*) filter (where severity = 1) as \"warning!\"
         from steps where project_id = $1 and partition_at >= $2 and severity > 0
         group by key_label order by 2 desc, 1",
        project.0,
        since
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let hits = sqlx::query!(
        "select code, count(*) as \"hits!\" from step_conditions
         where project_id = $1 and partition_at >= $2 group by code order by code",
        project.0,
        since
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let changes = sqlx::query!(
        "select a.at, coalesce(u.name, a.actor) as \"by!\", a.details
         from audit_log a left join users u on u.email = a.actor
         where a.project_id = $1 and a.action = 'scoring.change'
         order by a.at desc, a.id desc limit $2",
        project.0,
        MAX_CHANGES
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let precision = crate::feedback::precision_by_code(snapshot, project, from).await?;
    Ok(Overview {
        steps,
        keys,
        hits: hits
            .into_iter()
            .filter_map(|row| Some((u16::try_from(row.code).ok()?, row.hits)))
            .collect(),
        precision,
        changes: changes
            .into_iter()
            .map(|row| Change {
                at: Timestamp::from_offset_date_time(row.at),
                by: row.by,
                rules: row.details,
            })
            .collect(),
    })
}

fn codes(stored: Vec<i16>) -> Vec<u16> {
    let codes = stored.into_iter().filter_map(|code| u16::try_from(code).ok());
    codes.collect()
}
