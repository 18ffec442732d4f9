//! Where in its hours a shift began: by the minutes of calls, and by what was seen for the first time.

use domain::Timestamp;

use super::super::numbers::{binomial_log_ratio, normalise_logs};
use super::{Onset, OnsetPart, PARTS};

const MINUTE: i64 = 60_000_000;
/// Parts of a shift that may be in force at first: a canary shows less of it.
const SHARES: [(f64, f64); 3] = [(1.0, 0.7), (0.5, 0.2), (0.2, 0.1)];
/// What one minute says is held within this many nats.
const MAX_MINUTE: f64 = 3.0;
/// Calls of a minute are less independent than coins.
const TRUST: f64 = 0.7;
/// Blocks in which it is less likely that it began stay as they are.
const LEAST_MASS: f64 = 0.01;
/// At most this many hours are told by the minute.
const MOST_MINUTES: i64 = 24 * 60;

/// What is measured of calls by the minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Measure {
    /// A mean of calls before and after, and the relative variance of one.
    Mean { before: f64, after: f64, variance: f64 },
    /// A share of calls before and after.
    Share { before: f64, after: f64 },
    /// How many calls there are: after as a multiple of before.
    Count { ratio: f64 },
}

/// Calls of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Minute {
    pub(in super::super) calls: f64,
    /// Sum of what is measured, or how many of the calls count.
    pub(in super::super) total: f64,
}

/// Something new that may carry the change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct News {
    /// When it was first seen.
    pub(in super::super) at: Timestamp,
    /// The part of the change that it carries.
    pub(in super::super) part: f64,
    /// Its calls of a minute.
    pub(in super::super) calls_a_minute: f64,
}

impl Onset {
    /// The same with the blocks told by their minutes, of an onset as [`super::locate`] finds it. `known` says the
    /// minutes of an hour, where somebody looked.
    pub(in super::super) fn by_minutes(
        &self,
        measure: Measure,
        known: impl Fn(Timestamp) -> Option<[Minute; 60]>,
    ) -> Self {
        let mut parts = Vec::with_capacity(self.parts.len());
        for block in self.parts.chunks(PARTS.len()) {
            if mass(block) >= LEAST_MASS {
                tell(block, measure, &known, &mut parts);
            } else {
                parts.extend_from_slice(block);
            }
        }
        Self::of(parts)
    }

    /// The same with what was seen for the first time and carries the change: it began at most a few calls before that.
    pub(in super::super) fn by_news(&self, news: &[News]) -> Self {
        /// Of a switch that carries all of a change, how often it is its cause.
        const IS_CAUSE: f64 = 0.9;
        /// Another switch comes at any minute of a day.
        const ELSE: f64 = 1.0 / 1_440.0;
        let mut terms: Vec<(f64, Vec<OnsetPart>)> = Vec::new();
        // What is the cause carries most of a change; a tenth of it is what wanders anyway.
        let cause = |new: &News| {
            let (part, rest) = (new.part.clamp(0.0, 1.0), 1.0 - new.part.clamp(0.0, 1.0));
            IS_CAUSE * part * part / (part * part + rest * rest)
        };
        let most = news.iter().map(cause).fold(0.0, f64::max);
        for new in news {
            let parts = around(&self.parts, new);
            let fits: f64 = parts.iter().map(|part| part.probability).sum();
            terms.push((cause(new) * fits / ELSE, parts));
        }
        let rest = 1.0 - most;
        let whole: f64 = rest + terms.iter().map(|(weight, _)| weight).sum::<f64>();
        if terms.is_empty() || whole <= 0.0 {
            return self.clone();
        }
        let mut parts: Vec<OnsetPart> = Vec::new();
        let scaled = |part: &OnsetPart, by: f64| OnsetPart {
            probability: part.probability * by,
            ..*part
        };
        parts.extend(self.parts.iter().map(|part| scaled(part, rest / whole)));
        for (weight, own) in &terms {
            let fits: f64 = own.iter().map(|part| part.probability).sum();
            if fits > 0.0 {
                parts.extend(own.iter().map(|part| scaled(part, weight / whole / fits)));
            }
        }
        parts.sort_by_key(|part| (part.from, part.to));
        parts.retain(|part| part.probability > 0.0);
        Self::of(parts)
    }
}

