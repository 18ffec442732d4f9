//! One metric of one series, hour by hour: evidence is added up until it is enough, and taken back until it is over.

mod walk;

use std::sync::Arc;

pub(super) use walk::{Outcome, Stand, go_on, judge};

use super::baseline::{Baseline, DAY, History, Reading};
use super::metric::{Metric, Minimums};
use super::shift::{Door, Shift, Status, mean_effect};

/// Evidence of one block is held within this many nats, so that no single block decides.
const MAX_BLOCK: f64 = 4.0;
/// Evidence beyond what is needed is forgotten, so that a shift that does not matter is not remembered for ever.
const MAX_EXCESS: f64 = 2.0;
/// From here on hours are kept out of the baseline although nothing is open.
const SUSPICION: f64 = 3.0;
/// How much larger than what matters a shift may be: evidence of a large one is added up apart, because a shift of five
/// deviations says little for one of a single deviation, and may be over before that is enough.
const SIZES: [f64; 2] = [1.0, 3.0];
/// Calls that a shift has to have.
const MIN_CALLS_AFTER: f64 = 20.0;
/// Evidence and hours of calm that close a shift.
const CALM: f64 = 3.0;
const CALM_HOURS: usize = 6;
/// A shift that comes back within this is the same.
const REOPEN_HOURS: usize = 24;
/// Days without another change after which a shift is normal.
const STABLE_HOURS: usize = 7 * DAY;
/// For how long after a deploy evidence since it is added up.
const ANCHOR_HOURS: usize = 48;
/// One block that is so far out is enough.
const EXTREME_DEVIATIONS: f64 = 8.0;
const EXTREME_OVER_RECORD: f64 = 1.25;
const EXTREME_GATES: f64 = 2.0;

/// What a judgement needs beside the series.
pub(super) struct Asked<'a> {
    pub(super) metric: Metric,
    pub(super) minimums: &'a Minimums,
    /// Evidence that opens a shift.
    pub(super) evidence: f64,
    /// Evidence since a deploy that opens one, and the hours in which deploys began.
    pub(super) deploy_evidence: f64,
    pub(super) deploys: &'a [usize],
    /// How many deviations a shift has at least, for the evidence: small ones of many series are movers.
    pub(super) least_deviations: f64,
    /// The last hour is not over.
    pub(super) running: Option<usize>,
}

/// Evidence since the hour of a deploy.
#[derive(Clone, Debug)]
struct Anchor {
    hour: usize,
    evidence: f64,
}

/// Evidence for a shift of one size.
#[derive(Clone, Debug, Default)]
struct Sum {
    evidence: f64,
    /// Since when it is added up, and the readings since then.
    begun: usize,
    readings: Vec<(usize, Reading)>,
}

impl Sum {
    /// Adds a block that says `first` of a shift that begins with it, and `more` of one that goes on.
    fn add(&mut self, hour: usize, block: usize, reading: Reading, (first, more): (f64, f64)) {
        let goes_on = self.evidence + more;
        if first > goes_on {
            self.readings.clear();
            self.begun = hour;
        }
        self.evidence = first.max(goes_on).max(0.0);
        if self.evidence > 0.0 {
            self.readings.push((hour, reading));
        } else {
            self.readings.clear();
            self.begun = hour + block;
        }
    }

    fn restart(&mut self, hour: usize) {
        *self = Self {
            begun: hour,
            ..Self::default()
        };
    }
}

/// The door that opens, where the shift begins, and its blocks.
type Opening = (Door, usize, Vec<(usize, Reading)>);

/// What is kept between two blocks: small, and all that the next one needs.
#[derive(Clone, Debug, Default)]
struct Judge {
    baseline: Option<Arc<Baseline>>,
    /// By size, of [`SIZES`].
    sums: [Sum; SIZES.len()],
    previous: Option<(usize, Reading)>,
    /// The largest deviations of clean hours.
    record: f64,
    anchors: Vec<Anchor>,
    open: Option<Shift>,
    done: Vec<Shift>,
}

/// What a block changes in the history that later ones are read against.
#[derive(Default)]
struct Step {
    hours: usize,
    marks: Vec<(std::ops::Range<usize>, bool)>,
    accepted: Option<(usize, f64)>,
}

impl Judge {
    /// What midnight changes: a shift may become normal, and a day has a baseline of its own. Where one became normal
    /// it is to be asked again, against what is normal from now on.
    fn begin_day(&mut self, asked: &Asked<'_>, history: &History<'_>, hour: usize) -> Step {
        let mut step = Step::default();
        self.accept_if_stable(hour, &mut step);
        if step.accepted.is_none() && self.open.is_none() {
            let (metric, minimums) = (asked.metric, asked.minimums);
            self.baseline = Baseline::fit(metric, history, hour, minimums).map(Arc::new);
        }
        step
    }

