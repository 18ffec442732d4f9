//! What is stored about many steps, as the server sends it and the browser keeps it.

use domain::step::ReportedTokens;
use domain::usage::known_sum;
use domain::{NanoUsd, Severity, StepKind, StepStatus, TokenUsage};
use serde::{Deserialize, Serialize};

use super::texts::{StepText, text_codes};
use super::{Row, is_learned};
use crate::codes;
use crate::facts::StepFacts;
use crate::findings::Findings;
use crate::history::RecentSteps;
use crate::layer4;
use crate::limits::Limits;
use crate::reading::Reading;
use crate::rules::{LimitMode, ManualLimits, Rules};

/// Stored steps in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// How many steps at the beginning only teach limits and bands: they came before the window.
    pub lead_in: u32,
    /// How many steps the window has; more than `steps` when only the newest were sent.
    pub steps_in_window: u64,
    /// The runs' ids.
    pub runs: Vec<String>,
    /// The keys' labels.
    pub keys: Vec<String>,
    /// The step names, models and templates.
    pub series: Vec<Series>,
    /// In order of arrival.
    pub steps: Vec<Step>,
    /// Texts of some of them.
    pub texts: Vec<StepText>,
}

/// A step name with the model that answered. Two templates are two of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// Name of the steps of the series.
    pub step_name: String,
    /// The model that answered, else the requested one; blank where neither is known.
    pub model: String,
}

/// What people said about a step's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// At least one is real.
    Real,
    /// All that were marked are noise.
    Noise,
}

/// One stored step. Unknown is `None`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it was received, in milliseconds since 1970.
    pub at_ms: i64,
    /// Position in [`Recording::runs`].
    pub run: u32,
    /// Position in [`Recording::keys`].
    pub key: u32,
    /// Position in [`Recording::series`].
    pub series: u32,
    /// What it does.
    pub kind: StepKind,
    /// Whether it failed.
    pub is_failed: bool,
    /// Whether it has an output.
    pub has_output: bool,
    /// The severity it was stored with.
    pub severity: Severity,
    /// What people said.
    pub mark: Option<Mark>,
    /// Latency in microseconds.
    pub latency_us: Option<i64>,
    /// Time to the first token in microseconds.
    pub ttft_us: Option<i64>,
    /// Longest pause of a stream in microseconds.
    pub max_gap_us: Option<i64>,
    /// Fresh and cached input tokens.
    pub input_tokens: Option<i64>,
    /// The part of them that came from the prompt cache.
    pub cache_read_tokens: Option<i64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<i64>,
    /// The part of them spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Cost in nano-dollars.
    pub cost_nano_usd: Option<i64>,
    /// The layer after which scoring stopped.
    pub stopped_at_layer: Option<u8>,
    /// Points of code 4011 above its own.
    pub extra_points: i32,
    /// The codes that hit.
    pub codes: Vec<u16>,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            at_ms: 0,
            run: 0,
            key: 0,
            series: 0,
            kind: StepKind::Llm,
            is_failed: false,
            has_output: true,
            severity: Severity::Ok,
            mark: None,
            latency_us: None,
            ttft_us: None,
            max_gap_us: None,
            input_tokens: None,
            cache_read_tokens: None,
            output_tokens: None,
            reasoning_tokens: None,
            cost_nano_usd: None,
            stopped_at_layer: None,
            extra_points: 0,
            codes: Vec::new(),
        }
    }
}

/// Codes that follow from a step's own figures alone.
fn is_of_figures(code: u16) -> bool {
    const CODES: [codes::Code; 8] = [
        codes::TOKEN_RATIO_ANOMALY,
        codes::CLASSIFY_STEP_TOKEN_BLOAT,
        codes::HIGH_LATENCY_LOW_OUTPUT,
        codes::ZERO_OUTPUT_TOKENS_WITH_BODY,
        codes::SLOW_GENERATION,
        codes::RUN_COST_CUMULATIVE,
        codes::SLOW_FIRST_TOKEN,
        codes::STALL,
    ];
    CODES.iter().any(|known| known.code == code)
}

/// Rules under which every code is on and no limit is ever passed.
fn everything_but_limits() -> Rules {
    Rules {
        mode: LimitMode::Manual,
        limits: ManualLimits {
            latency_ms: Some(f64::MAX),
            tokens: Some(i64::MAX),
            cost_nano_usd: Some(NanoUsd(i64::MAX)),
        },
        ..Rules::default()
    }
}

impl Recording {
    /// The rows to judge: codes from figures are worked out, also those of layers that were never reached, and
    /// steps with texts are read again.
    pub fn rows(&self) -> Vec<Row> {
        let rules = everything_but_limits();
        let limits = Limits::of(&RecentSteps::default(), &rules);
        let mut run_costs: Vec<Option<NanoUsd>> = vec![None; self.runs.len()];
        let mut rows: Vec<Row> = self
            .steps
            .iter()
            .map(|step| {
                let run_cost = run_costs.get_mut(step.run as usize);
                let facts = StepFacts {
                    run_cost_before: run_cost.as_ref().and_then(|so_far| **so_far),
                    ..self.facts(step)
                };
                let mut findings = Findings::new(&rules);
                layer4::evaluate(&Reading::of(&facts), &limits, None, &mut findings);
                let found = findings.conditions.iter().map(|condition| condition.code);
                let stored = step.codes.iter().copied().filter(|code| !is_of_figures(*code));
                let codes = stored
                    .chain(found.filter(|code| is_of_figures(*code)))
                    .filter(|code| !is_learned(*code));
                if let (Some(so_far), Some(cost)) = (run_cost, facts.cost) {
                    *so_far = Some(so_far.unwrap_or_default().saturating_add(cost));
                }
                Row {
                    series: step.series,
                    latency_us: step.latency_us,
                    tokens: facts.tokens(),
                    cost_nano_usd: step.cost_nano_usd,
                    input_tokens: step.input_tokens,
                    output_tokens: step.output_tokens,
                    cache_permille: facts.cache_permille(),
                    is_model_call: facts.calls_model(),
                    is_failed: step.is_failed,
                    stopped_at_layer: step.stopped_at_layer,
                    extra_points: step.extra_points,
                    codes: codes.collect(),
                }
            })
            .collect();
        for text in &self.texts {
            let index = text.step as usize;
            if let (Some(step), Some(row)) = (self.steps.get(index), rows.get_mut(index)) {
                let facts = text.facts(self.facts(step), self.runs.get(step.run as usize));
                row.codes = text_codes(&facts, step.stopped_at_layer, &step.codes, &row.codes);
                row.stopped_at_layer = None;
            }
        }
        rows
    }

