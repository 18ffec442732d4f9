//! One batch from top to bottom: hide, normalise, price, fingerprint, seal, score, insert, add up, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::key_limit::Amounts;
use domain::ledger::Dimension;
use domain::{NewStep, ProjectId, Severity, Timestamp};
use engine::pricing::PriceTable;
use storage::ingest::{self, BatchTx, FiledRuns, LedgerEntry, Outcome, PromptText, RunPart, StepRow};
use tokio::task::yield_now;

use super::cardinality::CountedAs;
use super::condition_days::condition_days;
use super::redact::{redacted, redaction_days};
use super::seal::{keys, seal};
use super::{
    Delivery, DerivedStep, ProjectCaches, Received, Submission, counted_usage, release, rollup, run_deltas,
};
use crate::alerts::ToldStep;
use crate::blocking::{run_blocking_if_large, text_bytes};
use crate::clock;
use crate::enabled_detectors::queued;
use crate::metrics::Metrics;

/// Steps that are worked out without a pause, which is half a millisecond where texts are short: a thread that works
/// out a batch of a thousand looks after no socket meanwhile.
const CHUNK_STEPS: usize = 16;

/// What a committed batch changed.
#[derive(Debug)]
pub struct Written {
    /// For each submission, what became of each of its steps.
    pub received: Vec<Vec<Received>>,
    /// Runs with a new step.
    pub changed_runs: BTreeMap<ProjectId, BTreeSet<String>>,
}