    /// How many hours are judged as one from `hour` on: without a baseline none until the next midnight.
    fn block_from(&self, hour: usize) -> usize {
        self.baseline
            .as_ref()
            .map_or(DAY - hour % DAY, |baseline| baseline.block())
    }

    /// Judges the block that begins at `hour`.
    fn next(&mut self, asked: &Asked<'_>, history: &History<'_>, hour: usize) -> Step {
        let mut step = Step {
            hours: self.block_from(hour),
            ..Step::default()
        };
        let deploys = asked.deploys.iter();
        self.anchors.retain(|anchor| hour < anchor.hour + ANCHOR_HOURS);
        let Some(baseline) = self.baseline.clone() else {
            return step;
        };
        let block = hour..hour + step.hours;
        self.anchors.extend(
            deploys
                .filter(|at| block.contains(at))
                .map(|_| Anchor { hour, evidence: 0.0 }),
        );
        let is_running = asked.running.is_some_and(|running| block.end > running);
        let Some(reading) = baseline.read(history, hour, is_running) else {
            // A gap says nothing: evidence waits. What came before it no longer explains what comes after.
            self.previous = None;
            return step;
        };
        match self.open.take() {
            Some(open) => self.go_on(asked, open, hour, reading, &mut step),
            None => self.look(asked, history, &baseline, hour, reading, &mut step),
        }
        self.previous = Some((hour, reading));
        step
    }

    fn before(&self, hour: usize, block: usize) -> Option<&Reading> {
        self.previous
            .as_ref()
            .filter(|(at, _)| at + block == hour)
            .map(|(_, reading)| reading)
    }

    fn size(asked: &Asked<'_>, baseline: &Baseline, reading: &Reading) -> f64 {
        match baseline {
            Baseline::Amount(_) => {
                let scale = 1.0 / reading.weight.sqrt();
                (asked.least_deviations * scale / baseline.gate()).max(1.0)
            }
            _ => 1.0,
        }
    }

    /// Nothing is open: is it enough now?
    fn look(
        &mut self,
        asked: &Asked<'_>,
        history: &History<'_>,
        baseline: &Arc<Baseline>,
        hour: usize,
        reading: Reading,
        step: &mut Step,
    ) {
        let size = Self::size(asked, baseline, &reading);
        let before = self.before(hour, baseline.block()).copied();
        let ratio = |size: f64, shares| {
            baseline
                .log_ratio(&reading, before.as_ref(), size, shares)
                .clamp(-MAX_BLOCK, MAX_BLOCK)
        };
        let both = |size: f64| (ratio(size, (1.0, 0.0)), ratio(size, (1.0, 1.0)));
        let (first, more) = both(size);
        let (was, begun) = (self.sums[0].evidence, self.sums[0].begun);
        for (sum, factor) in self.sums.iter_mut().zip(SIZES) {
            sum.add(hour, baseline.block(), reading, both(size * factor));
        }
        if self.sums[0].evidence <= 0.0 && was >= SUSPICION {
            step.marks.push((begun..hour, true));
        }
        for anchor in &mut self.anchors {
            let part = if anchor.hour == hour { first } else { more };
            anchor.evidence += part;
        }
        let end = hour + baseline.block();
        let door = self.enough(asked, history, baseline, hour, &reading);
        if let Some((door, start, readings)) = door {
            self.open(baseline, door, start, end, readings, step);
            return;
        }
        if self.sums[0].evidence < SUSPICION {
            self.record = self.record.max(reading.deviations);
        } else {
            step.marks.push((self.sums[0].begun..end, false));
        }
        for sum in &mut self.sums {
            sum.evidence = sum.evidence.min(asked.evidence + MAX_EXCESS);
        }
    }

