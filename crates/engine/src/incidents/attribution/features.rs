//! What is known of each cause that an incident may have, as numbers.

use std::collections::BTreeSet;

use super::super::decomposition::{Term, TermKind};
use super::super::window::{Novelty, Shipped};
use super::NullCause;
use super::case::Case;
use super::contrast::{Contrast, contrast};
use super::rollout::Candidate;
use super::switches::Switch;
use super::weights::{COUNT, Feature, Features};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// A log likelihood ratio is held within this.
const LIMIT: f64 = 4.0;

impl Case<'_> {
    /// What is known of a deploy.
    pub(super) fn of_deploy(
        &self,
        candidate: &Candidate<'_>,
        all: &[Candidate<'_>],
    ) -> (Features, Option<Contrast>) {
        let mut features = [0.0; COUNT];
        let mut set = |feature: Feature, value: f64| features[feature as usize] = value;
        set(Feature::Time, self.time(candidate));
        let is_per_call = self.part_of(&[TermKind::CallsPerRun, TermKind::Volume]) < 0.5;
        let found = if is_per_call {
            contrast(self.grid, &self.scope, self.metric, self.effect, candidate)
        } else {
            None
        };
        set(
            Feature::ReleaseContrast,
            found.map_or(0.0, |found| found.log_ratio.clamp(-LIMIT, LIMIT)),
        );
        set(Feature::Mechanism, self.mechanism(candidate, all));
        set(Feature::FirstSeen, self.first_seen(candidate));
        set(Feature::BlastRadius, self.blast_radius(candidate));
        set(
            Feature::Controls,
            self.others_moved.map_or(0.0, |moved| 0.5 - moved),
        );
        set(Feature::PreTrend, self.sudden - 0.5);
        set(
            Feature::Reversal,
            f64::from(u8::from(self.was_taken_back(candidate))),
        );
        set(
            Feature::Scope,
            -f64::from(u8::from(self.went_elsewhere(candidate))),
        );
        set(Feature::DiffHint, self.hint(candidate.deploy));
        (features, found)
    }

    /// What is known of a cause that is no deploy.
    pub(super) fn of_null(&self, cause: NullCause, candidates: &[Candidate<'_>]) -> Features {
        let mut features = [0.0; COUNT];
        let mut set = |feature: Feature, value: f64| features[feature as usize] = value;
        let nothing_switched = 1.0 - self.switched_part(|_| 1.0);
        let undeployed = self.switched_part(|switch| {
            let fits = candidates
                .iter()
                .map(|candidate| candidate.closeness(switch.from, switch.to));
            1.0 - fits.fold(0.0, f64::max)
        });
        let alone = candidates
            .iter()
            .map(|candidate| self.time(candidate))
            .fold(-LIMIT, f64::max);
        let alone = (-alone / LIMIT).max(0.0) * self.sudden;
        match cause {
            NullCause::Traffic => {
                set(
                    Feature::TrafficVolume,
                    log_part(self.part_of(&[TermKind::Volume, TermKind::NewSeries])),
                );
                set(Feature::NothingSwitched, nothing_switched);
            }
            NullCause::Price => {
                let dated = if self.prices_changed { 1.0 } else { 0.5 };
                set(
                    Feature::PriceShare,
                    log_part(self.part_of(&[TermKind::Price]) * dated),
                );
                set(Feature::NothingSwitched, nothing_switched);
            }
            NullCause::ProviderDrift => {
                let (same, other) = self.by_model;
                let spread = match (same, other) {
                    (Some(same), Some(other)) => same - other,
                    (Some(same), None) => (same - 0.5) / 2.0,
                    _ => 0.0,
                };
                set(Feature::DriftSpread, spread);
                let kinds = [TermKind::Within, TermKind::OutputLength];
                set(Feature::DriftKind, self.part_of(&kinds));
                set(Feature::NothingSwitched, nothing_switched);
            }
            NullCause::UserMix => {
                let kinds = [
                    TermKind::InputLength,
                    TermKind::StepMix,
                    TermKind::Mix,
                    TermKind::CallsPerRun,
                ];
                set(Feature::MixShare, log_part(self.part_of(&kinds)));
                set(Feature::NothingSwitched, nothing_switched);
            }
            NullCause::Configuration => {
                set(Feature::UndeployedSwitch, undeployed);
                let kinds = [
                    TermKind::ModelSwitch,
                    TermKind::OutputLength,
                    TermKind::CallsPerRun,
                    TermKind::Cache,
                    TermKind::Mix,
                ];
                set(Feature::SettingShare, self.part_of(&kinds));
                set(Feature::SuddenAlone, alone);
            }
            NullCause::Unknown => set(Feature::SuddenAlone, alone),
        }
        features
    }

    /// ln of how much likelier the onset is around this rollout than anywhere.
    fn time(&self, candidate: &Candidate<'_>) -> f64 {
        /// Parts of a cause's effects that begin during the rollout, soon after, and within a day.
        const PARTS: [f64; 3] = [0.85, 0.10, 0.05];
        const EVEN: f64 = 28.0;
        let slack = if candidate.is_observed {
            2 * MINUTE
        } else {
            8 * MINUTE
        };
        let begin = candidate.from.micros() - slack;
        let ramp = candidate.to.micros() + 15 * MINUTE;
        let within = (ramp - begin).max(MINUTE) as f64 / HOUR as f64;
        let mut density = 0.0;
        for part in &self.onset.parts {
            // In pieces of minutes, because a rollout is shorter than an hour.
            let pieces = 12;
            let length = (part.to.micros() - part.from.micros()).max(1);
            for piece in 0..pieces {
                let at = part.from.micros() + length * (2 * piece + 1) / (2 * pieces);
                let since = (at - ramp) as f64 / HOUR as f64;
                let here = if at < begin {
                    0.0
                } else if at <= ramp {
                    PARTS[0] / within
                } else if since <= 24.0 {
                    PARTS[1] * (-since / 3.0).exp() / 3.0 + PARTS[2] / 24.0
                } else {
                    0.0
                };
                density += part.probability * here / pieces as f64;
            }
        }
        (density * EVEN).max(1e-9).ln().clamp(-LIMIT, LIMIT)
    }

    /// Whether a switch carries a kind of change.
    fn carries(switch: &Switch, term: &Term<f64>) -> bool {
        let same_step = term.step.as_ref().is_none_or(|step| *step == switch.step);
        let kind = match term.kind {
            TermKind::ModelSwitch => switch.what == Novelty::Model,
            TermKind::Price | TermKind::Volume => false,
            TermKind::StepMix | TermKind::CallsPerRun => {
                switch.what == Novelty::Step || switch.what == Novelty::Template
            }
            TermKind::Mix => switch.what != Novelty::Template,
            _ => true,
        };
        same_step && kind
    }

    /// The part of the change on what was switched, each switch counting as `weigh` says; the best of a step counts.
    fn switched_part(&self, weigh: impl Fn(&Switch) -> f64) -> f64 {
        let carried = |term: &Term<f64>| {
            let own = self.switches.iter().filter(|switch| Self::carries(switch, term));
            own.map(&weigh).fold(0.0, f64::max)
        };
        let sum: f64 = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0)
            .map(|term| term.amount * carried(term))
            .sum();
        sum / self.positive()
    }

    /// The part of the change on what was switched during its rollout, shared with others that fit as well.
    fn mechanism(&self, candidate: &Candidate<'_>, all: &[Candidate<'_>]) -> f64 {
        self.switched_part(|switch| {
            let own = candidate.closeness(switch.from, switch.to);
            let sum: f64 = all
                .iter()
                .map(|other| other.closeness(switch.from, switch.to))
                .sum();
            if sum > 0.0 { own * own / sum } else { 0.0 }
        })
    }

    fn first_seen(&self, candidate: &Candidate<'_>) -> f64 {
        let inside = self.switched_part(|switch| candidate.closeness(switch.from, switch.to));
        inside - self.switched_part(|_| 1.0)
    }

    fn blast_radius(&self, candidate: &Candidate<'_>) -> f64 {
        let changed = self.changed_steps();
        let mut touched: BTreeSet<(&str, &str)> = BTreeSet::new();
        for switch in self.switches.iter().chain(&self.elsewhere) {
            if candidate.covers(switch.from, switch.to) {
                touched.insert((&switch.key, &switch.step));
            }
        }
        if touched.is_empty() {
            return 0.0;
        }
        let hit = touched
            .iter()
            .filter(|(key, step)| *key == self.scope.key && changed.contains_key(step))
            .count();
        hit as f64 / touched.len() as f64 - 0.5
    }

    /// Whether the change ended when a later deploy took this one back.
    fn was_taken_back(&self, candidate: &Candidate<'_>) -> bool {
        let (Some(ended), Some(deploy)) = (self.ended, candidate.deploy) else {
            return false;
        };
        let deploys = self.grid.window.deploys.iter();
        let mut undone = deploys.filter(|later| {
            later.started_at > deploy.started_at
                && (later.done_at().micros() - ended.micros()).abs() <= 2 * HOUR
                && takes_back(later, deploy, &self.grid.window.deploys)
        });
        undone.next().is_some()
    }

    fn went_elsewhere(&self, candidate: &Candidate<'_>) -> bool {
        let Some(environment) = candidate.deploy.and_then(|deploy| deploy.environment.as_deref()) else {
            return false;
        };
        let mut own = self
            .after
            .cells
            .keys()
            .filter_map(|name| name.environment.as_deref())
            .peekable();
        own.peek().is_some() && own.all(|own| !own.eq_ignore_ascii_case(environment))
    }

    fn hint(&self, deploy: Option<&Shipped>) -> f64 {
        let Some(deploy) = deploy else { return 0.0 };
        let text = format!("{} {}", deploy.title, deploy.files.join(" ")).to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let main = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0)
            .max_by(|a, b| a.amount.total_cmp(&b.amount));
        let expected: &[&str] = match main.map(|term| term.kind) {
            Some(TermKind::ModelSwitch) => &[
                "model", "sonnet", "haiku", "opus", "gpt", "gemini", "claude", "llama", "mistral",
            ],
            Some(TermKind::InputLength) => &[
                "prompt", "context", "template", "rag", "few-shot", "examples", "history",
            ],
            Some(TermKind::OutputLength | TermKind::Tokens) => &[
                "prompt",
                "max_tokens",
                "verbose",
                "format",
                "output",
                "explain",
                "reason",
            ],
            Some(TermKind::CallsPerRun | TermKind::StepMix) => &[
                "retry", "retries", "loop", "agent", "step", "judge", "verify", "attempt",
            ],
            Some(TermKind::Cache) => &["cache", "prompt"],
            Some(TermKind::Within | TermKind::Speed | TermKind::FirstToken | TermKind::Mix) => &[
                "timeout", "parallel", "serial", "stream", "async", "schema", "parse", "json", "format",
                "prompt", "model", "validat",
            ],
            _ => &[],
        };
        let touches_steps = self
            .changed_steps()
            .keys()
            .any(|step| !step.is_empty() && text.contains(&step.to_lowercase()));
        let harmless = says(&[
            "readme",
            "docs",
            "typo",
            "lint",
            "changelog",
            "wording",
            "css",
            "ci:",
            "test",
        ]);
        f64::from(u8::from(says(expected))) + f64::from(u8::from(touches_steps)) * 0.5
            - f64::from(u8::from(harmless)) * 0.5
    }
}

