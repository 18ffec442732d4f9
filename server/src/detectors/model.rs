//! Asking a model: what it is told, what it may answer, and what of the answer holds.

use std::time::Duration;

use domain::detector::{Detector, JudgedRun, JudgementState, StepTexts};
use domain::{Feature, NanoUsd, ProjectId};
use engine::detectors::{
    AnswerError, Found, ModelAnswer, answer_schema, context, read_answer, verify, wanted_texts,
};
use tokio::time::Instant;

use super::{Judge, READING};
use crate::models::fence::{FENCE_RULE, fenced};
use crate::models::{self, Message, ModelError, OwnRun, Part, Reply, Request, Role, Tool};

/// How much of a run a model is shown, in bytes: it fits into a small one.
const CONTEXT_BYTES: usize = 100_000;
/// Of each text that is read for it, in characters.
const MAX_TEXT_CHARS: i32 = 60_000;
const MAX_OUTPUT_TOKENS: u32 = 2_000;
/// How long a model may take for a judgement in all, also where it is asked twice.
const MAX_ASKING: Duration = Duration::from_secs(120);
/// The tool by which it answers.
const TOOL: &str = "report";

const ROLE: &str = "You judge one finished run of a program that calls language models and tools. You are shown what was \
recorded of it: its sums, its steps, and the texts of some of them. Look for one thing only, which is said below, and answer \
by calling the tool `report` once. `identified` is true only if the run has what is looked for and words in it prove that; \
if you are not sure, it is false. Each quote is copied letter by letter from a text of the run, 3 to 300 characters long, \
with the id of the step it stands in; do not shorten, correct or translate it. A quote that does not stand in the run is \
thrown away, and a finding without any is none.";

/// How asking a model went.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub state: JudgementState,
    /// Why it was not judged, or what was thrown away.
    pub reason: Option<String>,
    pub cost: Option<NanoUsd>,
    /// It was asked, so that it costs.
    pub has_asked: bool,
    pub is_retried: bool,
    pub dropped_quotes: i32,
    pub found: Option<Found>,
    pub model: Option<String>,
    /// The run of ours that the calls are steps of.
    pub judged_in: Option<String>,
}

/// Has a model judge a run, and asks once more where the answer has not the form it has to have.
pub async fn ask(
    judge: &Judge,
    project: ProjectId,
    run: &JudgedRun,
    detector: &Detector,
) -> storage::Result<Judged> {
    let wanted = wanted_texts(&detector.definition, run);
    let reading = READING.acquire().await.ok();
    let mut snapshot = judge.db.snapshot(project).await?;
    let run_id = &run.summary.run_id;
    let texts = storage::detectors::texts(&mut snapshot, project, run_id, &wanted, MAX_TEXT_CHARS).await?;
    drop((snapshot, reading));
    let begun = Instant::now();
    let own_run = OwnRun {
        run_id: storage::detectors::own_run_id(detector.id, detector.version, run_id),
        name: "judge".to_owned(),
    };
    let mut request = request(detector, run, &texts);
    let mut judged = Judged {
        state: JudgementState::Failed,
        reason: None,
        cost: Some(NanoUsd(0)),
        has_asked: false,
        is_retried: false,
        dropped_quotes: 0,
        found: None,
        model: None,
        judged_in: None,
    };
    let choice = detector.definition.model.as_ref();
    for is_last in [false, true] {
        let left = MAX_ASKING.saturating_sub(begun.elapsed());
        let reply = models::call_with(
            &judge.models.clone().within(left),
            project,
            Feature::Detectors,
            choice,
            &own_run,
            &request,
            &|_: &str| {},
        )
        .await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(ModelError::Database(cause)) => return Err(cause),
            Err(error) => return Ok(judged.refused(&error)),
        };
        judged.has_asked = true;
        judged.cost = judged
            .cost
            .and_then(|cost| Some(cost.saturating_add(reply.cost()?)));
        judged.model = Some(reply.model.clone());
        judged.judged_in = Some(own_run.run_id.clone());
        match answer_of(&reply, detector) {
            Ok(answer) => return Ok(judged.held_to(answer, &texts)),
            Err(AnswerError(what)) if is_last => {
                judged.reason = Some(format!("The answer has not the form it has to have: {what}"));
            }
            Err(AnswerError(what)) => {
                judged.is_retried = true;
                correct(&mut request, &reply, &what);
            }
        }
    }
    Ok(judged)
}