    /// Whether anything is enough to open a shift.
    fn enough(
        &self,
        asked: &Asked<'_>,
        history: &History<'_>,
        baseline: &Baseline,
        hour: usize,
        reading: &Reading,
    ) -> Option<Opening> {
        let end = hour + baseline.block();
        let matters = |start: usize, readings: &[(usize, Reading)]| {
            let calls: f64 = readings.iter().map(|(_, reading)| reading.calls).sum();
            calls >= MIN_CALLS_AFTER && baseline.matters(history, start..end, mean_effect(readings))
        };
        // Each size has its part of the budget of false incidents.
        let needed = asked.evidence + (SIZES.len() as f64).ln();
        for sum in &self.sums {
            if sum.evidence >= needed && matters(sum.begun, &sum.readings) {
                return Some((Door::Evidence, sum.begun, sum.readings.clone()));
            }
        }
        let is_extreme = reading.deviations >= EXTREME_DEVIATIONS.max(self.record * EXTREME_OVER_RECORD)
            && reading.effect >= EXTREME_GATES * baseline.gate();
        let alone = [(hour, *reading)];
        if is_extreme && matters(hour, &alone) {
            return Some((Door::ExtremeHour, hour, alone.to_vec()));
        }
        let anchored = self
            .anchors
            .iter()
            .any(|anchor| anchor.evidence >= asked.deploy_evidence);
        let sum = &self.sums[0];
        if anchored && sum.evidence >= SUSPICION && matters(sum.begun, &sum.readings) {
            return Some((Door::Deploy, sum.begun, sum.readings.clone()));
        }
        None
    }

    fn open(
        &mut self,
        baseline: &Arc<Baseline>,
        door: Door,
        start: usize,
        end: usize,
        readings: Vec<(usize, Reading)>,
        step: &mut Step,
    ) {
        step.marks.push((start..end, false));
        self.sums.iter_mut().for_each(|sum| sum.restart(end));
        let returns = self
            .done
            .last()
            .is_some_and(|last| last.status == Status::Closed && start <= last.end + REOPEN_HOURS);
        if returns && let Some(mut last) = self.done.pop() {
            step.marks.push((last.start..end, false));
            last.status = Status::Open;
            last.is_provisional = false;
            last.ended = None;
            last.flaps += 1;
            last.end = end;
            last.calm = 0.0;
            last.readings.extend(readings);
            self.open = Some(last);
            return;
        }
        self.open = Some(Shift {
            door,
            status: Status::Open,
            start,
            opened: end,
            is_provisional: door == Door::ExtremeHour,
            end,
            ended: None,
            flaps: 0,
            effect: mean_effect(&readings),
            baseline: Arc::clone(baseline),
            readings,
            calm: 0.0,
        });
    }

    /// A shift is open: does it go on?
    fn go_on(&mut self, asked: &Asked<'_>, mut open: Shift, hour: usize, reading: Reading, step: &mut Step) {
        let baseline: &Baseline = &Arc::clone(&open.baseline);
        let block = baseline.block();
        let end = hour + block;
        let size = Self::size(asked, baseline, &reading);
        let before = self.before(hour, block);
        let ratio = baseline.log_ratio(&reading, before, size, (1.0, 1.0));
        open.calm = (open.calm - ratio.clamp(-MAX_BLOCK, MAX_BLOCK)).max(0.0);
        let goes_on = reading.effect >= baseline.gate() / 2.0;
        let is_spike = open.is_provisional && !goes_on;
        if goes_on {
            open.is_provisional = false;
        }
        // It ends where calm began, not where there was enough of it.
        if open.calm <= 0.0 {
            open.end = end;
        }
        open.readings.push((hour, reading));
        step.marks.push((hour..end, false));
        let returned = end - open.end >= CALM_HOURS && open.calm >= CALM;
        if is_spike || returned {
            open.status = Status::Closed;
            open.is_provisional = false;
            open.ended = Some(end);
            step.marks.push((open.end..end, true));
            open.settle();
            self.done.push(open);
            self.sums.iter_mut().for_each(|sum| sum.restart(end));
            return;
        }
        open.settle();
        self.open = Some(open);
    }

    /// After seven days on which it did not change any more a shift is what is normal.
    fn accept_if_stable(&mut self, hour: usize, step: &mut Step) {
        let Some(open) = &self.open else { return };
        let first_day = open.start.next_multiple_of(DAY);
        if hour < first_day + STABLE_HOURS {
            return;
        }
        let since = |from: usize| {
            let recent = open.readings.iter().filter(move |(at, _)| *at >= from);
            mean_effect(&recent.copied().collect::<Vec<_>>())
        };
        let (week, day) = (since(hour - STABLE_HOURS), since(hour - DAY));
        if (week - day).abs() > open.baseline.gate() {
            return;
        }
        if let Some(mut open) = self.open.take() {
            open.status = Status::Accepted;
            open.end = hour;
            open.ended = Some(hour);
            step.marks.push((open.start..hour, true));
            step.accepted = Some((open.start, week));
            open.settle();
            self.done.push(open);
            self.sums.iter_mut().for_each(|sum| sum.restart(hour));
        }
    }
}
