//! What the engine said of a scenario, beside what happened in it.

use domain::Timestamp;
use engine::incidents::attribution::{Choice, Features, NAMED, NO_DEPLOY, NullCause, probabilities};
use engine::incidents::{Door, Incident, Metric, Settings, Status, Weights, judge, judge_closely};
use incident_generator::{Cause, Options, Scenario, Truth, quiet, scenario};

use crate::convert::{at, minutes, window};

const HOUR: i64 = 3_600_000_000;

/// One option of a choice, as it is compared with the truth.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Index of the deploy.
    Deploy(usize),
    /// A release without a record.
    Release(String),
    /// No deploy.
    Null(NullCause),
}

/// An incident that was found for what happened.
#[derive(Clone, Debug)]
pub struct Found {
    pub incident: Incident,
    /// All options with their features and probabilities.
    pub options: Vec<(Label, Features, f64)>,
    /// Candidates by the rubric: deploy and points.
    pub points: Vec<(usize, u8)>,
}

/// A scenario judged.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub seed: u64,
    pub truth: Truth,
    pub found: Option<Found>,
    /// Incidents that are parts of what was found.
    pub fragments: usize,
    /// Incidents that have nothing to do with what happened.
    pub false_incidents: usize,
    /// When deploys began and ended, as recorded, in minutes.
    pub deploys: Vec<(i64, i64)>,
    /// Whether calls said what they ran.
    pub is_tagged: bool,
}

impl Outcome {
    /// The options that are right.
    pub fn is_right(&self, label: &Label) -> bool {
        match (self.truth.cause, label) {
            (Cause::Deploy { index, .. }, Label::Deploy(of)) => {
                index == *of || self.truth.second == Some(*of)
            }
            (Cause::Null(null), Label::Null(cause)) => null.kinds().contains(&word(*cause)),
            // The only release without a record is the unrecorded deploy.
            (Cause::Null(incident_generator::Null::Unrecorded), Label::Release(_)) => true,
            _ => false,
        }
    }

    pub fn is_deploy(&self) -> bool {
        matches!(self.truth.cause, Cause::Deploy { .. })
    }
}

/// The product's word.
pub fn word(cause: NullCause) -> &'static str {
    match cause {
        NullCause::Traffic => "traffic",
        NullCause::Price => "price",
        NullCause::ProviderDrift => "provider_drift",
        NullCause::UserMix => "user_mix",
        NullCause::Configuration => "configuration",
        NullCause::Unknown => "unknown",
    }
}

/// Judges a scenario.
pub fn outcome(seed: u64, options: Options, weights: &Weights) -> Option<Outcome> {
    let made = scenario(seed, options);
    let truth = made.truth.clone()?;
    let incidents = judged(&made, weights);
    let (mut matching, others): (Vec<Incident>, Vec<Incident>) = incidents
        .into_iter()
        .partition(|incident| is_of(incident, &truth));
    matching.sort_by_key(|incident| (!is_near(incident, &truth), incident.opened_at, incident.metric));
    let fragments = matching.len();
    let found = matching
        .into_iter()
        .next()
        .map(|incident| describe(&made, incident));
    Some(Outcome {
        seed,
        found,
        fragments,
        false_incidents: others.len(),
        deploys: made
            .deploys
            .iter()
            .map(|deploy| (deploy.started, deploy.completed))
            .collect(),
        is_tagged: !made.releases.is_empty(),
        truth,
    })
}

/// As the product judges: once by hours, and where something was found again with the minutes that it asks for.
pub fn judged(made: &Scenario, weights: &Weights) -> Vec<Incident> {
    judge_closely(&window(made), &Settings::default(), weights, |wanted| {
        minutes(made, wanted)
    })
}

/// Whether its onset is within three hours of when the change came into force.
fn is_near(incident: &Incident, truth: &Truth) -> bool {
    incident.onset.from <= at(truth.half).plus_micros(3 * HOUR)
        && incident.onset.to >= at(truth.onset).plus_micros(-3 * HOUR)
}

/// Whether an incident is of what happened: on its keys, and begun when it began or while it came into force.
fn is_of(incident: &Incident, truth: &Truth) -> bool {
    let keys = incident
        .key
        .iter()
        .chain(incident.also_moved.iter().map(|moved| &moved.key));
    let on_keys = incident.key.is_none() || keys.into_iter().any(|key| truth.keys.contains(key));
    let begun = at(truth.onset).plus_micros(-6 * HOUR)..=at(truth.half).plus_micros(30 * HOUR);
    let goes_on = incident.last_at >= at(truth.onset) && incident.onset.at <= at(truth.half);
    // Traffic that the daily rule flagged on the same days is something else.
    let is_own = incident.door != Door::Daily || is_near(incident, truth);
    on_keys
        && is_own
        && (begun.contains(&incident.onset.at) || goes_on && incident.opened_at >= at(truth.onset))
}