    /// What is known of a step without its texts.
    fn facts(&self, step: &Step) -> StepFacts<'_> {
        let (step_name, model) = self.series.get(step.series as usize).map_or(("", ""), |series| {
            (series.step_name.as_str(), series.model.as_str())
        });
        let ms = |us: Option<i64>| us.map(|us| us as f64 / 1_000.0);
        let fresh = step
            .input_tokens
            .map(|input| input.saturating_sub(step.cache_read_tokens.unwrap_or(0)));
        StepFacts {
            kind: step.kind,
            status: if step.is_failed {
                StepStatus::Error
            } else {
                StepStatus::Ok
            },
            output: step.has_output.then_some("-"),
            latency_ms: ms(step.latency_us),
            ttft_ms: ms(step.ttft_us),
            max_gap_ms: ms(step.max_gap_us),
            reported: ReportedTokens::default(),
            usage: TokenUsage {
                input_fresh: fresh,
                cache_read: step.cache_read_tokens,
                output: step.output_tokens,
                reasoning: step.reasoning_tokens,
                ..TokenUsage::default()
            },
            cost: step.cost_nano_usd.map(NanoUsd),
            ..StepFacts::new("", step_name, model, "")
        }
    }

    /// The steps of the window, without those before it.
    pub fn window(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().skip(self.lead_in as usize)
    }

    /// Whether the window has more steps than were sent.
    pub fn is_sample(&self) -> bool {
        self.steps_in_window > self.window().count() as u64
    }
}

impl Step {
    /// All tokens; `None` when none is known.
    pub fn tokens(&self) -> Option<i64> {
        known_sum(self.input_tokens, self.output_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::Backtest;

    #[test]
    fn codes_of_figures_are_found_again_whatever_was_stored() {
        let check = |name: &str, step: Step, expected: &[u16]| {
            let recording = Recording {
                runs: vec!["r".to_owned()],
                series: vec![Series {
                    step_name: name.to_owned(),
                    model: "m".to_owned(),
                }],
                steps: vec![step],
                ..Recording::default()
            };
            let rows = recording.rows();
            assert_eq!(rows[0].codes, expected, "{recording:?}");
        };
        let plain = || Step {
            output_tokens: Some(40),
            latency_us: Some(800_000),
            input_tokens: Some(100),
            ..Step::default()
        };
        check("answer", plain(), &[]);
        let slow = || Step {
            latency_us: Some(3_500_000),
            output_tokens: Some(3),
            ..plain()
        };
        check("answer", slow(), &[4007]);
        // Scoring stopped at layer 1, so 4007 was never looked at.
        let failed = Step {
            is_failed: true,
            codes: vec![1001],
            stopped_at_layer: Some(1),
            ..slow()
        };
        check("answer", failed, &[1001, 4007]);
        // Limits and bands are learned while judging.
        let above = Step {
            codes: vec![2001, 4001, 5001],
            ..plain()
        };
        check("answer", above, &[2001]);
        let wordy = Step {
            output_tokens: Some(60),
            ..plain()
        };
        check("classify-intent", wordy, &[4005]);
        let uncounted = Step {
            output_tokens: None,
            ..plain()
        };
        check("answer", uncounted, &[4010]);
        let silent = Step {
            output_tokens: None,
            has_output: false,
            codes: vec![1003],
            ..plain()
        };
        check("answer", silent, &[1003]);
        let slow_stream = Step {
            ttft_us: Some(6_000_000),
            max_gap_us: Some(11_000_000),
            latency_us: Some(90_000_000),
            output_tokens: Some(80),
            ..plain()
        };
        check("answer", slow_stream, &[4013, 4017, 4018]);
    }

    #[test]
    fn a_runs_cost_is_added_up_over_its_steps() {
        let step = |run: u32, dollars: i64| Step {
            run,
            cost_nano_usd: Some(dollars * 1_000_000_000),
            output_tokens: Some(9),
            ..Step::default()
        };
        let recording = Recording {
            runs: vec!["a".to_owned(), "b".to_owned()],
            series: vec![Series::default()],
            steps: vec![step(0, 3), step(1, 4), step(0, 3), step(0, 1)],
            ..Recording::default()
        };
        let hit: Vec<bool> = recording
            .rows()
            .iter()
            .map(|row| row.codes.contains(&codes::RUN_COST_CUMULATIVE.code))
            .collect();
        assert_eq!(hit, [false, false, true, false]);
        assert_eq!(Backtest::new(&recording.rows()).len(), 4);
    }
}
