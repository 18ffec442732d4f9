//! What an incident says in words and figures: the same on pages, in the API and on the command line.

mod rubric;

use domain::series::MetricUnit;
use domain::{NanoUsd, Timestamp};

use super::attribution::{Attribution, NullCause, VerdictKind};
use super::decomposition::{Term, TermKind};
use super::incident::{Amount, Decomposition, Incident};
use super::metric::Metric;
use super::shift::Door;
use crate::series::text;
pub use rubric::{RubricRow, rubric_name, rubric_rows};

/// In what a metric's values are counted.
pub const fn unit(metric: Metric) -> MetricUnit {
    match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun => MetricUnit::NanoUsd,
        Metric::Calls => MetricUnit::Calls,
        Metric::LatencyP95 | Metric::TtftP95 => MetricUnit::Ms,
        Metric::ErrorRate | Metric::AnomalyRate | Metric::ShapeMix => MetricUnit::Share,
        Metric::OutputTokens => MetricUnit::Tokens,
    }
}

/// What pages call a metric, as part of a sentence.
pub const fn metric_words(metric: Metric) -> &'static str {
    match metric {
        Metric::Cost => "cost",
        Metric::Calls => "calls",
        Metric::CostPerCall => "cost per call",
        Metric::CostPerRun => "cost per run",
        Metric::LatencyP95 => "latency p95",
        Metric::TtftP95 => "first token p95",
        Metric::ErrorRate => "error rate",
        Metric::OutputTokens => "output tokens",
        Metric::AnomalyRate => "anomaly rate",
        Metric::ShapeMix => "output shapes",
    }
}

/// What a value is of: ` a day`, ` a call`, or nothing.
pub const fn per(metric: Metric) -> &'static str {
    match metric {
        Metric::Cost | Metric::Calls => " a day",
        Metric::CostPerCall | Metric::OutputTokens => " a call",
        Metric::CostPerRun => " a run",
        Metric::LatencyP95 | Metric::TtftP95 | Metric::ErrorRate | Metric::AnomalyRate | Metric::ShapeMix => {
            ""
        }
    }
}

/// `$4.26`, `2.31 s`, `6.90 %`.
pub fn value(metric: Metric, amount: Amount) -> String {
    text(amount.as_f64(), unit(metric))
}

/// A difference with its sign: `+$13.14`, `−0.8 pt`.
pub fn difference(metric: Metric, amount: f64) -> String {
    signed(amount, unit(metric))
}

fn signed(amount: f64, unit: MetricUnit) -> String {
    let sign = if amount < 0.0 { "−" } else { "+" };
    let magnitude = match unit {
        MetricUnit::Share => format!("{:.1} pt", amount.abs() * 100.0),
        unit => text(amount.abs(), unit),
    };
    format!("{sign}{magnitude}")
}

/// A line of a decomposition, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it stands for.
    pub kind: TermKind,
    /// The step it is in.
    pub step: Option<String>,
    /// The model it is in.
    pub model: Option<String>,
    /// How much, in the metric's unit; of money whole nano-dollars.
    pub amount: Amount,
    /// In words.
    pub sentence: String,
}

/// The lines whose amounts sum to the change, the largest first. Of latency those of the p95.
pub fn lines(decomposition: &Decomposition) -> Vec<Line> {
    match decomposition {
        Decomposition::NanoUsd(terms) => terms
            .iter()
            .map(|term| line(term, Amount::Whole(term.amount.0), MetricUnit::NanoUsd))
            .collect(),
        Decomposition::Ms { p95, .. } => real(p95, MetricUnit::Ms),
        Decomposition::Share(terms) => real(terms, MetricUnit::Share),
        Decomposition::Tokens(terms) => real(terms, MetricUnit::Tokens),
        Decomposition::None => Vec::new(),
    }
}

/// The lines that sum to the change of the mean latency; none of another metric.
pub fn lines_of_mean(decomposition: &Decomposition) -> Vec<Line> {
    match decomposition {
        Decomposition::Ms { mean, .. } => real(mean, MetricUnit::Ms),
        _ => Vec::new(),
    }
}

fn real(terms: &[Term<f64>], unit: MetricUnit) -> Vec<Line> {
    terms
        .iter()
        .map(|term| line(term, Amount::Real(term.amount), unit))
        .collect()
}

fn line<T>(term: &Term<T>, amount: Amount, unit: MetricUnit) -> Line {
    let place = match (&term.step, &term.model) {
        (Some(step), Some(model)) if !step.is_empty() => format!(" in {step} on {model}"),
        (_, Some(model)) => format!(" on {model}"),
        (Some(step), None) if !step.is_empty() => format!(" in {step}"),
        _ => String::new(),
    };
    let more = amount.as_f64() >= 0.0;
    Line {
        kind: term.kind,
        step: term.step.clone(),
        model: term.model.clone(),
        amount,
        sentence: format!(
            "{}: {}{place}",
            signed(amount.as_f64(), unit),
            because(term.kind, more)
        ),
    }
}

