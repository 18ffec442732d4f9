//! The hours of a series one after the other: all of them, or those that came after a judgement.

use super::super::baseline::{DAY, History};
use super::super::grid::Hours;
use super::super::shift::Shift;
use super::{Asked, Judge, Step};

/// How the judgement of a series stood before an hour: what is needed to go on with the hours from there.
#[derive(Clone, Debug)]
pub(in super::super) struct Stand {
    hour: usize,
    judge: Judge,
    /// Shifts that are over, beyond the last, which may come back.
    forgotten: usize,
}

impl Stand {
    fn of(judge: &Judge, hour: usize) -> Self {
        let mut judge = judge.clone();
        let forgotten = judge.done.len().saturating_sub(1);
        judge.done.drain(..forgotten);
        Self {
            hour,
            judge,
            forgotten,
        }
    }

    /// The first hour that is read to go on: evidence that is added up already asks again for the hours it is of.
    pub(in super::super) fn reads_from(&self) -> usize {
        let sums = self.judge.sums.iter().filter(|sum| sum.evidence > 0.0);
        sums.map(|sum| sum.begun).fold(self.hour, usize::min)
    }
}

/// What was found in a series, as far as it tells whether something opened or closed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Outcome {
    over: usize,
    /// Where the shift that goes on begins.
    pub(in super::super) open_since: Option<usize>,
}

impl Outcome {
    fn of(judge: &Judge, forgotten: usize) -> Self {
        Self {
            over: forgotten + judge.done.len(),
            open_since: judge.open.as_ref().map(|open| open.start),
        }
    }
}

/// A series that was judged.
pub(in super::super) struct Judged {
    /// What changed, in the order of time; the last may still be open.
    pub(in super::super) shifts: Vec<Shift>,
    pub(in super::super) outcome: Outcome,
    /// How it stood before the block that holds the hour that was asked for.
    pub(in super::super) stand: Option<Stand>,
}

/// Judges all hours. `clean` says which of them may be part of a baseline, and is brought up to date. `accepted` receives
/// what became normal. `keep` asks how it stood before an hour.
pub(in super::super) fn judge(
    asked: &Asked<'_>,
    hours: &Hours,
    weekend: &[bool],
    clean: &mut [bool],
    accepted: &mut Vec<(usize, f64)>,
    keep: Option<usize>,
) -> Judged {
    let mut judge = Judge::default();
    let mut stand = None;
    let mut hour = 0;
    while hour < hours.len() {
        let mut begins_day = hour.is_multiple_of(DAY);
        while begins_day {
            let history = History {
                hours,
                begins: 0,
                clean,
                accepted,
                weekend,
            };
            let step = judge.begin_day(asked, &history, hour);
            begins_day = step.accepted.is_some();
            apply(step, clean, accepted);
        }
        if keep.is_some_and(|keep| (hour..hour + judge.block_from(hour)).contains(&keep)) {
            stand = Some(Stand::of(&judge, hour));
        }
        let history = History {
            hours,
            begins: 0,
            clean,
            accepted,
            weekend,
        };
        let step = judge.next(asked, &history, hour);
        hour += step.hours;
        apply(step, clean, accepted);
    }
    let outcome = Outcome::of(&judge, 0);
    judge.done.extend(judge.open);
    Judged {
        shifts: judge.done,
        outcome,
        stand,
    }
}

fn apply(step: Step, clean: &mut [bool], accepted: &mut Vec<(usize, f64)>) {
    for (range, is_clean) in step.marks {
        let end = range.end.min(clean.len());
        clean[range.start.min(end)..end].fill(is_clean);
    }
    accepted.extend(step.accepted);
}

/// Goes on to the last of `hours`, the first of which is `begins`, within the same day: no baseline is fitted.
pub(in super::super) fn go_on(
    stand: &Stand,
    asked: &Asked<'_>,
    hours: &Hours,
    begins: usize,
    weekend: &[bool],
) -> Outcome {
    let mut judge = stand.judge.clone();
    let mut hour = stand.hour;
    let history = History {
        hours,
        begins,
        clean: &[],
        accepted: &[],
        weekend,
    };
    while hour < begins + hours.len() {
        hour += judge.next(asked, &history, hour).hours;
    }
    Outcome::of(&judge, stand.forgotten)
}
