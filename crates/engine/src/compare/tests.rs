use domain::NanoUsd;
use proptest::prelude::*;

use super::*;

/// Calls that cost these nano-dollars, took these milliseconds, and of which some failed.
fn side(costs: &[i64], latency_ms: &[f64], errors: i64) -> Side {
    let mut sums = Sums {
        calls: costs.len() as i64,
        errors,
        cost: Some(NanoUsd(costs.iter().sum())),
        cost_squares: costs
            .iter()
            .map(|cost| i128::from(*cost) * i128::from(*cost))
            .sum(),
        ..Sums::default()
    };
    for ms in latency_ms {
        sums.latency.add_ms(*ms);
    }
    Side {
        sums,
        micros: 86_400_000_000,
    }
}

fn spread(around: i64, n: i64) -> Vec<i64> {
    (0..n).map(|i| around * (80 + i * 40 / n.max(1)) / 100).collect()
}

#[test]
fn a_model_switch_is_worse_and_notable() {
    let before = side(&spread(8_400_000, 25), &[], 0);
    let after = side(&spread(21_400_000, 79), &[], 0);
    let effect = effect(Measure::CostPerCall, &before, &after);
    let change = effect.change.unwrap();
    assert_eq!(effect.reading, Reading::Worse);
    assert!(effect.is_notable(240), "{effect:?}");
    assert!((1.45..1.65).contains(&change.estimate), "{change:?}");
    assert!(change.low > 1.2 && change.high < 1.9, "{change:?}");
    assert_eq!((effect.n_before, effect.n_after), (25, 79));
}

#[test]
fn what_could_be_chance_is_unclear() {
    let check = |effect: Effect| {
        assert_eq!(effect.reading, Reading::Unclear, "{effect:?}");
        assert!(!effect.is_notable(1));
    };
    check(effect(
        Measure::CostPerCall,
        &side(&spread(100, 30), &[], 0),
        &side(&spread(102, 30), &[], 0),
    ));
    check(effect(
        Measure::ErrorRate,
        &side(&spread(1, 50), &[], 1),
        &side(&spread(1, 50), &[], 3),
    ));
    let latency = |ms: &[f64]| side(&[], ms, 0);
    check(effect(
        Measure::LatencyP95,
        &latency(&[100.0, 120.0, 900.0]),
        &latency(&[110.0, 140.0, 2_000.0]),
    ));
}

#[test]
fn a_rise_in_errors_is_a_difference_of_shares() {
    let before = side(&spread(1, 263), &[], 3);
    let after = side(&spread(1, 171), &[], 17);
    let effect = effect(Measure::ErrorRate, &before, &after);
    let change = effect.change.unwrap();
    assert!((0.085..0.09).contains(&change.estimate), "{change:?}");
    assert!(change.low > 0.04 && change.high < 0.15, "{change:?}");
    assert_eq!(effect.reading, Reading::Worse);
}

#[test]
fn little_is_said_of_few_calls() {
    let effect = effect(
        Measure::CostPerCall,
        &side(&[10, 11, 12], &[], 0),
        &side(&[90, 91, 92], &[], 0),
    );
    assert_eq!(effect.reading, Reading::Worse);
    assert!(effect.is_of_few() && !effect.is_notable(1));
}

/// Calls that come from one distribution, skewed as latencies and costs are: a tenth of them takes four times as long.
struct Calls(u64);

impl Calls {
    fn share(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn side(&mut self, n: usize) -> Side {
        let ms: Vec<f64> = (0..n)
            .map(|_| {
                let usual = 900.0 * (self.share() + self.share() + self.share() - 1.5).exp();
                if self.share() < 0.1 { usual * 4.0 } else { usual }
            })
            .collect();
        let costs: Vec<i64> = ms.iter().map(|ms| (ms * 1_000.0) as i64).collect();
        side(&costs, &ms, 0)
    }
}

#[test]
fn among_few_calls_chance_names_nothing() {
    const PAGES: u32 = 4_000;
    let mut calls = Calls(12);
    let (mut named, mut clear) = (0, 0);
    for _ in 0..PAGES {
        // What ran between two deploys of one afternoon.
        let (before, after) = (calls.side(20), calls.side(24));
        for measure in [Measure::LatencyP95, Measure::CostPerCall] {
            let effect = effect(measure, &before, &after);
            named += u32::from(effect.is_notable(24));
            clear += u32::from(measure == Measure::LatencyP95 && effect.reading != Reading::Unclear);
        }
    }
    // With the normal distribution's limits it was three in a hundred, and one interval in six that left out the truth.
    assert!(named <= PAGES / 400, "{named} of {PAGES}");
    assert!(clear <= PAGES / 10, "{clear} of {PAGES}");
}

#[test]
fn a_p95_that_doubled_is_named_once_there_are_calls_enough() {
    let mut calls = Calls(7);
    let slower = |side: &mut Side| {
        let twice = side.sums.latency.bars().map(|(us, count)| (us * 2, count));
        let mut latency = crate::Histogram::new();
        twice.for_each(|(us, count)| latency.add_times(us, count));
        side.sums.latency = latency;
    };
    let (before, mut after) = (calls.side(2_000), calls.side(3_000));
    slower(&mut after);
    let effect = effect(Measure::LatencyP95, &before, &after);
    assert_eq!(effect.reading, Reading::Worse);
    assert!(effect.is_notable(72), "{effect:?}");
}

#[test]
fn intervals_of_few_calls_are_wide_and_end_somewhere() {
    let change = |n: i64| {
        let (before, after) = (side(&spread(100, n), &[], 0), side(&spread(130, n), &[], 0));
        effect(Measure::CostPerCall, &before, &after).change.unwrap()
    };
    let (few, many) = (change(3), change(300));
    assert!(few.low < 0.0 && few.high > 0.5, "{few:?}");
    assert!(many.low > 0.25 && many.high < 0.35, "{many:?}");
    let two = effect(
        Measure::CostPerCall,
        &side(&[1, 1_000], &[], 0),
        &side(&[900, 5], &[], 0),
    );
    let change = two.change.unwrap();
    assert!(change.high.is_finite() && change.high <= 1_000.0, "{change:?}");
    assert_eq!(two.reading, Reading::Unclear);
}

#[test]
fn unknown_has_no_change() {
    let nothing = Side::default();
    for effect in effects(&nothing, &side(&spread(5, 40), &[3.0], 1)) {
        assert_eq!(
            (effect.change, effect.reading),
            (None, Reading::Unclear),
            "{effect:?}"
        );
    }
}

proptest! {
    #[test]
    fn an_interval_holds_its_estimate_and_turns_with_the_sides(
        a in prop::collection::vec(1..1_000_000i64, 2..60), b in prop::collection::vec(1..1_000_000i64, 2..60),
        errors_a in 0..2i64, errors_b in 0..2i64
    ) {
        let (before, after) = (side(&a, &[5.0, 9.0], errors_a), side(&b, &[7.0, 70.0], errors_b));
        for (there, back) in effects(&before, &after).into_iter().zip(effects(&after, &before)) {
            let (Some(there), Some(back)) = (there.change, back.change) else { continue };
            prop_assert!(there.low <= there.estimate && there.estimate <= there.high, "{:?}", there);
            prop_assert!(there.estimate.is_finite() && there.high.is_finite());
            prop_assert_eq!(there.estimate > 0.0, back.estimate < 0.0);
        }
    }
}