fn mass(block: &[OnsetPart]) -> f64 {
    block.iter().map(|part| part.probability).sum()
}

/// Adds a block's probability, spread over the minutes of those of its hours that are known. The others keep theirs: what
/// a quiet series has as one block may be half of a day, of which only the likely hours were looked at.
fn tell(
    block: &[OnsetPart],
    measure: Measure,
    known: &impl Fn(Timestamp) -> Option<[Minute; 60]>,
    told: &mut Vec<OnsetPart>,
) {
    let (Some(first), Some(last)) = (block.first(), block.last()) else {
        return;
    };
    if last.to.micros() - first.from.micros() > MOST_MINUTES * MINUTE {
        told.extend_from_slice(block);
        return;
    }
    let (mut minutes, mut begun) = (Vec::new(), first.from);
    let mut hour = first.from;
    while hour < last.to {
        let next = hour.plus_micros(60 * MINUTE);
        if let Some(own) = known(hour) {
            if minutes.is_empty() {
                begun = hour;
            }
            minutes.extend(own);
        } else {
            spread(block, measure, begun, &std::mem::take(&mut minutes), told);
            told.extend(within(block, hour, next));
        }
        hour = next;
    }
    spread(block, measure, begun, &minutes, told);
}

/// What a block's parts have between two times.
fn within(block: &[OnsetPart], from: Timestamp, to: Timestamp) -> impl Iterator<Item = OnsetPart> {
    block.iter().filter_map(move |part| {
        let (begins, ends) = (part.from.max(from), part.to.min(to));
        let whole = (part.to.micros() - part.from.micros()).max(1) as f64;
        (begins < ends).then(|| OnsetPart {
            from: begins,
            to: ends,
            probability: part.probability * (ends.micros() - begins.micros()) as f64 / whole,
        })
    })
}

/// Adds what a block has in these minutes, which follow one another from `begun` on, spread as they say.
fn spread(
    block: &[OnsetPart],
    measure: Measure,
    begun: Timestamp,
    minutes: &[Minute],
    told: &mut Vec<OnsetPart>,
) {
    let at = |minute: usize| begun.plus_micros(i64::try_from(minute).unwrap_or(0) * MINUTE);
    let own: Vec<OnsetPart> = within(block, begun, at(minutes.len())).collect();
    let whole = mass(&own);
    let mut logs = vec![f64::NEG_INFINITY; minutes.len()];
    for (share, prior) in SHARES {
        for (log, more) in logs.iter_mut().zip(since_each(measure, minutes, share)) {
            let (a, b) = (*log, TRUST * more + prior.ln());
            let top = a.max(b);
            *log = top + ((a - top).exp() + (b - top).exp()).ln();
        }
    }
    normalise_logs(&mut logs);
    told.extend(logs.iter().enumerate().map(|(minute, probability)| OnsetPart {
        from: at(minute),
        to: at(minute + 1),
        probability: probability * whole,
    }));
}

