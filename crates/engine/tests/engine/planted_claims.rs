//! Claims about made-up runs, true ones and ones with one thing wrong, and how many of each the verifier keeps.

use domain::{StepStatus, StepSummary};
use engine::analysis::evidence;
use engine::citations::{Cite, Claim, verify};

use crate::failing_runs::maker::Dice;
use crate::failing_runs::{FailingRun, failing_run};

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Verifying {
    /// True claims that were kept, of all.
    pub(crate) kept: usize,
    pub(crate) all_true: usize,
    /// False claims that were dropped, of all.
    pub(crate) dropped: usize,
    pub(crate) all_false: usize,
    /// The claims that were judged wrongly, in words.
    pub(crate) missed: Vec<String>,
}

/// Verifies what would be said of each step of so many made-up runs.
pub(crate) fn verifying(runs: u64) -> Verifying {
    let mut dice = Dice::new(7);
    let mut done = Verifying::default();
    for seed in 0..runs {
        let made = failing_run(seed);
        let evidence = evidence(&made.run, &made.steps, &made.texts, &[]);
        for step in &made.steps {
            let (true_one, false_ones) = claims_of(&made, step, &mut dice);
            done.all_true += 1;
            let verified = verify(vec![true_one], &evidence);
            done.kept += verified.kept.len();
            let lost = verified.dropped.into_iter();
            done.missed
                .extend(lost.map(|dropped| format!("{}: {}", dropped.reason, dropped.claim.text)));
            done.all_false += false_ones.len();
            let verified = verify(false_ones, &evidence);
            done.dropped += verified.dropped.len();
            let left = verified.kept.into_iter();
            done.missed
                .extend(left.map(|claim| format!("kept: {} {:?}", claim.text, claim.cites)));
        }
    }
    done
}

/// What a careful model would say of a step, and the same with one thing wrong.
fn claims_of(made: &FailingRun, step: &StepSummary, dice: &mut Dice) -> (Claim, Vec<Claim>) {
    let claim = |text: String, cites: Vec<Cite>| Claim {
        text,
        cites,
        is_advice: false,
    };
    let own = Cite::Step(step.step_id.clone());
    let seconds = step.latency_ms.unwrap() / 1_000.0;
    let money = step.cost_nano_usd.map_or_else(String::new, |cost| {
        format!(" and cost ${:.6}", cost.0 as f64 / 1e9)
    });
    let mut cites = vec![own.clone()];
    let code = step.conditions.first().map(|found| found.code);
    cites.extend(code.map(Cite::Code));
    let quote = made.texts[&step.step_id]
        .output
        .clone()
        .filter(|output| output.len() > 20);
    let quoted = quote.as_ref().map_or_else(String::new, |text| {
        format!(" and answered `{}`", &text[..16].replace('`', "'"))
    });
    let true_one = claim(
        format!("{} took {seconds:.3} s{money}{quoted}.", step.name),
        cites.clone(),
    );
    let off = 1.07 + dice.below(50) as f64 / 100.0;
    let mut false_ones = vec![
        claim(true_one.text.clone(), vec![Cite::Step("s999-nowhere".to_owned())]),
        claim(true_one.text.clone(), Vec::new()),
        claim(true_one.text.clone(), vec![own.clone(), Cite::Code(2999)]),
        claim(
            true_one.text.clone(),
            vec![own.clone(), Cite::Deploy("deploy-7".to_owned())],
        ),
        claim(
            format!("{} took {:.3} s.", step.name, seconds * off),
            vec![own.clone()],
        ),
        claim(
            format!("{} answered `the moon is made of cheese`.", step.name),
            vec![own.clone()],
        ),
        claim(format!("{} was called 4711 times.", step.name), vec![own.clone()]),
    ];
    if step.status == StepStatus::Ok
        && made
            .steps
            .iter()
            .all(|other| other.name != step.name || other.status == StepStatus::Ok)
    {
        false_ones.push(claim(format!("{} failed.", step.name), vec![own]));
    }
    (true_one, false_ones)
}
