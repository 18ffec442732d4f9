//! What the pages of detectors read.

use std::collections::BTreeMap;

use domain::detector::{Definition, Detector, Evidence, Finding, FoundIn, StepTexts};
use domain::{ProjectId, Role, Timestamp};
use storage::Snapshot;
use storage::detectors::{DetectorDay, DetectorVersion};
use storage::findings::{FindingFilter, Marked};
use uuid::Uuid;

use super::trial::try_detector;
use super::{
    DAYS, DetectorView, DetectorsView, FindingView, FindingsView, FindingsWish, ListedDetector,
    ListedVersion, OtherJudgement, ShownQuote, Sums, TRIED_RUNS, TrialFinding, TrialView,
};
use crate::context::{authorise, database, use_page_request};
use crate::error::ApiError;

const DAY_MICROS: i64 = 86_400_000_000;
/// Findings that the list shows, and the page of a detector.
const LATEST: u32 = 20;
const LATEST_OF_ONE: u32 = 50;
/// Findings of a page of the list of all.
const OF_PAGE: u32 = 50;
/// Other findings of the same detector beside one.
const ALIKE: u32 = 6;
/// Most findings of a run.
const OF_RUN: u32 = 50;
/// What is shown before and after a quote, in bytes.
const AROUND_BYTES: usize = 240;
/// Of each text in which quotes are shown, in characters.
const MAX_TEXT_CHARS: i32 = 1_000_000;

pub(super) async fn list(slug: &str) -> Result<DetectorsView, ApiError> {
    let project = authorise(slug, Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let now = use_page_request().now;
    let week = Week::read(&mut snapshot, project, None, now).await?;
    let detectors = storage::detectors::list(&mut snapshot, project).await?;
    let findings = storage::findings::list(&mut snapshot, project, &FindingFilter::default(), LATEST).await?;
    Ok(DetectorsView {
        now,
        detectors: detectors
            .into_iter()
            .map(|mut detector| {
                // Their own pages have these.
                detector.definition.prompt.clear();
                detector.definition.schema = None;
                week.listed(detector)
            })
            .collect(),
        findings: without_data(findings),
    })
}

/// Findings as lists show them: what a model wrote beside the sentence, and its quotes, are on their own pages.
fn without_data(mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.data = serde_json::Value::Null;
        finding.evidence.clear();
    }
    findings
}

pub(super) async fn detector(slug: &str, id: &str, try_it: bool) -> Result<DetectorView, ApiError> {
    let project = authorise(slug, Role::Viewer)?.id;
    let id: Uuid = id.parse().map_err(|_no_id| ApiError::NotFound)?;
    let mut snapshot = database()?.snapshot(project).await?;
    let now = use_page_request().now;
    let week = Week::read(&mut snapshot, project, Some(id), now).await?;
    let detector = storage::detectors::get(&mut snapshot, project, id).await?;
    let versions = storage::detectors::versions(&mut snapshot, project, id).await?;
    let filter = FindingFilter {
        detector: Some(id),
        ..FindingFilter::default()
    };
    let findings = storage::findings::list(&mut snapshot, project, &filter, LATEST_OF_ONE).await?;
    let trial = if try_it {
        let is_rule = detector.definition.template.is_rule();
        let trial = try_detector(snapshot, project, &detector, TRIED_RUNS).await?;
        let found = trial.found.into_iter().map(|(run_id, found)| TrialFinding {
            run_id,
            summary: found.summary,
        });
        Some(TrialView {
            runs: trial.runs,
            matching: trial.matching,
            sampled: u32::try_from(trial.sampled.len()).unwrap_or(u32::MAX),
            found: is_rule.then(|| found.collect()),
        })
    } else {
        None
    };
    Ok(DetectorView {
        now,
        versions: versions
            .iter()
            .enumerate()
            .map(|(nth, version)| ListedVersion {
                version: version.version,
                since: version.since,
                sums: week.of_version(id, version.version),
                changed: changed(version, versions.get(nth + 1)),
            })
            .collect(),
        listed: week.listed(detector),
        findings: without_data(findings),
        trial,
    })
}