/// A part of 0 to 1 as log odds, so that nearly all is much more than half.
fn log_part(part: f64) -> f64 {
    const EDGE: f64 = 0.03;
    ((part.clamp(0.0, 1.0) + EDGE) / (1.0 - part.clamp(0.0, 1.0) + EDGE)).ln()
}

/// Whether a deploy takes another one back: it says so and names it, or follows it, or brings back a sha from before.
fn takes_back(later: &Shipped, deploy: &Shipped, all: &[Shipped]) -> bool {
    let title = later.title.to_lowercase();
    let says_so = ["revert", "rollback", "roll back"]
        .iter()
        .any(|word| title.contains(word));
    let names = (!deploy.title.is_empty() && title.contains(&deploy.title.to_lowercase()))
        || deploy
            .pr_number
            .is_some_and(|number| title.contains(&format!("#{number}")))
        || deploy.sha.get(..7).is_some_and(|sha| title.contains(sha));
    if says_so && names {
        return true;
    }
    let is_latest = all
        .iter()
        .filter(|other| other.started_at < later.started_at)
        .max_by_key(|other| other.started_at);
    let follows = is_latest.is_some_and(|latest| latest.id == deploy.id);
    let returns = all
        .iter()
        .any(|other| other.sha == later.sha && other.started_at < deploy.started_at);
    returns || (says_so && follows)
}