/// For each minute, how much likelier all are if a shift with this part of its size is in force from it on.
fn since_each(measure: Measure, minutes: &[Minute], share: f64) -> Vec<f64> {
    let n = minutes.len();
    let mut found = vec![0.0; n];
    if let Measure::Count { ratio } = measure {
        // Given how many there are in all, since how many there should be is known of hours only.
        const DISPERSION: f64 = 2.5;
        let ratio = 1.0 + (ratio - 1.0) * share;
        let all: f64 = minutes.iter().map(|minute| minute.calls).sum();
        let mut after = all;
        for (at, minute) in minutes.iter().enumerate() {
            let weight = at as f64 + (n - at) as f64 * ratio;
            found[at] = (after * ratio.ln() - all * (weight / n as f64).ln()) / DISPERSION;
            after -= minute.calls;
        }
        return found;
    }
    let mut sum = 0.0;
    for (at, minute) in minutes.iter().enumerate().rev() {
        let own = match measure {
            Measure::Mean {
                before,
                after,
                variance,
            } => {
                let ratio = 1.0 + (after / before - 1.0) * share;
                // As if calls were drawn from a Gamma distribution: never below 0, and skewed.
                let shape = minute.calls / variance;
                let relative = minute.total / (minute.calls * before).max(f64::MIN_POSITIVE);
                if minute.calls > 0.0 {
                    shape * ((1.0 - 1.0 / ratio) * relative - ratio.ln())
                } else {
                    0.0
                }
            }
            Measure::Share { before, after } => {
                let (p0, p1) = (before, before + (after - before) * share);
                binomial_log_ratio(minute.total, minute.calls, p0, p1)
            }
            Measure::Count { .. } => 0.0,
        };
        sum += if own.is_finite() {
            own.clamp(-MAX_MINUTE, MAX_MINUTE)
        } else {
            0.0
        };
        found[at] = sum;
    }
    found
}

/// How likely each part is with a first call at a time: shifted to the minutes before it.
fn around(parts: &[OnsetPart], new: &News) -> Vec<OnsetPart> {
    /// Clocks of callers differ by seconds, and nobody waits longer for a first call.
    const PACE: (f64, f64) = (1.0 / 30.0, 3.0);
    /// Minutes before the first call in which it may have begun.
    const REACH: i64 = 90;
    let pace = new.calls_a_minute.clamp(PACE.0, PACE.1);
    let minute = new.at.minute();
    let density = |at: Timestamp| -> f64 {
        let own = parts.iter().filter(|part| at >= part.from && at < part.to);
        own.map(|part| part.probability / minutes_long(part)).sum()
    };
    let before = (0..REACH).map(|back| {
        let from = minute.plus_micros(-back * MINUTE);
        let waited = (new.at.micros() - from.micros()) as f64 / MINUTE as f64;
        // Between the minute's beginning and its end, or the first call.
        let (least, most) = ((waited - 1.0).max(0.0), waited.max(0.0));
        let part = (-pace * least).exp() - (-pace * most).exp();
        OnsetPart {
            from,
            to: from.plus_micros(MINUTE),
            probability: part * density(from.plus_micros(MINUTE / 2)),
        }
    });
    let mut found: Vec<OnsetPart> = before.collect();
    found.reverse();
    found
}