/// Writes submissions in one transaction. Nothing of them is in the database when this fails.
pub async fn process_batch(
    db: &storage::Db,
    caches: &ProjectCaches,
    submissions: &[Submission],
    metrics: &Metrics,
) -> storage::Result<Written> {
    let started = std::time::Instant::now();
    let projects: BTreeSet<ProjectId> = submissions.iter().map(|s| s.project_id).collect();
    let projects: Vec<ProjectId> = projects.into_iter().collect();
    // Read, and worked out, before the transaction begins, so that nothing is locked meanwhile.
    let redacted = redacted(caches.redaction.as_ref(), &projects, submissions).await?;
    let submissions = redacted.as_deref().unwrap_or(submissions);
    // Who sent nothing to store needs no key: what was refused is counted all the same.
    let storing: BTreeSet<ProjectId> = submissions
        .iter()
        .filter(|submission| !submission.steps.is_empty())
        .map(|submission| submission.project_id)
        .collect();
    let storing: Vec<ProjectId> = storing.into_iter().collect();
    let text_keys = keys(caches.payload_keys.as_ref(), &storing).await?;
    let mut scorer = caches.scoring.batch(&projects).await?;
    let mut prices = BTreeMap::new();
    for project in &projects {
        prices.insert(*project, caches.prices.of(*project).await?);
    }
    let mut alerts = caches.alerts.batch(&projects).await?;
    let judging = caches.detectors.judging(&projects).await?;
    let steps: Vec<(&Submission, &NewStep)> = received_steps(submissions).collect();
    let mut derived = Vec::with_capacity(steps.len());
    for (i, some) in steps.chunks(CHUNK_STEPS).enumerate() {
        pause_before(i).await;
        let bytes = some.iter().map(|(_, step)| text_bytes(step)).sum();
        let of =
            |(s, step): &(&Submission, &NewStep)| derive_step(caches, s, step, prices.get(&s.project_id));
        run_blocking_if_large(bytes, || derived.extend(some.iter().map(of)));
    }
    let counted: Vec<CountedAs<'_>> = steps
        .iter()
        .zip(&derived)
        .map(|((s, step), derived)| {
            let guard = &caches.cardinality;
            guard.counted_as(s.project_id, &s.key_label, step, derived.template)
        })
        .collect();
    let mut rows: Vec<StepRow<'_>> = steps
        .iter()
        .zip(&derived)
        .zip(&counted)
        .map(|(((s, step), derived), counted)| step_row(s, step, derived, counted))
        .collect();
    seal(&text_keys, &mut rows).await?;

    if let Err(cause) = caches.weeks.prepare(&rows).await {
        // The rows can be stored all the same; the maintainer moves them.
        tracing::warn!(error = %anyhow::Error::new(cause), "the weeks of a batch could not be prepared");
    }
    let mut batch = ingest::begin(db, &projects).await?;
    let runs = ingest::file_runs(&mut batch, &mut rows).await?;
    let looks_new = ingest::find_new(&mut batch, &rows, &runs).await?;
    count_usage_once(&mut batch, &steps, &runs, &mut rows, &mut derived, &looks_new).await?;
    scorer.read_runs(&mut batch, &runs).await?;
    for (nth, row) in rows.iter_mut().enumerate() {
        row.sequence = runs.sequence(nth);
    }
    let some = rows
        .chunks_mut(CHUNK_STEPS)
        .zip(derived.chunks(CHUNK_STEPS))
        .zip(looks_new.chunks(CHUNK_STEPS));
    for (i, ((rows, derived), looks_new)) in some.enumerate() {
        pause_before(i).await;
        let bytes = rows.iter().map(|row| text_bytes(row.step)).sum();
        run_blocking_if_large(bytes, || scorer.score(rows, derived, looks_new));
    }
    let is_new = ingest::insert_steps(&mut batch, &rows, &looks_new).await?;
    let mut texts = unstored_texts(caches, &rows, &derived, &is_new);
    ingest::keep_prompt_texts(&mut batch, &mut texts).await?;
    let new_counted = || {
        let all = rows.iter().zip(&counted).zip(&is_new);
        all.filter(|(_, is_new)| **is_new).map(|(row, _)| row)
    };
    let new_rows = || new_counted().map(|(row, _)| row);
    ingest::add_to_runs(&mut batch, &mut run_deltas(new_rows())).await?;
    ingest::add_to_releases(&mut batch, &release::release_hours(new_counted())).await?;
    let seen = caches.first_seen.unknown(new_counted());
    ingest::keep_first_seen(&mut batch, &seen).await?;
    let fresh = rollup::rollups(new_counted());
    let stored = ingest::lock_rollups(&mut batch, &fresh).await?;
    let merged: Vec<_> = fresh
        .into_iter()
        .filter_map(|(key, new)| stored.get(&key).map(|stored| (key, rollup::merge(new, stored))))
        .collect();
    ingest::write_rollups(&mut batch, &merged).await?;
    ingest::add_to_condition_days(&mut batch, &condition_days(new_counted())).await?;
    let received = received_by_submission(submissions, &is_new);
    let mut entries = ledger_entries(submissions, &received, &limited(new_counted()));
    ingest::add_to_ledger(&mut batch, &mut entries).await?;
    ingest::add_to_redaction_days(&mut batch, &redaction_days(submissions, &is_new)).await?;
    if alerts.has_any() {
        let now = clock::now();
        let mut told = alerts.of(new_counted().map(told_step), now);
        ingest::add_alerts(&mut batch, &mut told, now).await?;
        let (mut runs, due_at) = alerts.traced(new_rows(), now);
        ingest::queue_traces(&mut batch, &mut runs, now, due_at).await?;
    }
    let is_judging = !judging.is_empty();
    if is_judging {
        let now = clock::now();
        let (mut runs, due_at) = queued(&judging, new_rows(), now);
        ingest::queue_judgements(&mut batch, &mut runs, now, due_at).await?;
    }
    scorer.committing();
    batch.commit().await?;
    scorer.settle(&is_new);
    alerts.settle();
    if is_judging {
        caches.detectors.wake.notify_one();
    }
    let now = clock::now();
    for row in new_rows() {
        let used = Amounts {
            requests: 0,
            tokens: row.tokens.total().unwrap_or(0),
            cost: row.cost_nano_usd.unwrap_or_default(),
        };
        caches.key_limits.add(row.project_id, row.key_label, used, now);
    }
    let stored = texts.iter().map(|text| (text.project_id, text.fingerprint));
    caches.prompts.stored(stored);
    caches.first_seen.stored(&seen);

    let mut changed_runs: BTreeMap<ProjectId, BTreeSet<String>> = BTreeMap::new();
    for row in new_rows() {
        changed_runs
            .entry(row.project_id)
            .or_default()
            .insert(row.step.run_id.clone());
    }
    metrics.batch_written(started.elapsed(), &entries);
    Ok(Written {
        received,
        changed_runs,
    })
}

