//! Which runs a day has, what was in force when they ran, and what shipped meanwhile.
//!
//! A day is the 24 hours that end at the time of day of `now` and is called by its last date. Its runs are numbered;
//! date and number decide everything about a run but its exact time. So whoever seeds twice on a date sends the same
//! runs again, and whoever seeds tomorrow adds one day.

use domain::{DeployRecord, DeployStatus, Timestamp};

use super::random::Random;
use super::recording::Recording;
use super::run::{Era, Run};
use super::{desk, documents};

const DAY_MICROS: i64 = 86_400_000_000;
const MINUTE_MICROS: i64 = 60_000_000;
const QUARTER_MICROS: i64 = DAY_MICROS / 4;
/// The share of the runs of a usual day that summarise a page.
const SUMMARIES: f64 = 0.8;
/// By how much more pages are summarised from the day on on which the model is switched.
const MORE_SUMMARIES: f64 = 0.6;
/// Something that ships on one day: when, in minutes of the day, and what.
struct Shipped {
    started_minute: i64,
    completed_minute: i64,
    pr_number: i64,
    sha: &'static str,
    title: &'static str,
    author: &'static str,
}

/// Three deploys within two and a half hours. The second is the one that costs.
const SHIPPED: [Shipped; 3] = [
    Shipped {
        started_minute: 810,
        completed_minute: 815,
        pr_number: 1,
        sha: "7d1f0a3c5e7190b2d4f6a8c0e2f41365788a9bcd",
        title: "bump anthropic SDK to 0.45",
        author: "mara",
    },
    Shipped {
        started_minute: 845,
        completed_minute: 852,
        pr_number: 2,
        sha: "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1",
        title: "switch summary endpoint to claude-sonnet",
        author: "jonas",
    },
    Shipped {
        started_minute: 950,
        completed_minute: 953,
        pr_number: 3,
        sha: "9be04a7d2211f0e1d2c3b4a5968778695a4b3c2d",
        title: "tidy README wording",
        author: "ines",
    },
];
/// The ids under which they are recorded.
pub(super) const DEPLOY_IDS: [&str; 3] = ["demo-pr-1", "demo-pr-2", "demo-pr-3"];
/// What ran before the first of them.
const FIRST_RELEASE: &str = "5b1d9e0";
/// How the sha of a release is written by the desk's programs.
const RELEASE_DIGITS: usize = 7;

/// The days to make up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days {
    pub(super) now: Timestamp,
    pub(super) days: u32,
    pub(super) runs_a_day: u32,
}

impl Days {
    /// Midnight of the day on which things ship: the 22nd of thirty.
    fn shipping_day(&self) -> Timestamp {
        self.now
            .plus_micros(-DAY_MICROS * i64::from(self.days * 4 / 15))
            .day()
    }

    /// The rollouts that are over by now.
    pub(super) fn deploys(&self) -> Vec<DeployRecord> {
        let day = self.shipping_day();
        let at = |minute: i64| day.plus_micros(minute * MINUTE_MICROS);
        SHIPPED
            .iter()
            .zip(DEPLOY_IDS)
            .filter(|(shipped, _)| at(shipped.completed_minute) < self.now)
            .map(|(shipped, id)| DeployRecord {
                id: Some(id.to_owned()),
                sha: shipped.sha.to_owned(),
                status: Some(DeployStatus::Success),
                title: Some(shipped.title.to_owned()),
                pr_number: Some(shipped.pr_number),
                author: Some(shipped.author.to_owned()),
                environment: Some("production".to_owned()),
                repo: Some("acme/support".to_owned()),
                branch: Some("main".to_owned()),
                started_at: Some(at(shipped.started_minute)),
                completed_at: Some(at(shipped.completed_minute)),
                url: None,
            })
            .collect()
    }

    /// What was in force at a moment.
    pub(super) fn era(&self, at: Timestamp) -> Era {
        let length = DAY_MICROS * i64::from(self.days.max(1));
        let begin = self.now.plus_micros(-length);
        let shipped = |minute: i64| at >= self.shipping_day().plus_micros(minute * MINUTE_MICROS);
        let latest = SHIPPED
            .iter()
            .rev()
            .find(|deploy| shipped(deploy.completed_minute));
        let release = latest.map_or(FIRST_RELEASE, |deploy| {
            deploy.sha.get(..RELEASE_DIGITS).unwrap_or(deploy.sha)
        });
        Era {
            release,
            summaries_by_sonnet: shipped(SHIPPED[1].completed_minute),
            is_short: shipped(SHIPPED[0].completed_minute) && !shipped(SHIPPED[2].completed_minute),
            slower: 1.0 + 0.6 * (at.micros() - begin.micros()).max(0) as f64 / length as f64,
        }
    }

