use proptest::prelude::*;

use super::*;

const DOLLAR: f64 = 1e9;

fn rates() -> Vec<ModelRates> {
    let row = |model: &str, day: i64, input: i64, output: i64| ModelRates {
        model: model.to_owned(),
        valid_from: Timestamp::from_micros(day * 86_400_000_000),
        input,
        cache_read: input / 10,
        cache_write: input * 5 / 4,
        output,
        per_request: 0,
    };
    vec![
        row("haiku", 0, 1_000_000_000, 5_000_000_000),
        row("sonnet", 0, 3_000_000_000, 15_000_000_000),
        row("sonnet", 10, 6_000_000_000, 30_000_000_000),
    ]
}

/// Calls with so many tokens each, priced by the list.
fn cell(model: &str, day: i64, calls: f64, tokens: [f64; 4]) -> CostCell {
    let at = Timestamp::from_micros(day * 86_400_000_000);
    let per_token = rates_at(&rates(), model, at).map_or([0.0; 4], |rates| rates.per_token);
    let each: f64 = tokens
        .iter()
        .zip(per_token)
        .map(|(tokens, rate)| tokens * rate)
        .sum();
    CostCell {
        calls,
        tokens: tokens.map(|tokens| tokens * calls),
        nano: each * calls,
    }
}

fn period(day: i64, runs: f64, cells: &[(&str, &str, f64, [f64; 4])]) -> CostPeriod {
    let named = |(step, model, calls, tokens): &(&str, &str, f64, [f64; 4])| {
        (
            ((*step).to_owned(), (*model).to_owned()),
            cell(model, day, *calls, *tokens),
        )
    };
    CostPeriod {
        runs,
        cells: cells.iter().map(named).collect(),
        at: Timestamp::from_micros(day * 86_400_000_000),
    }
}

fn terms(before: &CostPeriod, after: &CostPeriod) -> Vec<Term<NanoUsd>> {
    let delta = NanoUsd((after.nano() - before.nano()).round() as i64);
    let terms = cost_terms(before, after, &rates(), delta);
    assert_eq!(
        terms.iter().map(|term| term.amount.0).sum::<i64>(),
        delta.0,
        "{terms:?}"
    );
    terms
}

fn sum_of(terms: &[Term<NanoUsd>], kind: TermKind) -> f64 {
    terms
        .iter()
        .filter(|term| term.kind == kind)
        .map(|term| term.amount.0 as f64 / DOLLAR)
        .sum()
}

#[test]
fn a_deploy_that_replaces_every_cell_leaves_volume_its_part() {
    let tokens = [3_000.0, 0.0, 0.0, 800.0];
    let before = period(1, 500.0, &[("summary", "haiku", 500.0, tokens)]);
    let after = period(2, 800.0, &[("summary", "sonnet", 800.0, tokens)]);
    let found = terms(&before, &after);
    assert!(sum_of(&found, TermKind::Volume) > 1.0, "{found:?}");
    assert!(sum_of(&found, TermKind::ModelSwitch) > 1.0, "{found:?}");
    let kinds: BTreeSet<_> = found.iter().map(|term| term.kind).collect();
    assert_eq!(kinds, BTreeSet::from([TermKind::Volume, TermKind::ModelSwitch]));
}

#[test]
fn each_mechanism_is_called_by_its_name() {
    let usual = ("summary", "sonnet", 500.0, [2_000.0, 1_000.0, 0.0, 400.0]);
    let before = period(1, 100.0, &[usual]);
    let check = |after: CostPeriod, expected: TermKind| {
        let found = terms(&before, &after);
        let all: f64 = found.iter().map(|term| term.amount.0 as f64 / DOLLAR).sum();
        assert!(
            (sum_of(&found, expected) - all).abs() < 1e-6,
            "{expected:?}: {found:?}"
        );
    };
    let with = |calls: f64, tokens: [f64; 4]| [("summary", "sonnet", calls, tokens)];
    check(period(2, 150.0, &with(750.0, usual.3)), TermKind::Volume);
    check(period(2, 100.0, &with(900.0, usual.3)), TermKind::CallsPerRun);
    check(
        period(2, 100.0, &with(500.0, [4_000.0, 2_000.0, 0.0, 400.0])),
        TermKind::InputLength,
    );
    check(
        period(2, 100.0, &with(500.0, [2_000.0, 1_000.0, 0.0, 900.0])),
        TermKind::OutputLength,
    );
    check(
        period(2, 100.0, &with(500.0, [3_000.0, 0.0, 0.0, 400.0])),
        TermKind::Cache,
    );
    check(period(11, 100.0, &with(500.0, usual.3)), TermKind::Price);
    // A second, dearer step: calls per run and the mix of steps, nothing within either.
    let both = [usual, ("judge", "sonnet", 500.0, [9_000.0, 0.0, 0.0, 900.0])];
    let found = terms(&before, &period(2, 100.0, &both));
    assert!(
        sum_of(&found, TermKind::StepMix) > 0.0 && sum_of(&found, TermKind::CallsPerRun) > 0.0,
        "{found:?}"
    );
}

#[test]
fn what_is_new_or_gone_says_so() {
    let one = period(1, 0.0, &[("summary", "haiku", 10.0, [100.0; 4])]);
    let none = period(2, 0.0, &[]);
    assert_eq!(terms(&none, &one)[0].kind, TermKind::NewSeries);
    assert_eq!(terms(&one, &none)[0].kind, TermKind::GoneSeries);
    assert!(terms(&none, &none).is_empty());
}