/// Takes the usage from steps that only say again what other steps used: what a step says stays among its attributes.
async fn count_usage_once(
    batch: &mut BatchTx,
    steps: &[(&Submission, &NewStep)],
    runs: &FiledRuns,
    rows: &mut [StepRow<'_>],
    derived: &mut [DerivedStep],
    looks_new: &[bool],
) -> storage::Result<()> {
    let is_asked: Vec<bool> = steps
        .iter()
        .zip(rows.iter())
        .zip(looks_new)
        .map(|(((submission, _), row), is_new)| {
            *is_new && submission.repeats_usage && counted_usage::is_in(row)
        })
        .collect();
    let asked = rows.iter().zip(&is_asked).filter(|(_, is_asked)| **is_asked);
    let parts: BTreeSet<RunPart> = asked
        .map(|(row, _)| (row.project_id, row.step.run_id.clone(), row.partition_at))
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    let stored = ingest::stored_usage(batch, parts, runs).await?;
    let repeated = counted_usage::repeated(rows, looks_new, &is_asked, &stored);
    for ((row, derived), _) in rows
        .iter_mut()
        .zip(derived)
        .zip(&repeated)
        .filter(|(_, repeated)| **repeated)
    {
        derived.forget_usage();
        (row.tokens, row.usage_semantics) = (derived.tokens, derived.usage_semantics);
        (row.cost_nano_usd, row.cost_source) = (derived.cost, derived.cost_source);
        row.price_version.clone_from(&derived.price_version);
    }
    Ok(())
}

fn told_step<'a>((row, counted): (&'a StepRow<'a>, &'a CountedAs<'a>)) -> ToldStep<'a> {
    ToldStep {
        row,
        counted_name: counted.step_name,
    }
}

/// Lets others have their turn, but for the first part of a batch: a small one has no other.
async fn pause_before(part: usize) {
    if part > 0 {
        yield_now().await;
    }
}

fn received_steps(submissions: &[Submission]) -> impl Iterator<Item = (&Submission, &NewStep)> {
    submissions
        .iter()
        .flat_map(|submission| submission.steps.iter().map(move |step| (submission, step)))
}

/// What is worked out about a step from itself and its project's prices.
fn derive_step(
    caches: &ProjectCaches,
    of: &Submission,
    step: &NewStep,
    prices: Option<&Arc<PriceTable>>,
) -> DerivedStep {
    let mut derived = match prices {
        Some(prices) => DerivedStep::of(step, prices),
        None => DerivedStep::of(step, &PriceTable::default()),
    };
    let guard = &caches.cardinality;
    let is_template = |template: &[u8; 32]| guard.admit_template(of.project_id, step, *template);
    derived.template = derived.template.filter(is_template);
    derived
}

/// The texts of templates that new steps have and that may not be stored yet.
fn unstored_texts<'a>(
    caches: &ProjectCaches,
    rows: &[StepRow<'_>],
    derived: &'a [DerivedStep],
    is_new: &[bool],
) -> Vec<PromptText<'a>> {
    rows.iter()
        .zip(derived)
        .zip(is_new)
        .filter(|(_, is_new)| **is_new)
        .filter_map(|((row, derived), _)| {
            let fingerprint = derived.template?;
            let is_stored = caches
                .prompts
                .is_stored(row.project_id, fingerprint, row.received_at);
            (!is_stored).then_some(PromptText {
                project_id: row.project_id,
                fingerprint,
                // What is left of a prompt says most of it.
                canonical: if row.sealed.is_some() {
                    ""
                } else {
                    &derived.canonical
                },
                seen_at: row.step.started_at.min(row.received_at),
            })
        })
        .collect()
}