fn minutes_long(part: &OnsetPart) -> f64 {
    ((part.to.micros() - part.from.micros()) as f64 / MINUTE as f64).max(1.0 / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * MINUTE;

    fn even(hours: i64) -> Onset {
        let quarter = |at: i64| OnsetPart {
            from: Timestamp::from_micros(at * HOUR / 4),
            to: Timestamp::from_micros((at + 1) * HOUR / 4),
            probability: 1.0,
        };
        Onset::of((0..hours * 4).map(quarter).collect())
    }

    fn hour(of: impl Fn(usize) -> Minute) -> [Minute; 60] {
        let mut minutes = [Minute::default(); 60];
        minutes.iter_mut().enumerate().for_each(|(at, own)| *own = of(at));
        minutes
    }

    fn minute_of(onset: &Onset) -> i64 {
        onset.at.micros() / MINUTE
    }

    #[test]
    fn dearer_calls_are_found_to_the_minute() {
        let measure = Measure::Mean {
            before: 10.0,
            after: 20.0,
            variance: 0.5,
        };
        let onset = even(1).by_minutes(measure, |_| {
            Some(hour(|at| Minute {
                calls: 4.0,
                total: if at < 23 { 40.0 } else { 80.0 },
            }))
        });
        assert_eq!(minute_of(&onset), 23);
        assert!((onset.parts.iter().map(|part| part.probability).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(
            onset.to.micros() - onset.from.micros() <= 10 * MINUTE,
            "{onset:?}"
        );
    }

    #[test]
    fn more_errors_and_more_calls_are_found_too() {
        let share = Measure::Share {
            before: 0.02,
            after: 0.5,
        };
        let onset = even(1).by_minutes(share, |_| {
            Some(hour(|at| Minute {
                calls: 6.0,
                total: if at < 41 { 0.0 } else { 3.0 },
            }))
        });
        assert_eq!(minute_of(&onset), 41);
        let onset = even(1).by_minutes(Measure::Count { ratio: 4.0 }, |_| {
            Some(hour(|at| Minute {
                calls: if at < 12 { 5.0 } else { 20.0 },
                total: 0.0,
            }))
        });
        assert_eq!(minute_of(&onset), 12);
    }

    #[test]
    fn an_hour_without_minutes_stays_as_it_is_and_keeps_its_probability() {
        let measure = Measure::Share {
            before: 0.02,
            after: 0.5,
        };
        let before = even(2);
        assert_eq!(before.by_minutes(measure, |_| None), before);
        let second = before.by_minutes(measure, |at| {
            (at.micros() >= HOUR).then(|| {
                hour(|_| Minute {
                    calls: 1.0,
                    total: 0.0,
                })
            })
        });
        let first: f64 = second.parts[..4].iter().map(|part| part.probability).sum();
        assert!((first - 0.5).abs() < 1e-9 && second.parts.len() == 64);
    }

    #[test]
    fn of_a_long_block_the_hours_that_are_known_are_told_by_the_minute() {
        let quarter = |at: i64| OnsetPart {
            from: Timestamp::from_micros(at * 3 * HOUR / 4),
            to: Timestamp::from_micros((at + 1) * 3 * HOUR / 4),
            probability: 1.0,
        };
        let measure = Measure::Share {
            before: 0.02,
            after: 0.5,
        };
        let block = Onset::of((0..4).map(quarter).collect());
        let onset = block.by_minutes(measure, |at| {
            (at.micros() >= HOUR).then(|| {
                hour(|minute| Minute {
                    calls: 2.0,
                    total: if at.micros() == HOUR && minute < 20 {
                        0.0
                    } else {
                        1.0
                    },
                })
            })
        });
        let is_minute = |part: &&OnsetPart| part.to.micros() - part.from.micros() == MINUTE;
        let minutes = onset.parts.iter().filter(is_minute);
        let likeliest = minutes.max_by(|a, b| a.probability.total_cmp(&b.probability));
        assert_eq!(likeliest.map(|part| part.from.micros() / MINUTE), Some(80));
        let first = onset.parts.iter().filter(|part| part.to.micros() <= HOUR);
        let kept: f64 = first.map(|part| part.probability).sum();
        assert!((kept - 1.0 / 3.0).abs() < 1e-9, "{onset:?}");
    }

    #[test]
    fn what_carries_the_change_says_when_it_began_unless_it_came_at_another_time() {
        let onset = even(3);
        let new = |minute: i64, part: f64| News {
            at: Timestamp::from_micros(minute * MINUTE + MINUTE / 2),
            part,
            calls_a_minute: 1.0,
        };
        assert_eq!(onset.by_news(&[]), onset);
        let sharp = onset.by_news(&[new(83, 1.0)]);
        assert!((81..=83).contains(&minute_of(&sharp)), "{sharp:?}");
        assert!(sharp.to.micros() <= 84 * MINUTE && sharp.from.micros() >= 70 * MINUTE);
        let far = onset.by_news(&[new(900, 1.0)]);
        assert!(
            (far.at.micros() - onset.at.micros()).abs() <= 16 * MINUTE,
            "{far:?}"
        );
        // What carries nothing says nothing.
        let idle = onset.by_news(&[new(83, 0.0)]);
        assert_eq!((idle.from, idle.to), (onset.from, onset.to));
    }
}
