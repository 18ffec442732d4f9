//! A verdict is a function of the sums and the settings, whatever way the sums came.

use domain::Timestamp;
use engine::incidents::window::{Row, Sums};
use engine::incidents::{Incident, Settings, Weights, Window, judge};
use proptest::prelude::*;

use super::made_up::{Call, Project, USUAL, by_hour, on_day};

pub(super) fn window(seed: u64, size: f64, onset: i64) -> Window {
    let mut project = Project::new(seed);
    for day in 1..=12 {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            let of = move |_: &mut super::made_up::Dice, at: Timestamp| Call {
                input: if at >= on_day(10, onset, 0) {
                    USUAL.input * size
                } else {
                    USUAL.input
                },
                ..USUAL
            };
            project.hour("shop", "answer", from, 30.0 * by_hour(from), of);
            project.hour("shop", "plan", from, 12.0, |_, _| USUAL);
        }
    }
    project.deploy(1, "edit the prompt", on_day(10, onset, 0), on_day(10, onset, 4));
    project.window(on_day(12, 7, 20))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn the_order_and_the_parts_in_which_sums_arrive_do_not_matter(
        seed in 1u64..1_000,
        size in prop_oneof![Just(1.0), 1.5f64..4.0],
        onset in 0i64..24,
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 200),
    ) {
        let whole = window(seed, size, onset);
        let (settings, weights) = (Settings::default(), Weights::shipped());
        let live = judge(&whole, &settings, &weights);
        let mut shuffled = whole.clone();
        for (a, b) in swaps {
            let (a, b) = (a.index(shuffled.rows.len()), b.index(shuffled.rows.len()));
            shuffled.rows.swap(a, b);
        }
        // Late data: a part of an hour comes as a row of its own.
        let late = shuffled.rows[0].clone();
        shuffled.rows[0].sums = Sums::default();
        shuffled.rows.push(late);
        prop_assert_eq!(&judge(&shuffled, &settings, &weights), &live);
    }

    #[test]
    fn nothing_that_comes_later_changes_what_was_opened(seed in 1u64..1_000, size in 2.0f64..4.0, onset in 0i64..20) {
        let whole = window(seed, size, onset);
        let (settings, weights) = (Settings::default(), Weights::shipped());
        let later = judge(&whole, &settings, &weights);
        let mut earlier = whole.clone();
        earlier.now = on_day(11, 0, 0);
        earlier.rows.retain(|row| row.hour < earlier.now);
        for incident in judge(&earlier, &settings, &weights) {
            let same = later.iter().find(|of| {
                of.is_same(incident.key.as_deref(), incident.metric, incident.onset.from, incident.last_at)
            });
            prop_assert!(same.is_some(), "{incident:?}");
        }
    }

    #[test]
    fn live_back_filled_and_after_a_restart_are_the_same(
        seed in 1u64..1_000,
        size in 2.5f64..4.0,
        onset in 0i64..20,
        restart in 0usize..8,
    ) {
        let whole = window(seed, size, onset);
        let (settings, weights) = (Settings::default(), Weights::shipped());
        // What a database would hold: each incident under the id it was found with.
        let mut stored: Vec<(usize, Incident)> = Vec::new();
        let mut next = 0;
        for (step, hour) in (onset..48).step_by(6).enumerate() {
            let mut live = whole.clone();
            live.now = on_day(10, hour, 40);
            // Hours as they were then; after a restart they are read in another order.
            live.rows.retain(|row| row.hour <= live.now);
            if step >= restart {
                live.rows.reverse();
            }
            let judged = judge(&live, &settings, &weights);
            let mut now_stored = Vec::new();
            for incident in judged {
                let known = stored.iter().position(|(_, known)| {
                    incident.is_same(known.key.as_deref(), known.metric, known.onset.from, known.last_at)
                });
                let id = known.map_or_else(
                    || {
                        next += 1;
                        next
                    },
                    |at| stored.remove(at).0,
                );
                now_stored.push((id, incident));
            }
            stored = now_stored;
        }
        let mut at_once = whole.clone();
        let last = (onset..48).step_by(6).last().unwrap_or(onset);
        at_once.now = on_day(10, last, 40);
        at_once.rows.retain(|row| row.hour <= at_once.now);
        let back_filled = judge(&at_once, &settings, &weights);
        let of_shop = |incident: &&Incident| incident.key.as_deref() == Some("shop") && incident.step.is_none();
        prop_assert_eq!(back_filled.iter().filter(of_shop).count(), 1);
        let live: Vec<&Incident> = stored.iter().map(|(_, incident)| incident).collect();
        prop_assert_eq!(live, back_filled.iter().collect::<Vec<_>>());
    }

    #[test]
    fn no_rows_panic(
        hours in prop::collection::vec((-5i64..900, any::<i64>(), any::<i64>(), any::<i64>()), 0..60),
        now in -10i64..1_000,
    ) {
        let mut of = window(1, 1.0, 3);
        let row = |(hour, calls, cost, output): &(i64, i64, i64, i64)| Row {
            series: (*hour % 5) as u32,
            hour: on_day(1, *hour, 0),
            sums: Sums {
                calls: *calls,
                errors: *output,
                cost: domain::NanoUsd(*cost),
                output: *output,
                cost_squares: i128::from(*cost),
                ..Sums::default()
            },
        };
        of.rows.truncate(300);
        of.rows.extend(hours.iter().map(row));
        of.now = on_day(1, now, 0);
        judge(&of, &Settings::default(), &Weights::shipped());
    }
}
