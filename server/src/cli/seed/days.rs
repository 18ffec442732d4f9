//! Which runs a day has, and what was in force when they ran.
//!
//! A day is the 24 hours that end at the time of day of `now` and is called by its last date. Its runs are numbered;
//! date and number decide everything about a run but its exact time. So whoever seeds twice on a date sends the same
//! runs again, and whoever seeds tomorrow adds one day.

use domain::Timestamp;

use super::random::Random;
use super::recording::Recording;
use super::{desk, documents};

const DAY_MICROS: i64 = 86_400_000_000;
/// By how much more pages are summarised once the better model does it.
const MORE_SUMMARIES: f64 = 0.35;

/// The days to make up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days {
    pub(super) now: Timestamp,
    pub(super) days: u32,
    pub(super) runs_a_day: u32,
}

/// What the desk's programs were like on a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Era {
    pub(super) release: &'static str,
    /// Summaries are written by the larger model.
    pub(super) summaries_by_sonnet: bool,
    /// The prompt of `parse-request` was rewritten, and often no longer gives JSON.
    pub(super) chatty_parser: bool,
    /// By how much `enrich-context` has become slower since the first day: 1.0 is not at all.
    pub(super) slower: f64,
}

impl Days {
    /// What was in force `ago` days before the last.
    pub(super) fn era(&self, ago: u32) -> Era {
        let summaries_by_sonnet = ago < self.days.div_ceil(3);
        let chatty_parser = ago < self.days.div_ceil(5);
        Era {
            release: match (summaries_by_sonnet, chatty_parser) {
                (_, true) => "9be04a7",
                (true, false) => "c4e2117",
                (false, false) => "7d1f0a3",
            },
            summaries_by_sonnet,
            chatty_parser,
            slower: 1.0 + 0.6 * f64::from(self.days - 1 - ago) / f64::from(self.days),
        }
    }

    /// The runs of the day that ended `ago` days before now, in no order.
    pub(super) fn recordings(&self, ago: u32) -> Vec<Recording> {
        let era = self.era(ago);
        let end = self.now.plus_micros(-DAY_MICROS * i64::from(ago));
        let date = end.to_offset_date_time().date();
        let more = if era.summaries_by_sonnet {
            f64::from(self.runs_a_day) * 0.6 * MORE_SUMMARIES
        } else {
            0.0
        };
        let total = self.runs_a_day + more as u32;
        (0..total)
            .map(|number| {
                let date_number = u64::from(date.to_julian_day().unsigned_abs());
                let mut random = Random::new(date_number * 1_000_000 + u64::from(number));
                let run = Run {
                    id: format!(
                        "demo-{:04}{:02}{:02}-{number:04}",
                        date.year(),
                        u8::from(date.month()),
                        date.day()
                    ),
                    began: begin(&mut random, end),
                    era,
                };
                // What comes on top of the usual day is summaries.
                let kind = if number >= self.runs_a_day {
                    0.0
                } else {
                    random.share()
                };
                match (number, kind) {
                    (0, _) => documents::nightly_digest(run, &mut random),
                    (_, ..0.60) => documents::summarize_page(run, &mut random),
                    (_, ..0.80) => desk::answer_ticket(run, &mut random),
                    (_, ..0.93) => documents::tag_document(run, &mut random),
                    _ => desk::resolve_ticket(run, &mut random),
                }
            })
            .collect()
    }
}

/// A run that is to be made up.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) began: Timestamp,
    pub(super) era: Era,
}

impl Run {
    /// A recording with what every step of a run says.
    pub(super) fn recording(&self, key_label: &'static str, random: &mut Random) -> Recording {
        let mut recording = Recording::new(self.id.clone(), key_label, self.began);
        let shared = recording.shared();
        let stages = ["production", "production", "production", "production", "staging"];
        shared.environment = Some(random.pick(&stages).to_owned());
        shared.release = Some(self.era.release.to_owned());
        recording
    }
}

/// When a run of the day that ends at `end` begins: more often at noon than at night, and never so late that it is
/// still running at the end.
fn begin(random: &mut Random, end: Timestamp) -> Timestamp {
    const MAX_RUN_MICROS: i64 = 300_000_000;
    let latest = end.plus_micros(-MAX_RUN_MICROS);
    let of_day = loop {
        let share = random.share();
        let busy = 1.0 + 0.6 * ((share * 24.0 - 8.0) / 24.0 * std::f64::consts::TAU).sin();
        if random.share() * 1.6 < busy {
            break (share * DAY_MICROS as f64) as i64;
        }
    };
    let since_midnight = latest.micros().rem_euclid(DAY_MICROS);
    let midnight = latest.plus_micros(-since_midnight);
    let before = if of_day > since_midnight { DAY_MICROS } else { 0 };
    midnight.plus_micros(of_day - before)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn days(now: &str, days: u32) -> Days {
        Days {
            now: Timestamp::parse_rfc3339(now).unwrap(),
            days,
            runs_a_day: 60,
        }
    }

    fn steps_of(recordings: &[Recording]) -> BTreeSet<(String, String)> {
        let steps = recordings.iter().flat_map(|recording| &recording.steps);
        steps
            .map(|step| (step.run_id.clone(), step.step_id.clone()))
            .collect()
    }

    #[test]
    fn a_date_always_holds_the_same_steps() {
        let morning = days("2026-11-21T06:00:00Z", 14);
        let evening = days("2026-11-21T22:30:00Z", 14);
        let tomorrow = days("2026-11-22T09:00:00Z", 14);
        for ago in [0, 1, 5, 13] {
            let steps = steps_of(&morning.recordings(ago));
            assert_eq!(steps, steps_of(&evening.recordings(ago)));
            let next = steps_of(&tomorrow.recordings(ago));
            assert!(steps.is_disjoint(&next), "another date, other runs");
        }
    }

    #[test]
    fn runs_lie_within_their_day_and_steps_within_what_calls_them() {
        let days = days("2026-11-21T00:03:00Z", 3);
        for ago in 0..3 {
            let end = days.now.plus_micros(-DAY_MICROS * i64::from(ago));
            for recording in days.recordings(ago) {
                for step in &recording.steps {
                    let ended = step.ended_at.unwrap();
                    assert!(step.started_at <= ended && ended <= end, "{step:?}");
                    assert!(end.ms_since(step.started_at) < 86_400_000.0 + 300_000.0);
                    let parent = step.parent_step_id.as_deref().map(|id| {
                        let found = recording.steps.iter().find(|other| other.step_id == id);
                        found.unwrap_or_else(|| panic!("{id} is missing: {step:?}"))
                    });
                    if let Some(parent) = parent {
                        assert!(parent.started_at <= step.started_at, "{step:?}");
                        assert!(ended <= parent.ended_at.unwrap(), "{step:?} in {parent:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_changed_stays_changed() {
        let days = days("2026-11-21T12:00:00Z", 14);
        assert_eq!(days.era(13).release, "7d1f0a3");
        assert_eq!(days.era(4).release, "c4e2117");
        assert_eq!(days.era(0).release, "9be04a7");
        assert!((days.era(13).slower - 1.0).abs() < 1e-9 && days.era(0).slower > 1.5);
        for ago in 1..14 {
            let (before, after) = (days.era(ago), days.era(ago - 1));
            assert!(before.slower < after.slower);
            assert!(after.chatty_parser || !before.chatty_parser);
            assert!(after.summaries_by_sonnet || !before.summaries_by_sonnet);
        }
    }
}