    /// The runs of the day that ended `ago` days before now, in no order.
    pub(super) fn recordings(&self, ago: u32) -> Vec<Recording> {
        let end = self.now.plus_micros(-DAY_MICROS * i64::from(ago));
        let date = end.to_offset_date_time().date();
        let shipping_day = self.shipping_day();
        let more = if end >= shipping_day {
            f64::from(self.runs_a_day) * SUMMARIES * MORE_SUMMARIES
        } else {
            0.0
        };
        // There are more from midnight on, hours before anything ships. Whole quarters of that day, so that it does not
        // matter whether somebody seeds a minute later.
        let is_first = end.day() == shipping_day;
        let until = end.plus_micros(-end.micros().rem_euclid(QUARTER_MICROS));
        let total = self.runs_a_day + more as u32;
        (0..total)
            .filter_map(|number| {
                let date_number = u64::from(date.to_julian_day().unsigned_abs());
                let mut random = Random::new(date_number * 1_000_000 + u64::from(number));
                let began = if number == 0 {
                    begin_at_night(&mut random, end)
                } else {
                    begin(&mut random, end)
                };
                let is_more = number >= self.runs_a_day;
                if is_more && is_first && !(shipping_day..until).contains(&began) {
                    return None;
                }
                let run = Run {
                    id: format!(
                        "demo-{:04}{:02}{:02}-{number:04}",
                        date.year(),
                        u8::from(date.month()),
                        date.day()
                    ),
                    began,
                    era: self.era(began),
                };
                // What comes on top of the usual day is summaries.
                let kind = if number >= self.runs_a_day {
                    0.0
                } else {
                    random.share()
                };
                Some(match (number, kind) {
                    (0, _) => documents::nightly_digest(run, &mut random),
                    (_, ..SUMMARIES) => documents::summarize_page(run, &mut random),
                    (_, ..0.86) => desk::answer_ticket(run, &mut random),
                    (_, ..0.97) => documents::tag_document(run, &mut random),
                    _ => desk::resolve_ticket(run, &mut random),
                })
            })
            .collect()
    }
}

/// When a run of the day that ends at `end` begins: more often at noon than at night.
fn begin(random: &mut Random, end: Timestamp) -> Timestamp {
    let of_day = loop {
        let share = random.share();
        let busy = 1.0 + 0.6 * ((share * 24.0 - 8.0) / 24.0 * std::f64::consts::TAU).sin();
        if random.share() * 1.6 < busy {
            break share;
        }
    };
    latest_at(of_day, end)
}

/// When the one of the night begins: at about two, so that each night has one.
fn begin_at_night(random: &mut Random, end: Timestamp) -> Timestamp {
    latest_at((2.0 + random.share() / 2.0) / 24.0, end)
}

/// The latest time before `end` at which it is so late in the day, a share of it, and never so late that a run is still
/// on its way at the end.
fn latest_at(of_day: f64, end: Timestamp) -> Timestamp {
    const MAX_RUN_MICROS: i64 = 300_000_000;
    let latest = end.plus_micros(-MAX_RUN_MICROS);
    let of_day = (of_day * DAY_MICROS as f64) as i64;
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
        let days = days("2026-11-21T12:00:00Z", 30);
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let check = |time: &str, release: &str, by_sonnet: bool| {
            let era = days.era(at(time));
            assert_eq!(
                (era.release, era.summaries_by_sonnet),
                (release, by_sonnet),
                "{time}"
            );
        };
        check("2026-10-23T00:00:00Z", "5b1d9e0", false);
        check("2026-11-13T13:34:00Z", "5b1d9e0", false);
        check("2026-11-13T13:36:00Z", "7d1f0a3", false);
        check("2026-11-13T14:11:00Z", "7d1f0a3", false);
        check("2026-11-13T14:13:00Z", "c4e2117", true);
        check("2026-11-13T16:00:00Z", "9be04a7", true);
        check("2026-11-21T11:00:00Z", "9be04a7", true);
        let eras: Vec<Era> = (0..30)
            .rev()
            .map(|ago| days.era(days.now.plus_micros(-DAY_MICROS * ago)))
            .collect();
        for pair in eras.windows(2) {
            assert!(pair[0].slower < pair[1].slower);
        }
        assert!(eras[29].slower > 1.5);
    }

    #[test]
    fn nothing_ships_that_is_not_over() {
        let numbers = |now: &str, count: u32| -> Vec<i64> {
            days(now, count)
                .deploys()
                .iter()
                .filter_map(|deploy| deploy.pr_number)
                .collect()
        };
        assert_eq!(numbers("2026-11-21T12:00:00Z", 30), [1, 2, 3]);
        assert_eq!(numbers("2026-11-21T14:30:00Z", 1), [1, 2]);
        assert!(numbers("2026-11-21T09:00:00Z", 1).is_empty());
    }
}
