//! What is known of each cause that an incident may have, as numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decomposition::{Term, TermKind};
use super::super::window::{Novelty, Shipped};
use super::NullCause;
use super::case::Case;
use super::contrast::{Contrast, contrast};
use super::responsible::Responsible;
use super::rollout::Candidate;
use super::switches::Switch;
use super::weights::{COUNT, Feature, Features};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// A log likelihood ratio is held within this.
const LIMIT: f64 = 5.0;
/// How often a deploy that made a change also switched something elsewhere, against one that did not make it.
const ALSO: f64 = 0.15;

impl Case<'_> {
    /// What is known of a deploy.
    pub(super) fn of_deploy(
        &self,
        candidate: &Candidate<'_>,
        index: usize,
        shared: &Responsible,
    ) -> (Features, Option<Contrast>) {
        let mut features = [0.0; COUNT];
        let mut set = |feature: Feature, value: f64| features[feature as usize] = value;
        set(Feature::Time, self.time(candidate));
        let is_per_call = self.part_of(&[TermKind::CallsPerRun, TermKind::Volume]) < 0.5;
        let found = if is_per_call {
            let steps = self.carrying_steps();
            let effect = self.effect_on(&steps);
            contrast(self.grid, &self.scope, &steps, self.metric, effect, candidate)
        } else {
            None
        };
        set(
            Feature::ReleaseContrast,
            found.map_or(0.0, |found| found.log_ratio.clamp(-LIMIT, LIMIT)),
        );
        set(Feature::Mechanism, self.mechanism(index, shared));
        set(Feature::FirstSeen, self.first_seen(candidate));
        set(Feature::BlastRadius, self.blast_radius(index, shared));
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
        let nothing_switched = self.nothing_switched();
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
                let dated = if self.prices_changed { 1.0 } else { 0.2 };
                set(
                    Feature::PriceShare,
                    log_part(self.part_of(&[TermKind::Price]) * dated),
                );
                set(Feature::Time, self.time_of_prices());
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
                let kinds = [TermKind::InputLength, TermKind::StepMix, TermKind::Mix];
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
        self.time_at(|at| candidate.begins_at(at))
    }

    /// The same of new prices, which come into force at a moment that is known; 0 without any.
    fn time_of_prices(&self) -> f64 {
        /// Clocks of callers differ by as much.
        const CLOSE: f64 = 3.0;
        let times = self.price_times();
        if times.is_empty() {
            return 0.0;
        }
        let close = |at: i64| {
            let near = times.iter().map(|time| {
                let away = (at - time.micros()).abs() as f64 / MINUTE as f64;
                (-away / CLOSE).exp() / (2.0 * CLOSE)
            });
            near.fold(0.0, f64::max)
        };
        self.time_at(close)
    }

    fn time_at(&self, begins_at: impl Fn(i64) -> f64) -> f64 {
        /// A minute among those of the hours in which candidates lie.
        const EVEN: f64 = 1.0 / (28.0 * 60.0);
        /// Pieces of a part are at most so long, because a rollout is shorter than an hour.
        const PIECE: i64 = 3 * MINUTE;
        let mut density = 0.0;
        for part in self.onset.parts.iter().filter(|part| part.probability > 1e-7) {
            let length = (part.to.micros() - part.from.micros()).max(1);
            let pieces = (length / PIECE).clamp(1, 100);
            for piece in 0..pieces {
                let at = part.from.micros() + length * (2 * piece + 1) / (2 * pieces);
                density += part.probability * begins_at(at) / pieces as f64;
            }
        }
        (density / EVEN).max(1e-9).ln().clamp(-LIMIT, LIMIT)
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

    /// The part of the change that one switch alone would carry.
    pub(super) fn part_on(&self, switch: &Switch) -> f64 {
        let carried = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0 && Self::carries(switch, term));
        carried.map(|term| term.amount).sum::<f64>() / self.positive()
    }

    /// The part of the change, but for more runs, on what was switched, each switch counting as `weigh` says; the best of
    /// a step counts.
    fn switched_part(&self, weigh: impl Fn(&Switch) -> f64) -> f64 {
        self.carried_part(|at| self.switches.get(at).map(&weigh))
    }

    /// The same by the index of a switch.
    fn carried_part(&self, weigh: impl Fn(usize) -> Option<f64>) -> f64 {
        let carried = |term: &Term<f64>| {
            let own = self.switches.iter().enumerate();
            own.filter(|(_, switch)| Self::carries(switch, term))
                .filter_map(|(at, _)| weigh(at))
                .fold(0.0, f64::max)
        };
        let sum: f64 = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0)
            .map(|term| term.amount * carried(term))
            .sum();
        sum / self.switchable()
    }

    /// What became more but for more runs, which no switch brings; at least a part of all, so that chance in what is left
    /// beside a rise of traffic is nobody's doing.
    fn switchable(&self) -> f64 {
        const LEAST: f64 = 0.15;
        let volume = self.part_of(&[TermKind::Volume]);
        self.positive() * (1.0 - volume).max(LEAST)
    }

    /// The part of the change on what was switched by it, as far as its rollout says so better than others do.
    fn mechanism(&self, index: usize, shared: &Responsible) -> f64 {
        self.carried_part(|switch| shared.own.get(switch)?.get(index).copied())
    }

    /// How much likelier it is that nothing is switched where the change is if no deploy did it: a deploy that makes
    /// prompts longer edits them, one that makes calls slower need not.
    fn nothing_switched(&self) -> f64 {
        let traceless = |kind: TermKind| -> f64 {
            match kind {
                TermKind::Volume | TermKind::Price | TermKind::InputLength | TermKind::ModelSwitch => 0.05,
                TermKind::StepMix | TermKind::NewSeries | TermKind::GoneSeries | TermKind::Mix => 0.15,
                TermKind::OutputLength | TermKind::Cache | TermKind::Fees => 0.3,
                TermKind::Tokens => 0.4,
                TermKind::CallsPerRun => 0.6,
                TermKind::Within | TermKind::Speed | TermKind::FirstToken => 0.8,
            }
        };
        let sum: f64 = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0)
            .map(|term| {
                let is_switched = self.switches.iter().any(|switch| Self::carries(switch, term));
                let ratio = -traceless(term.kind).ln();
                term.amount * if is_switched { 0.0 } else { ratio }
            })
            .sum();
        sum / self.positive()
    }

    fn first_seen(&self, candidate: &Candidate<'_>) -> f64 {
        let inside = self.switched_part(|switch| candidate.closeness(switch.from, switch.to));
        inside - self.switched_part(|_| 1.0)
    }

    /// ln of how much less likely it is that what was switched beside the change was switched, if this deploy made the
    /// change: whoever did one thing seldom did another that somebody else can have done.
    fn blast_radius(&self, index: usize, shared: &Responsible) -> f64 {
        let changed = self.changed_steps();
        let beside = shared.own.iter().zip(&self.switches);
        let beside = beside.filter(|(_, switch)| !changed.contains_key(switch.step.as_str()));
        let places = beside.chain(shared.elsewhere.iter().zip(&self.elsewhere));
        let mut least: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for (parts, switch) in places {
            let part = parts.get(index).copied().unwrap_or(0.0);
            let log = (1.0 - (1.0 - ALSO) * part).ln();
            // A template and a model that are switched on one step are one thing that somebody did.
            let place = least.entry((&switch.key, &switch.step)).or_insert(0.0);
            *place = place.min(log);
        }
        least.values().sum::<f64>().clamp(-LIMIT, 0.0)
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
        // Nobody's title says that there will be more runs.
        let main = self
            .terms
            .iter()
            .filter(|term| term.amount > 0.0 && term.kind != TermKind::Volume)
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
        let changed = self.changed_steps();
        let names = |step: &str| !step.is_empty() && text.contains(&step.to_lowercase());
        let is_changed = |step: &str| changed.contains_key(step);
        let all: BTreeSet<&str> = self
            .grid
            .window
            .series
            .iter()
            .map(|name| name.step.as_str())
            .collect();
        let names_what_changed = all.iter().any(|step| is_changed(step) && names(step));
        // A step that is named after another is meant as well.
        let is_near = |step: &str| {
            changed
                .keys()
                .any(|near| near.contains(step) || step.contains(near))
        };
        let names_something_else = all.iter().any(|step| !is_near(step) && names(step));
        let names_what_changed = names_what_changed || all.iter().any(|step| is_near(step) && names(step));
        let place = match (names_what_changed, names_something_else) {
            (true, _) => 1.0,
            (false, true) => -1.0,
            (false, false) => 0.0,
        };
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
        let kind = if says(expected) { 0.5 } else { 0.0 };
        place + kind * (1.0 + place) / 2.0 - if harmless { 0.5 } else { 0.0 }
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