#[test]
fn a_rate_moves_by_mix_or_within() {
    let cells = |fast: (f64, f64), slow: (f64, f64)| {
        let cell = |(calls, hits): (f64, f64)| RateCell { calls, hits };
        let name = |step: &str| (step.to_owned(), String::new());
        BTreeMap::from([(name("fast"), cell(fast)), (name("slow"), cell(slow))])
    };
    let check = |after: &BTreeMap<_, _>, expected: TermKind, change: f64| {
        let found = rate_terms(&cells((100.0, 1.0), (100.0, 21.0)), after);
        let sum: f64 = found.iter().map(|term| term.amount).sum();
        assert!((sum - change).abs() < 1e-12, "{found:?}");
        assert!(found.iter().all(|term| term.kind == expected), "{found:?}");
    };
    check(&cells((50.0, 0.5), (150.0, 31.5)), TermKind::Mix, 0.05);
    check(&cells((100.0, 11.0), (100.0, 31.0)), TermKind::Within, 0.10);
}

#[test]
fn latency_moves_by_mix_or_within_and_by_tokens_or_speed() {
    let cell = |calls: i64, ms: i64, output: i64| {
        let mut of = LatencyCell {
            calls,
            output: output * calls,
            ..LatencyCell::default()
        };
        for call in 0..calls {
            of.latency_us.add(ms * 1_000 + call * 1_000);
            of.ttft_us.add(100_000);
        }
        of
    };
    let cells = |fast: i64, slow: i64, ms: i64| {
        let name = |model: &str| ("summary".to_owned(), model.to_owned());
        BTreeMap::from([
            (name("haiku"), cell(fast, 500, 100)),
            (name("sonnet"), cell(slow, ms, 100)),
        ])
    };
    let kinds = |found: &[Term<f64>]| found.iter().map(|term| term.kind).collect::<BTreeSet<_>>();
    let mixed = latency_terms(&cells(98, 2, 3_000), &cells(20, 80, 3_000));
    assert!(
        mixed
            .iter()
            .filter(|term| term.kind == TermKind::Mix)
            .map(|term| term.amount)
            .sum::<f64>()
            > 2_000.0
    );
    let slower = latency_terms(&cells(50, 50, 3_000), &cells(50, 50, 4_000));
    assert_eq!(kinds(&slower), BTreeSet::from([TermKind::Within]));
    assert!(
        (slower.iter().map(|term| term.amount).sum::<f64>() - 1_000.0).abs() < 40.0,
        "{slower:?}"
    );
    assert!(latency_terms(&cells(50, 50, 3_000), &cells(50, 50, 3_010)).is_empty());
    let longer = mean_terms(&cells(0, 50, 1_100), &cells(0, 50, 2_100));
    let speed = longer.iter().find(|term| term.kind == TermKind::Speed).unwrap();
    assert!((speed.amount - 1_000.0).abs() < 20.0, "{longer:?}");
}

fn random_cells() -> impl Strategy<Value = CostPeriod> {
    let tokens = prop::array::uniform4(prop_oneof![Just(0.0), 0.0f64..20_000.0]);
    let one = (
        0..4usize,
        0..3usize,
        prop_oneof![Just(0.0), 0.1f64..5_000.0],
        tokens,
        0i64..20,
        0.0f64..1e7,
    );
    (
        prop::collection::vec(one, 0..8),
        prop_oneof![Just(0.0), 1.0f64..900.0],
        0i64..20,
    )
        .prop_map(|(found, runs, day)| {
            let mut of = CostPeriod {
                runs,
                at: Timestamp::from_micros(day * 86_400_000_000),
                ..CostPeriod::default()
            };
            for (step, model, calls, tokens, day, more) in found {
                let model = ["haiku", "sonnet", "unlisted"][model];
                let mut made = cell(model, day, calls, tokens);
                if calls > 0.0 {
                    made.nano += more;
                }
                of.cells.insert((format!("step {step}"), model.to_owned()), made);
            }
            of
        })
}

proptest! {
    #[test]
    fn no_change_leaves_a_residual(before in random_cells(), after in random_cells()) {
        let delta = NanoUsd(after.nano().round() as i64 - before.nano().round() as i64);
        let found = cost_terms(&before, &after, &rates(), delta);
        prop_assert_eq!(found.iter().map(|term| term.amount.0).sum::<i64>(), if found.is_empty() { 0 } else { delta.0 });
        // Not by force: what the rounding leaves to the largest term is a few billionths of the whole.
        let mut terms = Terms::default();
        let whole = before.nano().max(after.nano());
        if before.calls() > 0.0 && after.calls() > 0.0 && before.nano() > 0.0 && after.nano() > 0.0 {
            let mean = log_mean(after.nano(), before.nano());
            let (n0, n1) = (before.calls(), after.calls());
            let weight = mean / log_mean(after.nano() / n1, before.nano() / n0);
            per_call_terms(&before, &after, &rates(), weight, &mut terms);
            let inner: f64 = terms.0.values().sum();
            let left = after.nano() - before.nano() - inner - mean * (n1 / n0).ln();
            prop_assert!(left.abs() <= 1e-7 * whole + 1.0, "{left} of {whole}");
        }
    }
}
