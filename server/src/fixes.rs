//! A fix for an incident: a model proposes a change to the files of the pull request that caused it, people look at the
//! change, and whoever wants it has it opened as a draft of a pull request.
//!
//! **Invariant:** asking for a fix writes nothing to the repository. Opening one writes to a new branch `plumbline/…` and
//! nowhere else, and only what was shown.

mod patch;

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use domain::fix::FixDraft;
use domain::{Feature, InquiryEventKind, OwnRunKind, ProjectId};
use serde_json::Value;
use storage::fixes::NewFix;
use storage::{Snapshot, inquiries};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock;
use crate::error::HttpError;
use crate::github::connection::{NoRest, rest};
use crate::github::contents::{self, ChangedFile, TextFile};
use crate::github::pulls;
use crate::incidents::answer::judgement;
use crate::inquiries::refusal;
use crate::models::fence::{FENCE_RULE, fenced};
use crate::models::{self, Message, ModelError, Models, OwnRun, Request, Role};
use crate::tools::{Toolbox, incident_summary};

/// Files that a model is shown.
const MAX_FILES: usize = 5;
/// The largest of them, in bytes.
const MAX_FILE_BYTES: usize = 24_000;
/// How much of the pull request's own diff it is shown, in bytes.
const MAX_DIFF_BYTES: usize = 24_000;
/// How much it is told of the incident, and of what was found out, in bytes.
const MAX_SUMMARY_BYTES: usize = 16_000;
const MAX_OUTPUT_TOKENS: u32 = 4_000;
/// How long a model may take: somebody waits for it.
const MAX_ASKING: Duration = Duration::from_secs(90);
/// What runs with a project's secrets before anybody looks at it is never changed: definitions of builds.
const NEVER: [&str; 12] = [
    ".github/",
    ".circleci/",
    ".buildkite/",
    ".semaphore/",
    ".woodpecker",
    ".gitlab-ci",
    ".travis.yml",
    ".drone.",
    ".cirrus",
    "Jenkinsfile",
    "azure-pipelines",
    "bitbucket-pipelines",
];

const NO_PULL: &str = "No pull request is known as the cause, so there are no files to fix: confirm a deploy as the cause, or \
have the incident investigated first";

const TASK: &str = "An incident in software that calls language models has a cause: a pull request. You are shown the \
incident, what is known of its cause, the pull request's diff, and its files as they are now. Propose the smallest change to \
these files that ends the incident, by calling propose_fix once. Change nothing else: no formatting, no renaming, no \
comments. Where the files as they are need no change, propose no edits and say why.";

/// Why there is no fix. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum NoFix {
    #[error("{0}")]
    Impossible(String),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Github(#[from] NoRest),
    #[error(transparent)]
    Database(#[from] storage::Error),
}

impl From<crate::github::rest::RestError> for NoFix {
    fn from(cause: crate::github::rest::RestError) -> Self {
        Self::Github(cause.into())
    }
}

impl From<NoFix> for HttpError {
    fn from(cause: NoFix) -> Self {
        match cause {
            NoFix::Database(cause)
            | NoFix::Model(ModelError::Database(cause))
            | NoFix::Github(NoRest::Database(cause)) => refusal(cause),
            NoFix::Impossible(_) | NoFix::Github(NoRest::NotConnected) | NoFix::Model(ModelError::NotSet) => {
                Self::new(StatusCode::CONFLICT, "no_fix", cause.to_string())
            }
            NoFix::Github(_) => Self::new(StatusCode::BAD_GATEWAY, "github", cause.to_string()),
            NoFix::Model(_) => Self::new(StatusCode::BAD_GATEWAY, "model", cause.to_string()),
        }
    }
}

/// What fixing needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fixing {
    pub toolbox: Toolbox,
    pub models: Models,
    /// How links begin that are followed from outside.
    pub origin: String,
}

/// What a model is shown.
struct Case {
    /// The incident and the verdict of its investigation, as JSON.
    summary: Value,
    verdict: Value,
    diff: String,
    files: Vec<TextFile>,
}

impl Fixing {
    /// Has a model propose a fix for an incident, and keeps it, also where whoever asked goes away meanwhile.
    pub async fn draft(&self, project: ProjectId, incident: Uuid, actor: &str) -> Result<(), NoFix> {
        let (fixing, actor) = (self.clone(), actor.to_owned());
        to_its_end(async move { Box::pin(fixing.draft_now(project, incident, &actor)).await }).await
    }

