use proptest::prelude::*;

use super::*;

fn record(step_name: &str, value: i64) -> StepRecord {
    StepRecord {
        kind: StepKind::Llm,
        series: SeriesKey::of(step_name, "m", ""),
        latency_ms: Some(value as f64),
        tokens: Some(value),
        output_tokens: Some(value / 2),
        cost: Some(NanoUsd(value * 1_000)),
        cache_permille: None,
        total: (value % 40) as i32,
        is_usable: value % 7 != 0,
        is_refusal: value % 5 == 0,
    }
}

fn steps_of(values: &[i64]) -> Vec<(i64, StepRecord)> {
    let record_of = |value: i64| record(if value % 9 == 0 { "rare" } else { "usual" }, value);
    values
        .iter()
        .enumerate()
        .map(|(at, value)| (at as i64 * 3, record_of(*value)))
        .collect()
}

fn shuffled(steps: &[(i64, StepRecord)], keys: &[u16]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|index| keys[*index]);
    order
}

/// All that a step could be judged by; the place of the latest step is not.
fn shown(history: &History) -> String {
    format!("{:?} {:?}", history.recent, history.steps)
}

proptest! {
    #[test]
    fn what_is_held_does_not_depend_on_the_order_in_which_it_was_learned(
        values in prop::collection::vec(1_i64..9_000, 1..320),
        keys in prop::collection::vec(any::<u16>(), 320),
    ) {
        let steps = steps_of(&values);
        let mut in_order = History::new();
        steps.iter().for_each(|(sequence, record)| in_order.insert(*sequence, record));
        let order = shuffled(&steps, &keys);
        let mut history = History::new();
        // Everything once in some order, and some of it again.
        for index in order.iter().chain(order.iter().take(50)) {
            let (sequence, record) = &steps[*index];
            history.insert(*sequence, record);
        }
        prop_assert_eq!(shown(&history), shown(&in_order));
    }

    #[test]
    fn what_is_undone_never_was(
        values in prop::collection::vec(1_i64..9_000, 1..500),
        fates in prop::collection::vec(0_u8..3, 500),
        ends in prop::collection::vec(any::<u16>(), 500),
    ) {
        // Stored from the start, or scored and then stored, or scored and then not stored.
        let steps = steps_of(&values);
        let mut history = History::new();
        let mut expected = History::new();
        for ((sequence, record), fate) in steps.iter().zip(&fates) {
            if *fate == 0 {
                history.insert(*sequence, record);
            } else {
                history.insert_pending(*sequence, record);
            }
            if *fate < 2 {
                expected.insert(*sequence, record);
            }
        }
        for index in shuffled(&steps, &ends) {
            let (sequence, record) = &steps[index];
            match fates[index] {
                0 => {}
                1 => history.confirm(record),
                _ => history.undo(*sequence, record),
            }
        }
        prop_assert_eq!(shown(&history), shown(&expected));
    }
}