/// All lines of one kind together, with the largest of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it stands for.
    pub kind: TermKind,
    /// Their sum.
    pub amount: f64,
    /// The one with the largest amount.
    pub largest: Line,
}

impl Part {
    /// `more calls are answered by a dearer model, most in summarize on claude-sonnet-4-6`.
    pub fn because(&self) -> String {
        let said = because(self.kind, self.amount >= 0.0);
        let place = match (&self.largest.step, &self.largest.model) {
            (Some(step), Some(model)) if !step.is_empty() => format!(", most in {step} on {model}"),
            (_, Some(model)) => format!(", most on {model}"),
            (Some(step), None) if !step.is_empty() => format!(", most in {step}"),
            _ => String::new(),
        };
        format!("{said}{place}")
    }
}

/// A decomposition by kind, the largest first.
pub fn parts(decomposition: &Decomposition) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in lines(decomposition) {
        let amount = line.amount.as_f64();
        match parts.iter_mut().find(|part| part.kind == line.kind) {
            Some(part) => {
                part.amount += amount;
                if amount.abs() > part.largest.amount.as_f64().abs() {
                    part.largest = line;
                }
            }
            None => parts.push(Part {
                kind: line.kind,
                amount,
                largest: line,
            }),
        }
    }
    parts.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()));
    parts
}

/// What a part of a change is called.
pub const fn term_words(kind: TermKind) -> &'static str {
    match kind {
        TermKind::Volume => "Volume",
        TermKind::CallsPerRun => "Calls per run",
        TermKind::StepMix => "Step mix",
        TermKind::ModelSwitch => "Model switch",
        TermKind::InputLength => "Input length",
        TermKind::OutputLength => "Output length",
        TermKind::Cache => "Cache",
        TermKind::Price => "Price",
        TermKind::Fees => "Fees",
        TermKind::NewSeries => "New",
        TermKind::GoneSeries => "Gone",
        TermKind::Mix => "Mix",
        TermKind::Within => "Within",
        TermKind::Tokens => "Tokens",
        TermKind::Speed => "Speed",
        TermKind::FirstToken => "First token",
    }
}

/// The word of the API.
pub const fn term_name(kind: TermKind) -> &'static str {
    match kind {
        TermKind::Volume => "volume",
        TermKind::CallsPerRun => "calls_per_run",
        TermKind::StepMix => "step_mix",
        TermKind::ModelSwitch => "model_switch",
        TermKind::InputLength => "input_length",
        TermKind::OutputLength => "output_length",
        TermKind::Cache => "cache",
        TermKind::Price => "price",
        TermKind::Fees => "fees",
        TermKind::NewSeries => "new_series",
        TermKind::GoneSeries => "gone_series",
        TermKind::Mix => "mix",
        TermKind::Within => "within",
        TermKind::Tokens => "tokens",
        TermKind::Speed => "speed",
        TermKind::FirstToken => "first_token",
    }
}

/// What happened, given whether the part became more.
pub const fn because(kind: TermKind, more: bool) -> &'static str {
    match (kind, more) {
        (TermKind::Volume, true) => "more runs",
        (TermKind::Volume, false) => "fewer runs",
        (TermKind::CallsPerRun, true) => "more calls per run",
        (TermKind::CallsPerRun, false) => "fewer calls per run",
        (TermKind::StepMix, true) => "dearer steps are called more often",
        (TermKind::StepMix, false) => "dearer steps are called less often",
        (TermKind::ModelSwitch, true) => "more calls are answered by a dearer model",
        (TermKind::ModelSwitch, false) => "more calls are answered by a cheaper model",
        (TermKind::InputLength, true) => "prompts are longer",
        (TermKind::InputLength, false) => "prompts are shorter",
        (TermKind::OutputLength, true) => "answers are longer",
        (TermKind::OutputLength, false) => "answers are shorter",
        (TermKind::Cache, true) => "less of the input comes from a cache",
        (TermKind::Cache, false) => "more of the input comes from a cache",
        (TermKind::Price, true) => "tokens cost more",
        (TermKind::Price, false) => "tokens cost less",
        (TermKind::Fees, true) => "what is billed beside tokens rose",
        (TermKind::Fees, false) => "what is billed beside tokens fell",
        (TermKind::NewSeries, _) => "there were no calls before",
        (TermKind::GoneSeries, _) => "there are no calls any more",
        (TermKind::Mix, _) => "other steps or models have more of the calls",
        (TermKind::Within, true) => "the same steps and models became worse",
        (TermKind::Within, false) => "the same steps and models became better",
        (TermKind::Tokens, true) => "answers are longer",
        (TermKind::Tokens, false) => "answers are shorter",
        (TermKind::Speed, true) => "each token takes longer",
        (TermKind::Speed, false) => "each token comes faster",
        (TermKind::FirstToken, true) => "the first token comes later",
        (TermKind::FirstToken, false) => "the first token comes earlier",
    }
}