impl Judged {
    /// There is no answer.
    fn refused(mut self, error: &ModelError) -> Self {
        self.state = match error {
            ModelError::Budget { .. } | ModelError::NotSet => JudgementState::Refused,
            _ => JudgementState::Failed,
        };
        self.reason = Some(error.to_string());
        self
    }

    /// What of an answer holds: only quotes that stand in the run, and only a finding that has one.
    fn held_to(mut self, answer: ModelAnswer, texts: &[StepTexts]) -> Self {
        self.state = JudgementState::Clear;
        if !answer.identified {
            return self;
        }
        let verified = verify(&answer.quotes, texts);
        self.dropped_quotes = i32::try_from(verified.dropped).unwrap_or(i32::MAX);
        let mut evidence = verified.evidence;
        evidence.extend(verify(&answer.perhaps, texts).evidence);
        if evidence.is_empty() {
            self.reason = Some("What was found was thrown away: no quote of it stands in the run".to_owned());
            return self;
        }
        self.state = JudgementState::Found;
        self.found = Some(Found {
            summary: answer.summary,
            data: answer.data,
            evidence,
        });
        self
    }
}

/// What a model is asked: the project's own words before everything, and the run as data.
fn request(detector: &Detector, run: &JudgedRun, texts: &[StepTexts]) -> Request {
    let definition = &detector.definition;
    let shown = context(run, texts, CONTEXT_BYTES);
    let mut parts = vec![fenced("run and its steps", &shown.overview, CONTEXT_BYTES)];
    parts.extend(
        shown
            .parts
            .iter()
            .map(|part| fenced(&part.label, &part.text, part.limit_bytes)),
    );
    if shown.left_out > 0 {
        parts.push(format!("The texts of {} steps are not shown.", shown.left_out));
    }
    parts.push("Judge this run now: call `report`.".to_owned());
    Request {
        system: format!(
            "{ROLE}\n\n{FENCE_RULE}\n\nWhat to look for:\n{}",
            definition.prompt
        ),
        messages: vec![Message::text(Role::User, parts.join("\n\n"))],
        tools: vec![Tool {
            name: TOOL.to_owned(),
            description: "Says whether the run has what is looked for, with the words that prove it"
                .to_owned(),
            parameters: answer_schema(definition.schema.as_ref()),
        }],
        must_call: Some(TOOL.to_owned()),
        max_output_tokens: MAX_OUTPUT_TOKENS,
    }
}

fn answer_of(reply: &Reply, detector: &Detector) -> Result<ModelAnswer, AnswerError> {
    let call = reply.calls().find(|(_, name, _)| *name == TOOL);
    let (_, _, arguments) =
        call.ok_or_else(|| AnswerError("The answer has to be a call of the tool report".to_owned()))?;
    read_answer(arguments, detector.definition.schema.as_ref())
}

/// Says what was wrong with an answer, as what its calls came to.
fn correct(request: &mut Request, reply: &Reply, what: &str) {
    let complaint = format!("{what}. Call report again, in the form that its schema says.");
    let mut parts: Vec<Part> = reply
        .calls()
        .map(|(id, name, _)| Part::Answer {
            id: id.to_owned(),
            name: name.to_owned(),
            content: complaint.clone(),
            failed: true,
        })
        .collect();
    if parts.is_empty() {
        parts.push(Part::Text(complaint));
    }
    let said = if reply.parts.is_empty() {
        vec![Part::Text("(nothing)".to_owned())]
    } else {
        reply.parts.clone()
    };
    request.messages.push(Message {
        role: Role::Assistant,
        parts: said,
    });
    request.messages.push(Message {
        role: Role::User,
        parts,
    });
}
