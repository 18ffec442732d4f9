//! Judging one run: which detectors are to look at it, the rules at once, the models one after the other.

use domain::detector::{Detector, JudgedRun, JudgementState};
use domain::{NanoUsd, ProjectId, Timestamp};
use engine::detectors::{Found, all_hold, is_sampled, metadata_keys, wanted_texts};
use storage::detectors::{EndedJudgement, NewFinding, QueuedRun, Spent};
use uuid::Uuid;

use super::{Judge, READING, model};
use crate::alerts::FindingAlerts;
use crate::clock;

/// What was begun so long ago nobody is at any more.
const STALE_MICROS: i64 = 1_800 * 1_000_000;
/// When a run is looked at again that could not be judged.
const AGAIN_MICROS: i64 = 60 * 1_000_000;
/// Why a run was not judged that could not be read as often as it is tried.
const NOT_READ: &str =
    "The run could not be read: each attempt ended in an error, which is in the server’s log";
/// Of each text that rules look at, in characters.
const MAX_RULE_TEXT_CHARS: i32 = 1_000_000;

/// Looks at a run that was taken: has it judged by every detector that is to judge it and has not, and takes it out of the
/// queue. One that still goes on is left there.
pub async fn look_at(judge: &Judge, queued: &QueuedRun, now: Timestamp) -> storage::Result<()> {
    let project = queued.project_id;
    // Never closed.
    let reading = READING.acquire().await.ok();
    let mut snapshot = judge.db.snapshot(project).await?;
    let mut detectors = storage::detectors::list(&mut snapshot, project).await?;
    detectors.retain(|detector| detector.enabled);
    if detectors.is_empty() {
        return storage::detectors::done(&judge.db, queued).await;
    }
    let keys = metadata_keys(
        detectors
            .iter()
            .flat_map(|detector| &detector.definition.conditions),
    );
    let run = match storage::detectors::read(&mut snapshot, project, &queued.run_id, &keys).await {
        Ok(run) => run,
        // It was deleted meanwhile.
        Err(storage::Error::NotFound) => return storage::detectors::done(&judge.db, queued).await,
        Err(cause) => return Err(cause),
    };
    if let Some(due_at) = run.summary.status.complete_by(queued.changed_at, now) {
        return storage::detectors::later(&judge.db, queued, due_at).await;
    }
    let known = storage::detectors::judged(&mut snapshot, project, &queued.run_id).await?;
    detectors.retain(|detector| {
        !run.is_own
            && !known.contains(&(detector.id, detector.version))
            && all_hold(&detector.definition.conditions, &run)
            && is_sampled(&queued.run_id, &detector.id.to_string(), detector.sample)
    });
    let (rules, models): (Vec<Detector>, Vec<Detector>) = detectors
        .into_iter()
        .partition(|detector| detector.definition.template.is_rule());
    let mut ended = Vec::with_capacity(rules.len());
    for detector in rules {
        let definition = &detector.definition;
        let wanted = wanted_texts(definition, &run);
        let texts = storage::detectors::texts(
            &mut snapshot,
            project,
            &queued.run_id,
            &wanted,
            MAX_RULE_TEXT_CHARS,
        )
        .await?;
        let found = engine::detectors::judge(definition, &run, &texts);
        ended.push((by_rule(&detector, found), detector));
    }
    drop((snapshot, reading));
    write(judge, project, &run, ended, now).await?;
    let mut is_done = true;
    for detector in models {
        is_done &= by_model(judge, project, &run, detector).await?;
    }
    if is_done {
        storage::detectors::done(&judge.db, queued).await
    } else {
        storage::detectors::later(&judge.db, queued, now.plus_micros(AGAIN_MICROS)).await
    }
}

/// Writes down that a run can't be judged, by each detector that may have had to: what can't be read says neither whether
/// it matches nor what is in it.
pub(super) async fn give_up(judge: &Judge, queued: &QueuedRun, now: Timestamp) -> storage::Result<()> {
    let project = queued.project_id;
    let mut snapshot = judge.db.snapshot(project).await?;
    let detectors = storage::detectors::list(&mut snapshot, project).await?;
    let known = storage::detectors::judged(&mut snapshot, project, &queued.run_id).await?;
    drop(snapshot);
    let open = detectors.iter().filter(|detector| {
        detector.enabled
            && !known.contains(&(detector.id, detector.version))
            && is_sampled(&queued.run_id, &detector.id.to_string(), detector.sample)
    });
    let mut is_done = true;
    for detector in open {
        let version = (detector.id, detector.version);
        let stale_before = now.plus_micros(-STALE_MICROS);
        if !storage::detectors::begin(&judge.db, project, version, &queued.run_id, now, stale_before).await? {
            is_done = false;
            continue;
        }
        let ended = not_judged(
            detector,
            JudgementState::Failed,
            Some(NOT_READ.to_owned()),
            Some(now),
        );
        storage::detectors::end(&judge.db, project, &queued.run_id, vec![(ended, Vec::new())], now).await?;
    }
    if is_done {
        storage::detectors::done(&judge.db, queued).await
    } else {
        storage::detectors::later(&judge.db, queued, now.plus_micros(AGAIN_MICROS)).await
    }
}