pub(super) async fn findings(slug: &str, wish: FindingsWish) -> Result<FindingsView, ApiError> {
    let project = authorise(slug, Role::Viewer)?.id;
    let id = |text: Option<String>| {
        let parsed = text.map(|text| text.parse::<Uuid>());
        parsed.transpose().map_err(|_no_id| ApiError::NotFound)
    };
    let now = use_page_request().now;
    let filter = FindingFilter {
        detector: id(wish.detector)?,
        run_id: None,
        mark: wish.mark,
        from: wish
            .days
            .map(|days| now.plus_micros(-DAY_MICROS * i64::from(days))),
        before: id(wish.cursor)?,
    };
    let mut snapshot = database()?.snapshot(project).await?;
    let detectors = storage::detectors::list(&mut snapshot, project).await?;
    // One more says whether there is a next page.
    let mut findings = storage::findings::list(&mut snapshot, project, &filter, OF_PAGE + 1).await?;
    let has_more = findings.len() > OF_PAGE as usize;
    findings.truncate(OF_PAGE as usize);
    Ok(FindingsView {
        next_cursor: findings
            .last()
            .filter(|_| has_more)
            .map(|finding| finding.id.to_string()),
        findings,
        detectors: detectors
            .into_iter()
            .map(|detector| (detector.id.to_string(), detector.name))
            .collect(),
    })
}

pub(super) async fn finding(slug: &str, id: &str) -> Result<FindingView, ApiError> {
    let project = authorise(slug, Role::Viewer)?.id;
    let id: Uuid = id.parse().map_err(|_no_id| ApiError::NotFound)?;
    let mut snapshot = database()?.snapshot(project).await?;
    let now = use_page_request().now;
    let finding = storage::findings::get(&mut snapshot, project, id).await?;
    let week = Week::read(&mut snapshot, project, Some(finding.detector_id), now).await?;
    let mut step_ids: Vec<String> = finding
        .evidence
        .iter()
        .filter(|evidence| evidence.quote.is_some())
        .map(|evidence| evidence.step_id.clone())
        .collect();
    step_ids.sort_unstable();
    step_ids.dedup();
    let run_id = finding.run_id.as_str();
    let texts = storage::detectors::texts(&mut snapshot, project, run_id, &step_ids, MAX_TEXT_CHARS).await?;
    let detectors = storage::detectors::list(&mut snapshot, project).await?;
    let judgements = storage::detectors::of_run(&mut snapshot, project, run_id).await?;
    let others = detectors
        .iter()
        .filter(|detector| detector.id != finding.detector_id)
        .filter_map(|detector| {
            let judgement = judgements
                .iter()
                .find(|judgement| judgement.detector_id == detector.id)?;
            Some(OtherJudgement {
                detector_id: detector.id.to_string(),
                detector: detector.name.clone(),
                state: judgement.state,
                reason: judgement.reason.clone(),
            })
        })
        .collect();
    let filter = FindingFilter {
        detector: Some(finding.detector_id),
        ..FindingFilter::default()
    };
    let mut alike = storage::findings::list(&mut snapshot, project, &filter, ALIKE).await?;
    alike.retain(|other| other.id != finding.id);
    Ok(FindingView {
        quotes: finding
            .evidence
            .iter()
            .map(|evidence| shown(evidence, &texts))
            .collect(),
        week: week.of_detector(finding.detector_id, false),
        others,
        alike: without_data(alike),
        finding,
    })
}

