use super::*;

const NOON: i64 = 1_764_504_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOON + seconds * 1_000_000)
}

fn used(tokens: i64, nano_usd: i64) -> Amounts {
    Amounts {
        requests: 0,
        tokens,
        cost: NanoUsd(nano_usd),
    }
}

fn limited(limits: KeyLimits) -> KeyCounter {
    let mut counter = KeyCounter::default();
    let nothing = Amounts::default();
    counter.arrived(limits, [(at(0).minute(), nothing), (at(0).month(), nothing)]);
    counter
}

#[test]
fn a_minutes_requests_are_admitted_and_no_more() {
    let mut counter = limited(KeyLimits {
        minute: MostAmounts {
            requests: Some(2),
            ..MostAmounts::default()
        },
        ..KeyLimits::default()
    });
    assert_eq!(counter.admit(at(1)), Ok(()));
    assert_eq!(counter.admit(at(2)), Ok(()));
    let refused = counter.admit(at(3)).unwrap_err();
    assert_eq!(
        (refused.period, refused.measure),
        (Period::Minute, Measure::Requests)
    );
    assert_eq!((refused.limit.as_str(), refused.until), ("2", at(60)));
    assert_eq!(counter.admit(at(60)), Ok(()), "the next minute");
}

#[test]
fn tokens_and_dollars_count_when_they_are_known() {
    let mut counter = limited(KeyLimits {
        minute: MostAmounts {
            tokens: Some(100),
            ..MostAmounts::default()
        },
        month: MostAmounts {
            cost: Some(NanoUsd(5_000_000_000)),
            ..MostAmounts::default()
        },
    });
    assert_eq!(counter.admit(at(0)), Ok(()));
    counter.add(used(150, 1), at(1));
    assert_eq!(counter.admit(at(2)).unwrap_err().measure, Measure::Tokens);
    counter.add(used(0, 5_000_000_000), at(61));
    let refused = counter.admit(at(62)).unwrap_err();
    assert_eq!((refused.measure, refused.limit.as_str()), (Measure::Dollars, "5"));
    assert_eq!(refused.until, at(62).next_month());
}

#[test]
fn four_fifths_and_all_of_a_month_are_worth_telling() {
    let check = |tokens: i64, nano_usd: i64, told: &[(Measure, u32)]| {
        let limits = KeyLimits {
            minute: MostAmounts {
                tokens: Some(1),
                ..MostAmounts::default()
            },
            month: MostAmounts {
                tokens: Some(100),
                cost: Some(NanoUsd(i64::MAX)),
                ..MostAmounts::default()
            },
        };
        let mut counter = limited(limits);
        counter.add(used(tokens, nano_usd), at(1));
        let found: Vec<_> = counter
            .reached_in_month(at(2))
            .iter()
            .map(|reached| (reached.measure, reached.percent))
            .collect();
        assert_eq!(found, told, "{tokens} {nano_usd}");
        assert_eq!(counter.reached_in_month(at(2).next_month()), []);
    };
    check(79, 0, &[]);
    check(80, 0, &[(Measure::Tokens, 80)]);
    check(99, i64::MAX, &[(Measure::Tokens, 80), (Measure::Dollars, 100)]);
    check(150, 1, &[(Measure::Tokens, 100)]);
}

#[test]
fn processes_hear_of_each_other_and_count_nothing_twice() {
    let limits = KeyLimits {
        minute: MostAmounts {
            requests: Some(3),
            ..MostAmounts::default()
        },
        ..KeyLimits::default()
    };
    let (mut one, mut other) = (limited(limits), limited(limits));
    for counter in [&mut one, &mut other] {
        counter.admit(at(1)).unwrap();
        counter.admit(at(1)).unwrap();
    }
    // They passed the limit by what the other admitted in between, and by no more.
    let total: i64 = [&mut one, &mut other]
        .map(|counter| counter.leave()[0].2.requests)
        .iter()
        .sum();
    let shared = Amounts {
        requests: total,
        ..Amounts::default()
    };
    for counter in [&mut one, &mut other] {
        counter.arrived(limits, [(at(0).minute(), shared), (at(0).month(), shared)]);
        assert!(counter.admit(at(2)).is_err());
        assert_eq!(counter.minute.total().requests, 4);
    }
}

#[test]
fn what_did_not_arrive_is_sent_again() {
    let mut counter = limited(KeyLimits::default());
    counter.add(used(7, 0), at(0));
    assert_eq!(counter.leave().len(), 2);
    assert!(counter.leave().is_empty());
    counter.lost();
    counter.add(used(1, 0), at(1));
    assert_eq!(counter.leave()[0].2.tokens, 8);
    // What came from a period before changes nothing of this one.
    counter.add(used(2, 0), at(60));
    counter.arrived(
        KeyLimits::default(),
        [(at(0).minute(), used(50, 0)), (at(0).month(), used(50, 0))],
    );
    assert_eq!(counter.minute.total().tokens, 2);
    assert_eq!(counter.month.total().tokens, 52);
}
