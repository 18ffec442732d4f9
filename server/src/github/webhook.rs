//! What a webhook says. Its signature has been checked before any of this is read but the repository's name.

use domain::deploy::DeployReport;
use domain::github::GithubOptions;
use serde::Deserialize;

use super::records::{Deployment, DeploymentState, Release, Run};

/// What a webhook comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It tells of a deploy.
    Deploy(Box<DeployReport>),
    /// It tells of one, and leaves out which commit: the API has to be asked.
    Ask,
    /// It tells of none, and why.
    Nothing(&'static str),
}

/// Why a webhook can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload of the event can't be read")]
pub struct Unreadable;

#[derive(Deserialize)]
struct OfRepository {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

/// The repository that a payload is about, as `owner/name` in lower case. Read before the signature is checked, so
/// nothing else is.
pub fn repository(payload: &[u8]) -> Option<String> {
    let of: OfRepository = serde_json::from_slice(payload).ok()?;
    Some(of.repository?.full_name.to_ascii_lowercase())
}

/// The JSON of a body: GitHub sends it as such or, unless told otherwise, as the field `payload` of a form.
pub fn payload(body: &[u8], is_form: bool) -> Option<Vec<u8>> {
    if !is_form {
        return Some(body.to_vec());
    }
    form_urlencoded::parse(body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| value.into_owned().into_bytes())
}

#[derive(Deserialize)]
struct DeploymentEvent {
    deployment: Deployment,
    workflow_run: Option<Run>,
}

#[derive(Deserialize)]
struct DeploymentStatusEvent {
    deployment: Deployment,
    deployment_status: DeploymentState,
    workflow_run: Option<Run>,
}

#[derive(Deserialize)]
struct RunEvent {
    workflow_run: Run,
    workflow: Option<Workflow>,
}

#[derive(Deserialize)]
struct Workflow {
    path: Option<String>,
}

#[derive(Deserialize)]
struct ReleaseEvent {
    action: String,
    release: Release,
}

/// What an event says, as far as the project counts it.
pub fn said(event: &str, payload: &[u8], options: &GithubOptions) -> Result<Said, Unreadable> {
    match event {
        "deployment" => {
            let DeploymentEvent {
                deployment,
                workflow_run,
            } = read(payload)?;
            if !deployment.counts(options) {
                return Ok(Said::Nothing(NO_DEPLOYMENT));
            }
            report(deployment.made(options, workflow_run.as_ref()), NO_SHA)
        }
        "deployment_status" => {
            let DeploymentStatusEvent {
                deployment,
                deployment_status,
                workflow_run,
            } = read(payload)?;
            if !deployment.counts(options) {
                return Ok(Said::Nothing(NO_DEPLOYMENT));
            }
            let changed = deployment.changed(options, workflow_run.as_ref(), &deployment_status);
            report(changed, "That state of a deployment changes nothing here")
        }
        "workflow_run" => {
            let RunEvent {
                workflow_run: mut run,
                workflow,
            } = read(payload)?;
            if let Some(path) = workflow.and_then(|workflow| workflow.path)
                && run.path.is_empty()
            {
                run.path = path;
            }
            if !run.counts(options) {
                return Ok(Said::Nothing(
                    "Runs of that workflow or branch are no deploys here",
                ));
            }
            report(run.report(options), NO_SHA)
        }
        "release" => {
            let ReleaseEvent { action, release } = read(payload)?;
            if !options.releases {
                return Ok(Said::Nothing("Releases are no deploys here"));
            }
            if !["published", "released", "edited"].contains(&action.as_str()) || !release.is_out() {
                return Ok(Said::Nothing("The release is not published for everybody"));
            }
            Ok(match release.named_sha() {
                Some(sha) => Said::Deploy(Box::new(release.report(options, sha))),
                None => Said::Ask,
            })
        }
        "push" => Ok(Said::Nothing(
            "A push is no deploy; GitHub's deployments, runs of workflows and releases are",
        )),
        _ => Ok(Said::Nothing("Events of that kind are of no use here")),
    }
}

const NO_DEPLOYMENT: &str = "Deployments to that environment are no deploys here";
const NO_SHA: &str = "It names no commit";

fn report(report: Option<DeployReport>, otherwise: &'static str) -> Result<Said, Unreadable> {
    Ok(match report {
        Some(report) => Said::Deploy(Box::new(report)),
        None => Said::Nothing(otherwise),
    })
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(|_other_shape| Unreadable)
}

#[cfg(test)]
mod tests;