    async fn draft_now(&self, project: ProjectId, incident: Uuid, actor: &str) -> Result<(), NoFix> {
        let db = &self.toolbox.db;
        let (summary, verdict, pull) = self.cause(project, incident).await?;
        let mut rest = rest(db, &self.toolbox.secrets, &self.toolbox.outbound, project).await?;
        let now = clock::now();
        let base = contents::base(&mut rest, now).await?;
        let changed = contents::changed_files(&mut rest, pull, now).await?;
        let mut files = Vec::new();
        for file in changed.iter().filter(|file| may_change(file)).take(MAX_FILES) {
            let found = contents::text_file(&mut rest, &file.filename, &base.sha, now).await?;
            files.extend(found.filter(|file| file.text.len() <= MAX_FILE_BYTES));
        }
        if files.is_empty() {
            let words = format!("PR {pull} has no file of text that is still there and can be changed");
            return Err(NoFix::Impossible(words));
        }
        let case = Case {
            summary,
            verdict,
            diff: diff_of(&changed),
            files,
        };
        let id = Uuid::now_v7();
        storage::fixes::begin(db, project, (incident, id), actor, clock::now()).await?;
        let run = OwnRun::about(OwnRunKind::Fix, id);
        let models = self.models.clone().within(MAX_ASKING);
        let request = request(&case);
        let asked = models::call(
            &models,
            project,
            Feature::Investigation,
            &run,
            &request,
            &|_part| {},
        );
        let reply = Box::pin(asked).await?;
        let draft = reply
            .calls()
            .find(|(_, name, _)| *name == patch::PROPOSE)
            .ok_or_else(|| "The model proposed nothing; ask again".to_owned())
            .and_then(|(_, _, proposed)| patch::draft(&case.files, proposed))
            .map_err(NoFix::Impossible)?;
        let new = NewFix {
            id,
            incident_id: incident,
            model: &reply.model,
            cost: reply.cost(),
            base_branch: &base.branch,
            draft: &draft,
        };
        Ok(storage::fixes::add(db, project, &new, actor, clock::now()).await?)
    }

    /// What is known of an incident, and the pull request that is its cause.
    async fn cause(&self, project: ProjectId, id: Uuid) -> Result<(Value, Value, i64), NoFix> {
        let mut snapshot = self.toolbox.db.snapshot(project).await?;
        let stored = storage::incidents::get(&mut snapshot, project, id).await?;
        let incident = judgement(&stored).ok_or_else(|| {
            NoFix::Impossible("The incident was judged by another version of Plumbline".to_owned())
        })?;
        let verdict = verdict(&mut snapshot, project, id).await?;
        let named = verdict["deploy_id"].as_str().map(str::to_owned);
        let deploy_id = stored
            .confirmed_deploy_id
            .clone()
            .or(named)
            .or_else(|| stored.deploy_id.clone())
            .ok_or_else(|| NoFix::Impossible(NO_PULL.to_owned()))?;
        let deploy = match storage::deploys::get(&mut snapshot, project, &deploy_id).await {
            Ok(deploy) => deploy,
            Err(storage::Error::NotFound) => return Err(NoFix::Impossible(NO_PULL.to_owned())),
            Err(other) => return Err(other.into()),
        };
        let pull = deploy
            .pr_number
            .ok_or_else(|| NoFix::Impossible(NO_PULL.to_owned()))?;
        Ok((incident_summary(&stored, &incident), verdict, pull))
    }

    /// Opens a fix as a draft of a pull request, also where whoever asked goes away meanwhile. What GitHub does not take is
    /// written down with the fix.
    pub async fn open(&self, project: ProjectId, which: (Uuid, Uuid), actor: &str) -> Result<(), NoFix> {
        let (fixing, actor) = (self.clone(), actor.to_owned());
        to_its_end(async move { Box::pin(fixing.open_now(project, which, &actor)).await }).await
    }

