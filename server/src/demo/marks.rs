//! What people would have said about the conditions of made-up runs: what is hard is real, what is soft is often noise.
//! A condition's own place in the data decides, so that the same days get the same marks.

use std::collections::BTreeSet;

use domain::anomaly::BucketSpan;
use domain::{ConditionFilter, ProjectId, Timestamp, Verdict};
use storage::feedback::ConditionRef;
use storage::{Db, anomalies, feedback};

use super::CASCADE_RUN;
use super::random::Random;

/// Share of the conditions that somebody has looked at.
const LOOKED_AT: f64 = 0.3;
/// Marks that are made at most, on the latest steps: nobody looks at tens of thousands.
const MAX_MARKS: usize = 400;
/// Steps read at a time.
const PAGE: u32 = 200;

/// Marks conditions of these runs that began in the span; how many.
pub(super) async fn mark(
    db: &Db,
    project: ProjectId,
    runs: &BTreeSet<String>,
    span: BucketSpan,
    now: Timestamp,
) -> storage::Result<usize> {
    let all = ConditionFilter::default();
    let mut cursor = None;
    let mut marked = 0;
    let mut first = None;
    loop {
        let page = anomalies::latest(
            &mut db.snapshot(project).await?,
            project,
            &all,
            span,
            cursor.as_deref(),
            PAGE,
        )
        .await?;
        for step in page.items.iter().filter(|step| runs.contains(&step.run_id)) {
            for condition in &step.conditions {
                let of = ConditionRef {
                    run_id: &step.run_id,
                    step_id: &step.step_id,
                    code: condition.code,
                };
                if first.is_none() && step.run_id != CASCADE_RUN {
                    first = Some((step.run_id.clone(), step.step_id.clone(), condition.code));
                }
                let Some(verdict) = verdict(of).filter(|_| marked < MAX_MARKS) else {
                    continue;
                };
                feedback::set(db, project, of, verdict, "seed", now).await?;
                marked += 1;
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() || marked == MAX_MARKS {
            break;
        }
    }
    // Of a few conditions chance may choose none: one has been looked at all the same.
    if let (0, Some((run_id, step_id, code))) = (marked, &first) {
        let of = ConditionRef {
            run_id,
            step_id,
            code: *code,
        };
        feedback::set(db, project, of, Verdict::Real, "seed", now).await?;
        marked = 1;
    }
    Ok(marked)
}

/// What was said about a condition; `None` for most. The run that is shown is left to those who look at it.
fn verdict(of: ConditionRef<'_>) -> Option<Verdict> {
    let mut random = Random::new(seed_of(&format!("{} {} {}", of.run_id, of.step_id, of.code)));
    if of.run_id == CASCADE_RUN || !random.chance(LOOKED_AT) {
        return None;
    }
    let real = match of.code / 1_000 {
        1 => 1.0,
        2 => 0.95,
        3 => 0.75,
        4 => 0.35,
        _ => 0.6,
    };
    Some(if random.chance(real) {
        Verdict::Real
    } else {
        Verdict::Noise
    })
}

/// FNV-1a: the same number for the same text on every machine and in every version.
fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(run: &str, code: u16) -> Option<Verdict> {
        verdict(ConditionRef {
            run_id: run,
            step_id: "parse-request",
            code,
        })
    }

    #[test]
    fn the_same_condition_always_gets_the_same_mark() {
        // The reference value of FNV-1a.
        assert_eq!(seed_of("foobar"), 0x8594_4171_f739_67e8);
        let runs: Vec<String> = (0..400).map(|n| format!("demo-20261121-{n:04}")).collect();
        let marks = |code: u16| -> Vec<Option<Verdict>> { runs.iter().map(|run| said(run, code)).collect() };
        assert_eq!(marks(2001), marks(2001));
        let real_of = |code: u16| {
            let said: Vec<Verdict> = marks(code).into_iter().flatten().collect();
            assert!((80..160).contains(&said.len()), "{}", said.len());
            said.iter().filter(|verdict| **verdict == Verdict::Real).count() as f64 / said.len() as f64
        };
        assert!((real_of(1001) - 1.0).abs() < f64::EPSILON);
        assert!(real_of(2001) > 0.85 && real_of(4001) < 0.5);
        assert_eq!(said(CASCADE_RUN, 2001), None);
    }
}