/// A cause that is no deploy, in a word or two.
pub const fn null_label(cause: NullCause) -> &'static str {
    match cause {
        NullCause::Traffic => "Traffic",
        NullCause::Price => "Price",
        NullCause::ProviderDrift => "Provider drift",
        NullCause::UserMix => "User mix",
        NullCause::Configuration => "Configuration",
        NullCause::Unknown => "Something else",
    }
}

/// What opened an incident.
pub const fn door_words(door: Door) -> &'static str {
    match door {
        Door::Evidence => "the evidence of several hours",
        Door::Deploy => "the evidence since a deploy",
        Door::ExtremeHour => "one extreme hour",
        Door::Daily => "the daily rule",
    }
}

/// What a candidate is called: `PR 2`, the beginning of its sha, or its release.
pub fn candidate_name(candidate: &Attribution) -> String {
    match (candidate.pr_number, candidate.sha.get(..7), &candidate.release) {
        (Some(number), _, _) => format!("PR {number}"),
        (None, Some(sha), _) => sha.to_owned(),
        (None, None, Some(release)) => format!("release {release}"),
        (None, None, None) => candidate.title.clone(),
    }
}

/// The candidate that the verdict names.
pub fn named(incident: &Incident) -> Option<&Attribution> {
    let verdict = &incident.verdict;
    if !matches!(verdict.kind, VerdictKind::Deploy | VerdictKind::Probably) {
        return None;
    }
    incident
        .attributions
        .iter()
        .find(|candidate| candidate.deploy_id == verdict.deploy_id && candidate.release == verdict.release)
}

/// What an incident is about: `prod-frontend, cost`, `summarize in prod-frontend, latency p95`, `all keys, error rate`.
pub fn name(incident: &Incident) -> String {
    let key = incident.key.as_deref().unwrap_or("all keys");
    let metric = metric_words(incident.metric);
    match &incident.step {
        Some(step) => format!("{step} in {key}, {metric}"),
        None => format!("{key}, {metric}"),
    }
}

/// The verdict with what it is about: `PR 2 “…” raised the cost of prod-frontend from $4.26 to $17.40 a day`.
pub fn headline(incident: &Incident) -> String {
    let sentence = incident.verdict.sentence.trim_end();
    let (first, rest) = sentence
        .split_once(". ")
        .unwrap_or((sentence.trim_end_matches('.'), ""));
    let figures = incident.day().map_or_else(String::new, |day| {
        let from = value(incident.metric, day.baseline);
        let to = value(incident.metric, day.actual);
        format!(", {from} → {to}{}", per(incident.metric))
    });
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!(" {rest}")
    };
    format!("{first}{figures}.{rest}")
}

/// What was paid above the first day's baseline over all days that are known, for metrics that add up: the baselines of
/// later days already have the incident in them.
pub fn above_baseline(incident: &Incident) -> Option<NanoUsd> {
    if incident.metric != Metric::Cost {
        return None;
    }
    let first = incident.day()?.baseline;
    let sum: f64 = incident
        .days
        .iter()
        .map(|day| day.actual.minus(first).as_f64())
        .sum();
    Some(NanoUsd(sum as i64))
}

/// How long it lasted, from days on without minutes: `8 d 19 h`.
pub fn lasted(ms: f64) -> String {
    const HOUR_MS: f64 = 3_600_000.0;
    let hours = (ms / HOUR_MS).round().max(0.0) as u64;
    if hours < 48 {
        domain::text::duration(ms.max(0.0))
    } else {
        format!("{} d {} h", hours / 24, hours % 24)
    }
}

/// `14:05`, UTC.
pub fn clock(at: Timestamp) -> String {
    let minutes = at.micros().div_euclid(60_000_000).rem_euclid(1_440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_not_hours() {
        let check = |hours: f64, expected: &str| assert_eq!(lasted(hours * 3_600_000.0), expected);
        check(211.75, "8 d 20 h");
        check(48.0, "2 d 0 h");
        check(-1.0, &domain::text::duration(0.0));
    }

    #[test]
    fn a_term_says_how_much_what_and_where() {
        let term = |kind, amount: i64| Term {
            kind,
            step: Some("summarize".to_owned()),
            model: Some("claude-sonnet-4-6".to_owned()),
            amount: NanoUsd(amount),
        };
        let check = |kind, amount, expected: &str| {
            let lines = lines(&Decomposition::NanoUsd(vec![term(kind, amount)]));
            assert_eq!(lines[0].sentence, expected);
            assert_eq!(lines[0].amount, Amount::Whole(amount));
        };
        check(
            TermKind::ModelSwitch,
            9_570_000_000,
            "+$9.57: more calls are answered by a dearer model in summarize on claude-sonnet-4-6",
        );
        check(
            TermKind::OutputLength,
            -170_000_000,
            "−$0.1700: answers are shorter in summarize on claude-sonnet-4-6",
        );
    }
}