    async fn open_now(
        &self,
        project: ProjectId,
        (incident, fix): (Uuid, Uuid),
        actor: &str,
    ) -> Result<(), NoFix> {
        let db = &self.toolbox.db;
        let now = clock::now();
        let Some(taken) = storage::fixes::take(db, project, (incident, fix), now).await? else {
            let words = "The pull request is open already, or somebody is opening it";
            return Err(NoFix::Impossible(words.to_owned()));
        };
        let opened = self.push(project, incident, &taken.draft).await;
        match opened {
            Ok(pull) => {
                let made = (pull.branch.as_str(), pull.html_url.as_str());
                storage::fixes::opened(db, project, (incident, fix), made, actor, clock::now()).await?;
                Ok(())
            }
            Err(cause) => {
                tracing::warn!(project.id = %project, incident.id = %incident, %cause, "a fix could not be opened as a pull request");
                storage::fixes::failed(db, project, fix, &cause.to_string()).await?;
                Ok(())
            }
        }
    }

    async fn push(&self, project: ProjectId, incident: Uuid, draft: &FixDraft) -> Result<pulls::Pull, NoFix> {
        let toolbox = &self.toolbox;
        let mut rest = rest(&toolbox.db, &toolbox.secrets, &toolbox.outbound, project).await?;
        let slug = storage::projects::get(&toolbox.db, project).await?.slug;
        let page = format!("{}/p/{slug}/incidents/{incident}", self.origin);
        let now = clock::now();
        // Another one for each attempt: what a failed one left behind is nobody's business.
        let short: String = incident.to_string().chars().take(8).collect();
        let branch = format!("plumbline/incident-{short}-{}", now.micros() / 1_000);
        Ok(pulls::open(&mut rest, &branch, draft, &body(draft, &page), now).await?)
    }
}

/// Goes on where the request that it is for is dropped: by then a model is paid, or a branch is made.
async fn to_its_end(work: impl Future<Output = Result<(), NoFix>> + Send + 'static) -> Result<(), NoFix> {
    TaskTracker::new()
        .spawn(work)
        .await
        .unwrap_or_else(|_panicked| Err(storage::Error::no_answer().into()))
}

/// Whether a fix may change a file that the pull request changed.
fn may_change(file: &ChangedFile) -> bool {
    file.status.as_deref() != Some("removed") && !NEVER.iter().any(|folder| file.filename.starts_with(folder))
}

fn diff_of(changed: &[ChangedFile]) -> String {
    let mut diff = String::new();
    for file in changed {
        let patch = file.patch.as_deref().unwrap_or("(no text)");
        // Writing to a string does not fail.
        _ = writeln!(diff, "--- {}\n{patch}", file.filename);
    }
    diff
}

/// The verdict of the latest investigation; null where there is none.
async fn verdict(snapshot: &mut Snapshot, project: ProjectId, incident: Uuid) -> storage::Result<Value> {
    let Some(inquiry) = inquiries::latest_of_incident(snapshot, project, incident).await? else {
        return Ok(Value::Null);
    };
    let events = inquiries::shown_events(snapshot, project, inquiry.id, 0).await?;
    let verdict = events
        .into_iter()
        .rev()
        .find(|event| event.kind == InquiryEventKind::Verdict);
    Ok(verdict.map_or(Value::Null, |event| event.data))
}

fn request(case: &Case) -> Request {
    let mut asked = format!(
        "{}\n\n{}\n\n{}",
        fenced("incident", &case.summary.to_string(), MAX_SUMMARY_BYTES),
        fenced("investigation", &case.verdict.to_string(), MAX_SUMMARY_BYTES),
        fenced("pull request", &case.diff, MAX_DIFF_BYTES)
    );
    for file in &case.files {
        let shown = fenced(&format!("file {}", file.path), &file.text, MAX_FILE_BYTES);
        _ = write!(asked, "\n\nThe file {} as it is now:\n{shown}", file.path);
    }
    Request {
        system: format!("{TASK}\n\n{FENCE_RULE}"),
        messages: vec![Message::text(Role::User, asked)],
        tools: vec![patch::tool()],
        must_call: Some(patch::PROPOSE.to_owned()),
        max_output_tokens: MAX_OUTPUT_TOKENS,
    }
}

/// What the pull request says. The model's words stand in a block in which nothing is a mention, a link or markup.
fn body(draft: &FixDraft, page: &str) -> String {
    let said = draft.explanation.replace("```", "'''");
    format!(
        "```text\n{said}\n```\n\nProposed by a model and looked at by whoever opened this; review it as any other change.\n\n[The \
         incident in Plumbline]({page})\n"
    )
}