/// A received step with everything that is worked out about it before it is stored.
fn step_row<'a>(
    of: &'a Submission,
    step: &'a NewStep,
    derived: &DerivedStep,
    counted: &CountedAs<'_>,
) -> StepRow<'a> {
    StepRow {
        project_id: of.project_id,
        key_label: &of.key_label,
        received_at: of.received_at,
        partition_at: step.started_at,
        is_continued: false,
        waits_until: of.waits_until(),
        sequence: 0,
        tokens: derived.tokens,
        usage_semantics: derived.usage_semantics,
        cost_nano_usd: derived.cost,
        cost_source: derived.cost_source,
        price_version: derived.price_version.clone(),
        prompt_hash: derived.prompt,
        template_fingerprint: derived.template.map(Vec::from),
        other_series: counted.other_series(),
        release_is_other: counted.release_is_other(),
        output_shape: None,
        score: None,
        threshold: None,
        severity: Severity::Ok,
        stopped_at_layer: None,
        conditions: Vec::new(),
        rule_version: engine::RULE_VERSION,
        step,
        sealed: None,
    }
}

fn received_by_submission(submissions: &[Submission], is_new: &[bool]) -> Vec<Vec<Received>> {
    let mut flags = is_new.iter();
    submissions
        .iter()
        .map(|s| {
            let own = flags.by_ref().take(s.steps.len());
            own.map(|is_new| {
                if *is_new {
                    Received::Stored
                } else {
                    Received::Duplicate
                }
            })
            .collect()
        })
        .collect()
}

type Account<'a> = (ProjectId, Timestamp, &'a str);

/// How many new steps are counted as `other`, by account and dimension.
fn limited<'a>(
    new: impl Iterator<Item = (&'a StepRow<'a>, &'a CountedAs<'a>)>,
) -> Vec<(Account<'a>, Dimension)> {
    new.flat_map(|(row, counted)| {
        let account = (row.project_id, row.received_at.minute(), row.key_label);
        counted.limited.iter().map(move |dimension| (account, *dimension))
    })
    .collect()
}

fn ledger_entries<'a>(
    submissions: &'a [Submission],
    received: &[Vec<Received>],
    limited: &[(Account<'a>, Dimension)],
) -> Vec<LedgerEntry<'a>> {
    let mut sums: BTreeMap<(Account<'_>, Outcome), i64> = BTreeMap::new();
    for (submission, received) in submissions.iter().zip(received) {
        let account = (
            submission.project_id,
            submission.received_at.minute(),
            submission.key_label.as_str(),
        );
        let outcomes = received
            .iter()
            .filter_map(|received| match (received, submission.delivery) {
                (Received::Stored, _) => Some(Outcome::Stored),
                (Received::Duplicate, Delivery::Once) => Some(Outcome::Duplicate),
                (Received::Duplicate, Delivery::Repeated { .. }) => None,
            });
        for outcome in outcomes.chain(submission.rejected.iter().map(|reason| Outcome::Rejected(reason))) {
            *sums.entry((account, outcome)).or_insert(0) += 1;
        }
    }
    for (account, dimension) in limited {
        *sums.entry((*account, Outcome::Limited(*dimension))).or_insert(0) += 1;
    }
    sums.into_iter()
        .map(
            |(((project_id, minute, key_label), outcome), steps)| LedgerEntry {
                project_id,
                minute,
                key_label,
                outcome,
                steps,
            },
        )
        .collect()
}