fn describe(made: &Scenario, incident: Incident) -> Found {
    let index_of = |id: &str| made.deploys.iter().position(|deploy| deploy.sha == id);
    let mut options = Vec::new();
    let mut points = Vec::new();
    for attribution in &incident.attributions {
        let label = match (&attribution.deploy_id, &attribution.release) {
            (Some(id), _) => index_of(id).map(Label::Deploy),
            (None, release) => release.clone().map(Label::Release),
        };
        let Some(label) = label else { continue };
        if let (Label::Deploy(index), Some(own)) = (&label, &attribution.points) {
            points.push((*index, own.points));
        }
        options.push((label, attribution.features, attribution.probability));
    }
    for null in &incident.nulls {
        options.push((Label::Null(null.cause), null.features, null.probability));
    }
    Found {
        incident,
        options,
        points,
    }
}

impl Found {
    /// The likeliest option.
    pub fn top(&self) -> Option<&(Label, Features, f64)> {
        self.options.iter().max_by(|a, b| a.2.total_cmp(&b.2))
    }

    /// As the engine chooses between them.
    pub fn choice(&self) -> Choice {
        let mut choice = Choice::default();
        for (label, features, _) in &self.options {
            match label {
                Label::Null(cause) => choice.nulls[*cause as usize] = *features,
                _ => choice.deploys.push(*features),
            }
        }
        choice
    }

    /// The same with the probabilities that other weights give. Few calls cap nothing here.
    pub fn rescore(&mut self, weights: &Weights) {
        let (deploys, nulls) = probabilities(&self.choice(), weights);
        let mut deploys = deploys.into_iter();
        for (label, _, p) in &mut self.options {
            *p = match label {
                Label::Null(cause) => nulls[*cause as usize],
                _ => deploys.next().unwrap_or(0.0),
            };
        }
    }

    /// The likeliest deploy or release, where it is likely enough to be named.
    pub fn named(&self) -> Option<&Label> {
        let deploys = self
            .options
            .iter()
            .filter(|(label, ..)| !matches!(label, Label::Null(_)));
        let best = deploys.max_by(|a, b| a.2.total_cmp(&b.2))?;
        (best.2 >= NAMED).then_some(&best.0)
    }

    pub fn is_named(&self) -> bool {
        self.named().is_some()
    }

    pub fn says_no_deploy(&self) -> bool {
        match self.named() {
            Some(label) => matches!(label, Label::Release(_)),
            None => {
                let nulls = self
                    .options
                    .iter()
                    .filter(|(label, ..)| matches!(label, Label::Null(_)));
                nulls.map(|(_, _, p)| p).sum::<f64>() >= NO_DEPLOY
            }
        }
    }
}

/// An incident that comes of nothing.
#[derive(Clone, Copy, Debug)]
pub struct FalseIncident {
    pub metric: Metric,
    pub is_step: bool,
    pub door: Door,
}

/// What a quiet project's last two weeks were disturbed by.
#[derive(Clone, Debug)]
pub struct QuietOutcome {
    pub incidents: Vec<FalseIncident>,
    pub keys: usize,
    pub weeks: f64,
}

/// Judges a project in which nothing happens.
pub fn quiet_outcome(seed: u64, weights: &Weights) -> QuietOutcome {
    let made = quiet(seed);
    let window = window(&made);
    let from = window.now.plus_micros(-14 * 24 * HOUR);
    let incidents = judge(&window, &Settings::default(), weights);
    let counted = incidents.iter().filter(|incident| incident.opened_at >= from);
    QuietOutcome {
        incidents: counted
            .map(|incident| FalseIncident {
                metric: incident.metric,
                is_step: incident.step.is_some(),
                door: incident.door,
            })
            .collect(),
        keys: made.keys,
        weeks: 2.0,
    }
}

/// When an incident was noticed after it began, in hours.
pub fn delay_hours(found: &Found, truth: &Truth) -> f64 {
    (found.incident.opened_at.micros() - at(truth.onset).micros()) as f64 / HOUR as f64
}

/// How far the middle of the onset is from where the change came into force, in hours: 0 within its rollout.
pub fn onset_error_hours(found: &Found, truth: &Truth) -> f64 {
    let (from, to, said) = (at(truth.onset), at(truth.half), found.incident.onset.at);
    let away = if said < from {
        from.micros() - said.micros()
    } else if said > to {
        said.micros() - to.micros()
    } else {
        0
    };
    away as f64 / HOUR as f64
}

/// Whether the interval holds a moment of the rollout's first half.
pub fn covers(found: &Found, truth: &Truth) -> bool {
    let onset = &found.incident.onset;
    onset.from <= at(truth.half) && onset.to >= at(truth.onset)
}

/// Whether an incident still goes on.
pub fn is_open(incident: &Incident) -> bool {
    incident.status == Status::Open
}

/// For tests: the time of a minute.
pub fn time(minute: i64) -> Timestamp {
    at(minute)
}
