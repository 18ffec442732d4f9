//! What a page says about two outcomes: how many alerts there were, how many there would be, and which ones change.
//! An alert is a critical step.

use domain::Severity;

use super::Outcome;
use super::recording::{Mark, Recording};

/// What becomes of a step under the other rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An alert under both.
    Still,
    /// No alert any more.
    Quiet,
    /// An alert only under the other rules.
    New,
    /// It has points, and never is an alert.
    Below,
}

/// A run of which a step changes sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedRun {
    /// Position in [`Recording::runs`].
    pub run: u32,
    /// When the newest of its steps that change came, in milliseconds since 1970.
    pub at_ms: i64,
    /// The position of that step.
    pub step: u32,
    /// Its total before.
    pub before: i32,
    /// Its total after.
    pub after: i32,
    /// What becomes of it: [`Fate::Quiet`] or [`Fate::New`].
    pub fate: Fate,
    /// What people said about it.
    pub mark: Option<Mark>,
    /// How many of the run's steps change.
    pub steps: u32,
}

/// Two outcomes of a recording side by side, for one key or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Alerts of the key before.
    pub before: usize,
    /// Alerts of the key after.
    pub after: usize,
    /// Alerts of all keys before.
    pub project_before: usize,
    /// Alerts of all keys after.
    pub project_after: usize,
    /// Alerts under both.
    pub still: usize,
    /// Alerts that go quiet and were marked noise.
    pub quiet_noise: usize,
    /// Alerts that go quiet and were marked real.
    pub quiet_real: usize,
    /// Alerts that go quiet and were never marked.
    pub quiet_unmarked: usize,
    /// Steps that become alerts.
    pub new: usize,
    /// Steps with points that are an alert under neither.
    pub below: usize,
    /// Each step with points and what becomes of it, oldest first.
    pub fates: Vec<(u32, Fate)>,
    /// The runs that change, newest first.
    pub changed: Vec<ChangedRun>,
}

impl Report {
    /// Compares the window of a recording under two sets of rules. `key` narrows to one of [`Recording::keys`].
    pub fn of(recording: &Recording, before: &Outcome, after: &Outcome, key: Option<u32>) -> Self {
        let mut report = Self::default();
        let mut place_of_run = vec![u32::MAX; recording.runs.len()];
        for (index, step) in recording.window() {
            let severity = |outcome: &Outcome| outcome.severities.get(index).copied().unwrap_or_default();
            let total = |outcome: &Outcome| outcome.totals.get(index).copied().unwrap_or(0);
            let (was, is) = (severity(before), severity(after));
            let (was_alert, is_alert) = (was == Severity::Critical, is == Severity::Critical);
            report.project_before += usize::from(was_alert);
            report.project_after += usize::from(is_alert);
            if key.is_some_and(|key| key != step.key) {
                continue;
            }
            report.before += usize::from(was_alert);
            report.after += usize::from(is_alert);
            let fate = match (was_alert, is_alert) {
                (true, true) => Fate::Still,
                (true, false) => Fate::Quiet,
                (false, true) => Fate::New,
                (false, false) if total(before) > 0 || total(after) > 0 => Fate::Below,
                (false, false) => continue,
            };
            report.fates.push((index as u32, fate));
            match (fate, step.mark) {
                (Fate::Still, _) => report.still += 1,
                (Fate::Quiet, Some(Mark::Noise)) => report.quiet_noise += 1,
                (Fate::Quiet, Some(Mark::Real)) => report.quiet_real += 1,
                (Fate::Quiet, None) => report.quiet_unmarked += 1,
                (Fate::New, _) => report.new += 1,
                (Fate::Below, _) => report.below += 1,
            }
            if let (Fate::Quiet | Fate::New, Some(place)) = (fate, place_of_run.get_mut(step.run as usize)) {
                let newest = ChangedRun {
                    run: step.run,
                    at_ms: step.at_ms,
                    step: index as u32,
                    before: total(before),
                    after: total(after),
                    fate,
                    mark: step.mark,
                    steps: 1,
                };
                match report.changed.get_mut(*place as usize) {
                    Some(known) => {
                        *known = ChangedRun {
                            steps: known.steps + 1,
                            ..newest
                        }
                    }
                    None => {
                        *place = report.changed.len() as u32;
                        report.changed.push(newest);
                    }
                }
            }
        }
        report
            .changed
            .sort_by_key(|run| std::cmp::Reverse((run.at_ms, run.step)));
        report
    }

    /// Alerts that go quiet.
    pub fn quiet(&self) -> usize {
        self.quiet_noise + self.quiet_real + self.quiet_unmarked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::{Backtest, Step};
    use crate::rules::{LimitMode, Rules, Threshold};

    fn recording() -> Recording {
        let step = |run: u32, key: u32, codes: &[u16], mark: Option<Mark>| Step {
            at_ms: i64::from(run) * 1_000,
            run,
            key,
            output_tokens: Some(9),
            codes: codes.to_vec(),
            mark,
            ..Step::default()
        };
        Recording {
            lead_in: 1,
            runs: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            keys: ["prod", "jobs"].map(str::to_owned).to_vec(),
            series: vec![super::super::Series::default()],
            steps: vec![
                // Before the window.
                step(0, 0, &[2001, 3014], None),
                step(0, 0, &[1001], None),
                step(1, 0, &[2001, 3014], Some(Mark::Noise)),
                step(1, 0, &[2002, 3014], Some(Mark::Real)),
                step(2, 1, &[2001, 3014], None),
                step(2, 1, &[3010], None),
                step(3, 1, &[], None),
            ],
            ..Recording::default()
        }
    }

    fn rules(threshold: i32) -> Rules {
        Rules {
            mode: LimitMode::Manual,
            threshold: Threshold::Fixed(threshold),
            ..Rules::default()
        }
    }

    #[test]
    fn says_what_changes_and_where() {
        let recording = recording();
        let backtest = Backtest::new(&recording.rows());
        let report = |before: i32, after: i32, key: Option<u32>| {
            let (before, after) = (backtest.run(&rules(before)), backtest.run(&rules(after)));
            Report::of(&recording, &before, &after, key)
        };
        // Totals in the window: 100 (layer 1), 80, 90, 80, 20, 0.
        let all = report(80, 100, None);
        assert_eq!(
            (all.before, all.after, all.still, all.new, all.below),
            (4, 1, 1, 0, 1)
        );
        assert_eq!((all.quiet_noise, all.quiet_real, all.quiet_unmarked), (1, 1, 1));
        assert_eq!(all.quiet(), 3);
        let changed: Vec<_> = all
            .changed
            .iter()
            .map(|run| (run.run, run.steps, run.before))
            .collect();
        assert_eq!(changed, [(2, 1, 80), (1, 2, 90)]);
        assert_eq!(all.fates.len(), 5);

        let jobs = report(80, 100, Some(1));
        assert_eq!((jobs.before, jobs.after), (1, 0));
        assert_eq!((jobs.project_before, jobs.project_after), (4, 1));

        let louder = report(100, 20, None);
        assert_eq!(
            (louder.before, louder.after, louder.new, louder.quiet()),
            (1, 5, 4, 0)
        );
        assert!(louder.changed.iter().all(|run| run.fate == Fate::New));

        let same = report(80, 80, None);
        assert!(same.changed.is_empty() && same.before == same.after);
    }
}