fn by_rule(detector: &Detector, found: Option<Found>) -> EndedJudgement {
    let finding = found.map(|found| NewFinding {
        id: Uuid::now_v7(),
        summary: found.summary,
        data: found.data,
        evidence: found.evidence,
        model: None,
        judged_in: None,
    });
    EndedJudgement {
        state: if finding.is_some() {
            JudgementState::Found
        } else {
            JudgementState::Clear
        },
        finding,
        ..not_judged(detector, JudgementState::Clear, None, None)
    }
}

/// A judgement that asked no model.
fn not_judged(
    detector: &Detector,
    state: JudgementState,
    reason: Option<String>,
    begun_at: Option<Timestamp>,
) -> EndedJudgement {
    EndedJudgement {
        detector_id: detector.id,
        version: detector.version,
        state,
        reason,
        cost: None,
        has_asked: false,
        is_retried: false,
        dropped_quotes: 0,
        finding: None,
        begun_at,
    }
}

/// Has a run judged by a model, within the detector's cap. False when somebody else is at it.
async fn by_model(
    judge: &Judge,
    project: ProjectId,
    run: &JudgedRun,
    detector: Detector,
) -> storage::Result<bool> {
    let run_id = run.summary.run_id.as_str();
    let begun_at = clock::now();
    let stale_before = begun_at.plus_micros(-STALE_MICROS);
    let version = (detector.id, detector.version);
    if !storage::detectors::begin(&judge.db, project, version, run_id, begun_at, stale_before).await? {
        let mut snapshot = judge.db.snapshot(project).await?;
        let known = storage::detectors::judged(&mut snapshot, project, run_id).await?;
        let detectors = storage::detectors::list(&mut snapshot, project).await?;
        let is_gone = detectors.iter().all(|other| other.id != detector.id);
        return Ok(is_gone || known.contains(&version));
    }
    let spent = storage::detectors::spent_on(&judge.db, project, detector.id, begun_at).await?;
    let ended = match beyond_cap(detector.daily_cap, spent) {
        Some(reason) => not_judged(&detector, JudgementState::Capped, Some(reason), Some(begun_at)),
        None => {
            let judged = model::ask(judge, project, run, &detector).await?;
            EndedJudgement {
                state: judged.state,
                reason: judged.reason,
                cost: judged.cost,
                has_asked: judged.has_asked,
                is_retried: judged.is_retried,
                dropped_quotes: judged.dropped_quotes,
                finding: judged.found.map(|found| NewFinding {
                    id: Uuid::now_v7(),
                    summary: found.summary,
                    data: found.data,
                    evidence: found.evidence,
                    model: judged.model,
                    judged_in: judged.judged_in,
                }),
                ..not_judged(&detector, judged.state, None, Some(begun_at))
            }
        }
    };
    write(judge, project, run, vec![(ended, detector)], clock::now()).await?;
    Ok(true)
}

/// Why another judgement could cost more than a day of the detector may; `None` where it fits. What one costs is taken
/// from the most expensive of the day.
fn beyond_cap(cap: Option<NanoUsd>, spent: Spent) -> Option<String> {
    let cap = cap?;
    if spent.unpriced > 0 {
        return Some(format!(
            "its model has no price, so the cap of {cap} a day can't be kept"
        ));
    }
    let next = spent.cost.saturating_add(spent.dearest);
    let is_beyond = next > cap || spent.cost >= cap;
    is_beyond.then(|| format!("{} of {cap} are spent today", spent.cost))
}

/// Writes judgements down with what is told of them.
async fn write(
    judge: &Judge,
    project: ProjectId,
    run: &JudgedRun,
    ended: Vec<(EndedJudgement, Detector)>,
    now: Timestamp,
) -> storage::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let has_found = ended.iter().any(|(judgement, _)| judgement.finding.is_some());
    let told_to = match has_found {
        true => Some(FindingAlerts::of(&judge.db, project).await?),
        false => None,
    };
    let ended = ended
        .into_iter()
        .map(|(judgement, detector)| {
            let alerts = match (&told_to, &judgement.finding) {
                (Some(told_to), Some(finding)) => told_to.alerts(&detector, &run.summary, finding, now),
                _ => Vec::new(),
            };
            (judgement, alerts)
        })
        .collect();
    let run_id = run.summary.run_id.as_str();
    let counted = storage::detectors::end(&judge.db, project, run_id, ended, now).await?;
    if counted.iter().any(|judgement| judgement.finding.is_some()) {
        judge.alerts_wake.notify_one();
        // Pages of the run show it at once.
        storage::live::notify_costs(&judge.db, project, &[run_id]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_not_passed_by_what_the_dearest_would_cost() {
        let check = |cap: Option<i64>, cost: i64, dearest: i64, unpriced: i64, fits: bool| {
            let spent = Spent {
                cost: NanoUsd(cost),
                dearest: NanoUsd(dearest),
                unpriced,
            };
            let reason = beyond_cap(cap.map(NanoUsd), spent);
            assert_eq!(reason.is_none(), fits, "{cap:?} {spent:?}: {reason:?}");
        };
        check(None, 1_000, 1_000, 5, true);
        check(Some(100), 0, 0, 0, true);
        check(Some(100), 50, 50, 0, true);
        check(Some(100), 51, 50, 0, false);
        check(Some(100), 100, 0, 0, false);
        check(Some(0), 0, 0, 0, false);
        check(Some(100), 0, 0, 1, false);
    }
}
