//! A run at a moment: what is at work, what is done, what failed, what it has cost so far.

use domain::skeleton::Skeleton;
use domain::{NanoUsd, StepStatus, text};

/// Sorted moments, so that any of them is answered without looking at each step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Playback {
    starts: Vec<i64>,
    ends: Vec<i64>,
    failures: Vec<i64>,
    /// When what had been spent, in the order of time.
    costs: Vec<(i64, i64)>,
}

/// What had happened by a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) running: usize,
    /// Ended, failed ones included.
    pub(crate) ended: usize,
    pub(crate) failed: usize,
    /// `None` while nothing with a known cost has ended.
    pub(crate) cost: Option<NanoUsd>,
}

impl Playback {
    /// Of all steps of a run; those that still run have no end.
    pub(crate) fn of(skeleton: &Skeleton) -> Self {
        let mut playback = Self::default();
        for step in &skeleton.steps {
            playback.starts.push(step.started_us);
            if step.length_us.is_none() {
                continue;
            }
            let end = step.end_us(step.started_us);
            playback.ends.push(end);
            if step.status == StepStatus::Error {
                playback.failures.push(end);
            }
            playback.costs.extend(step.cost_nano_usd.map(|cost| (end, cost)));
        }
        playback.starts.sort_unstable();
        playback.ends.sort_unstable();
        playback.failures.sort_unstable();
        playback.costs.sort_unstable();
        let mut so_far = 0_i64;
        for (_, cost) in &mut playback.costs {
            so_far = so_far.saturating_add(*cost);
            *cost = so_far;
        }
        playback
    }

    /// The run at a moment, in microseconds since 1970.
    pub(crate) fn at(&self, at_us: i64) -> Moment {
        let by = |list: &[i64]| list.partition_point(|moment| *moment <= at_us);
        let (started, ended) = (by(&self.starts), by(&self.ends));
        let spent = self.costs.partition_point(|(moment, _)| *moment <= at_us);
        Moment {
            running: started.saturating_sub(ended),
            ended,
            failed: by(&self.failures),
            cost: spent.checked_sub(1).map(|last| NanoUsd(self.costs[last].1)),
        }
    }
}

impl Moment {
    /// `2 running, 33 done, 1 failed, $0.1151 so far`
    pub(crate) fn words(&self) -> String {
        let mut words = format!(
            "{} running, {} done",
            text::grouped(self.running as u64),
            text::grouped((self.ended - self.failed) as u64)
        );
        if self.failed > 0 {
            words.push_str(&format!(", {} failed", text::grouped(self.failed as u64)));
        }
        if let Some(cost) = self.cost {
            words.push_str(&format!(", {} so far", cost.to_short()));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timeline::sample::{BEGIN, skeleton, step};

    proptest! {
        #[test]
        fn a_moment_is_what_a_count_of_all_steps_says(
            steps in prop::collection::vec((0i64..50, 0i64..30, any::<bool>(), prop::option::of(0i64..9), any::<bool>()), 0..30),
            at in 0i64..90,
        ) {
            let steps: Vec<_> = steps
                .iter()
                .enumerate()
                .map(|(id, (start, length, failed, cost, runs))| {
                    let mut step = step(&id.to_string(), None, *start, *length);
                    if *failed {
                        step.status = StepStatus::Error;
                    }
                    step.cost_nano_usd = cost.map(NanoUsd);
                    if *runs {
                        (step.ended_at, step.latency_ms) = (None, None);
                    }
                    step
                })
                .collect();
            let skeleton = skeleton(&steps);
            let at_us = BEGIN.micros() + at * 1_000;
            let moment = Playback::of(&skeleton).at(at_us);
            let is_over = |s: &&domain::skeleton::SkeletonStep| s.length_us.is_some() && s.end_us(0) <= at_us;
            let over: Vec<_> = skeleton.steps.iter().filter(is_over).collect();
            let began = skeleton.steps.iter().filter(|s| s.started_us <= at_us).count();
            prop_assert_eq!(moment.ended, over.len());
            prop_assert_eq!(moment.running, began - over.len());
            prop_assert_eq!(moment.failed, over.iter().filter(|s| s.status == StepStatus::Error).count());
            let costs: Vec<i64> = over.iter().filter_map(|s| s.cost_nano_usd).collect();
            prop_assert_eq!(moment.cost, (!costs.is_empty()).then(|| NanoUsd(costs.iter().sum())));
        }
    }

    #[test]
    fn words() {
        let moment = Moment {
            running: 2,
            ended: 1_034,
            failed: 1,
            cost: Some(NanoUsd(115_100_000)),
        };
        assert_eq!(moment.words(), "2 running, 1,033 done, 1 failed, $0.1151 so far");
        assert_eq!(Playback::default().at(0).words(), "0 running, 0 done");
    }
}