pub(super) async fn of_run(slug: &str, run_id: String) -> Result<Vec<Finding>, ApiError> {
    let project = authorise(slug, Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let filter = FindingFilter {
        run_id: Some(run_id),
        ..FindingFilter::default()
    };
    let found = storage::findings::list(&mut snapshot, project, &filter, OF_RUN).await?;
    Ok(without_data(found))
}

/// What happened in seven days.
struct Week {
    days: Vec<DetectorDay>,
    marked: BTreeMap<(Uuid, i32), Marked>,
    today: Timestamp,
}

impl Week {
    async fn read(
        snapshot: &mut Snapshot,
        project: ProjectId,
        detector: Option<Uuid>,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let today = now.day();
        let from = today.plus_micros(-DAY_MICROS * (DAYS - 1));
        Ok(Self {
            days: storage::detectors::days(snapshot, project, detector, from).await?,
            marked: storage::findings::marked(snapshot, project, from).await?,
            today,
        })
    }

    fn listed(&self, detector: Detector) -> ListedDetector {
        let id = detector.id;
        let by_day = |of: fn(&DetectorDay) -> i64| {
            (0..DAYS)
                .map(|nth| {
                    let day = self.today.plus_micros(-DAY_MICROS * (DAYS - 1 - nth));
                    let own = self
                        .days
                        .iter()
                        .filter(|own| own.detector_id == id && own.day == day);
                    own.map(of).sum()
                })
                .collect()
        };
        ListedDetector {
            week: self.of_detector(id, false),
            today: self.of_detector(id, true),
            found_by_day: by_day(|day| day.found),
            judged_by_day: by_day(|day| day.judged),
            detector,
        }
    }

    fn of_detector(&self, id: Uuid, only_today: bool) -> Sums {
        let days = self
            .days
            .iter()
            .filter(|day| day.detector_id == id && (!only_today || day.day == self.today));
        let mut marked = Marked::default();
        for (_, own) in self.marked.iter().filter(|((detector, _), _)| *detector == id) {
            marked.real += own.real;
            marked.noise += own.noise;
            marked.unmarked += own.unmarked;
        }
        sums(days, marked)
    }

    fn of_version(&self, id: Uuid, version: i32) -> Sums {
        let days = self
            .days
            .iter()
            .filter(|day| day.detector_id == id && day.version == version);
        sums(days, self.marked.get(&(id, version)).copied().unwrap_or_default())
    }
}

fn sums<'a>(days: impl Iterator<Item = &'a DetectorDay>, marked: Marked) -> Sums {
    let of_people = Sums {
        real: marked.real,
        noise: marked.noise,
        unmarked: marked.unmarked,
        ..Sums::default()
    };
    days.fold(of_people, |sums, day| {
        sums.plus(Sums {
            judged: day.judged,
            found: day.found,
            failed: day.failed,
            capped: day.capped,
            refused: day.refused,
            retried: day.retried,
            dropped_quotes: day.dropped_quotes,
            cost: day.cost,
            unpriced: day.unpriced,
            ..Sums::default()
        })
    })
}

/// What a version has another than the one before.
fn changed(version: &DetectorVersion, before: Option<&DetectorVersion>) -> String {
    let Some(before) = before else {
        return "first".to_owned();
    };
    let (new, old): (&Definition, &Definition) = (&version.definition, &before.definition);
    let parts = [
        (new.template != old.template, "template"),
        (new.prompt != old.prompt, "prompt"),
        (new.schema != old.schema, "schema"),
        (new.required_step != old.required_step, "step"),
        (new.conditions != old.conditions, "conditions"),
        (new.model != old.model, "model"),
    ];
    let names: Vec<&str> = parts
        .into_iter()
        .filter(|(is_other, _)| *is_other)
        .map(|(_, name)| name)
        .collect();
    names.join(", ")
}

/// A quote within its text; `None` where the text is gone or is another.
fn shown(evidence: &Evidence, texts: &[StepTexts]) -> Option<ShownQuote> {
    let texts = texts.iter().find(|texts| texts.step_id == evidence.step_id)?;
    let text = match evidence.text? {
        FoundIn::Input => texts.input.as_deref()?,
        FoundIn::Output => texts.output.as_deref()?,
        FoundIn::Error => texts.error.as_deref()?,
    };
    let from = usize::try_from(evidence.from_byte?).ok()?;
    let to = usize::try_from(evidence.to_byte?).ok()?;
    let quote = text.get(from..to)?;
    if evidence.quote.as_deref() != Some(quote) {
        return None;
    }
    let begin = text.ceil_char_boundary(from.saturating_sub(AROUND_BYTES));
    let end = text.floor_char_boundary((to + AROUND_BYTES).min(text.len()));
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    Some(ShownQuote {
        before: format!("{}{}", mark(begin > 0), text.get(begin..from).unwrap_or_default()),
        quote: quote.to_owned(),
        after: format!(
            "{}{}",
            text.get(to..end).unwrap_or_default(),
            mark(end < text.len())
        ),
    })
}
