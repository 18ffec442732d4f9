//! What the repository on GitHub says, through the project's own connection.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::filter::percent_encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Answer, Call, ToolError};
use crate::clock;
use crate::github::connection::{NoRest, rest};
use crate::github::contents::encoded_path;
use crate::github::rest::RestError;

/// The longest that a look-up waits where GitHub asks for patience.
const MAX_WAIT_MS: f64 = 30_000.0;
/// Files of a pull request that are shown.
const MAX_FILES: usize = 40;
/// How much of one file's diff is shown, in characters.
const MAX_PATCH_CHARS: usize = 4_000;
/// The largest file that is shown, in characters.
const MAX_FILE_CHARS: usize = 16_000;

#[derive(Deserialize)]
struct User {
    login: Option<String>,
}

#[derive(Deserialize)]
struct PullRequest {
    number: i64,
    title: Option<String>,
    user: Option<User>,
    merged_at: Option<String>,
    merge_commit_sha: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct ChangedFile {
    filename: String,
    status: Option<String>,
    additions: i64,
    deletions: i64,
    /// Absent of what is binary or too large.
    patch: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    encoding: Option<String>,
    content: Option<String>,
    size: Option<i64>,
}

/// What GitHub answers at a path of the repository, and what was said of waiting for it. `None` where there is nothing.
async fn fetch<T: DeserializeOwned>(
    call: &Call<'_>,
    path_and_query: &str,
) -> Result<(Option<T>, String), ToolError> {
    let toolbox = call.toolbox;
    let mut rest = rest(&toolbox.db, &toolbox.secrets, &toolbox.outbound, call.project)
        .await
        .map_err(|cause| match cause {
            NoRest::Database(cause) => ToolError::from(cause),
            NoRest::NotConnected => ToolError::Asked(cause.to_string()),
            NoRest::Token(_) | NoRest::Rest(_) => ToolError::Elsewhere(cause.to_string()),
        })?;
    let now = clock::now();
    let elsewhere = |cause: RestError| ToolError::Elsewhere(cause.to_string());
    match rest.find(path_and_query, now).await {
        Ok(found) => Ok((found, String::new())),
        Err(RestError::RateLimited { until }) if until.ms_since(now) <= MAX_WAIT_MS => {
            let wait_ms = until.ms_since(now).max(0.0);
            tokio::time::sleep(Duration::from_secs_f64(wait_ms / 1_000.0)).await;
            let found = rest.find(path_and_query, clock::now()).await.map_err(elsewhere)?;
            let waited = domain::text::duration(wait_ms);
            Ok((found, format!("GitHub asked for patience, waited {waited}. ")))
        }
        Err(cause) => Err(elsewhere(cause)),
    }
}

fn author(user: Option<User>) -> Option<String> {
    user.and_then(|user| user.login)
}

pub(super) async fn pull_request(call: &Call<'_>) -> Result<Answer, ToolError> {
    let number = call.arguments.integer("pr");
    let (pull, waited) = fetch::<PullRequest>(call, &format!("/pulls/{number}")).await?;
    let pull = pull.ok_or_else(|| {
        ToolError::Asked("There is no such pull request; list_recent_prs lists some".to_owned())
    })?;
    let (files, waited_again) =
        fetch::<Vec<ChangedFile>>(call, &format!("/pulls/{number}/files?per_page=100")).await?;
    let files = files.unwrap_or_default();
    let (added, removed) = files.iter().fold((0_i64, 0_i64), |(added, removed), file| {
        (
            added.saturating_add(file.additions),
            removed.saturating_add(file.deletions),
        )
    });
    let names: Vec<&str> = files.iter().take(3).map(|file| file.filename.as_str()).collect();
    let line = format!(
        "{waited}{waited_again}{}, +{added} −{removed}: {}",
        domain::text::counted(files.len() as i64, "file"),
        domain::text::first_line(&names.join(", "), 160)
    );
    let shown: Vec<Value> = files
        .iter()
        .take(MAX_FILES)
        .map(|file| {
            let patch = file
                .patch
                .as_ref()
                .map(|patch| patch.chars().take(MAX_PATCH_CHARS).collect::<String>());
            json!({
                "path": file.filename, "status": file.status, "added": file.additions, "removed": file.deletions,
                "diff": patch,
            })
        })
        .collect();
    let data = json!({
        "pr": pull.number, "title": pull.title, "author": author(pull.user), "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit_sha,
        "description": pull.body.map(|body| body.chars().take(MAX_PATCH_CHARS).collect::<String>()),
        "files": shown, "files_left_out": files.len().saturating_sub(MAX_FILES),
    });
    Ok(Answer::new(line, data))
}

pub(super) async fn file(call: &Call<'_>) -> Result<Answer, ToolError> {
    let path = call.arguments.text("path").unwrap_or_default();
    let encoded = encoded_path(path)
        .ok_or_else(|| ToolError::Asked("path must be the path of a file in the repository".to_owned()))?;
    let at = call.arguments.text("ref");
    let query = at.map_or_else(String::new, |at| format!("?ref={}", percent_encode(at)));
    let (found, waited) = fetch::<Value>(call, &format!("/contents/{encoded}{query}")).await?;
    let Some(found) = found else {
        return Err(ToolError::Asked(
            "There is no such file at that point of the repository".to_owned(),
        ));
    };
    if let Value::Array(entries) = &found {
        let names: Vec<&str> = entries
            .iter()
            .filter_map(|entry| entry["path"].as_str())
            .take(200)
            .collect();
        let line = format!(
            "{waited}a folder of {}",
            domain::text::counted(entries.len() as i64, "entry")
        );
        return Ok(Answer::new(line, json!({ "folder": path, "entries": names })));
    }
    let content: Content = serde_json::from_value(found).map_err(|_other_shape| {
        ToolError::Elsewhere("GitHub answered with something else than a file".to_owned())
    })?;
    let text = content
        .content
        .filter(|_| content.encoding.as_deref() == Some("base64"))
        .map(|encoded| encoded.split_ascii_whitespace().collect::<String>())
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ToolError::Asked("This is no text file, or one that is too large".to_owned()))?;
    let shown: String = text.chars().take(MAX_FILE_CHARS).collect();
    let line = format!(
        "{waited}{}, {}",
        domain::text::first_line(path, 120),
        domain::text::counted(text.lines().count() as i64, "line")
    );
    let is_cut = shown.len() < text.len();
    Ok(Answer::new(
        line,
        json!({ "path": path, "ref": at, "size": content.size, "text": shown, "is_cut": is_cut }),
    ))
}

pub(super) async fn pull_requests(call: &Call<'_>) -> Result<Answer, ToolError> {
    let limit = call.arguments.integer("limit");
    let path = format!("/pulls?state=closed&sort=updated&direction=desc&per_page={limit}");
    let (pulls, waited) = fetch::<Vec<PullRequest>>(call, &path).await?;
    let pulls = pulls.unwrap_or_default();
    let numbers: Vec<String> = pulls
        .iter()
        .take(5)
        .map(|pull| format!("PR {}", pull.number))
        .collect();
    let line = format!(
        "{waited}{}: {}",
        domain::text::counted(pulls.len() as i64, "pull request"),
        numbers.join(", ")
    );
    let items: Vec<Value> = pulls
        .into_iter()
        .map(|pull| {
            json!({
                "pr": pull.number, "title": pull.title, "author": author(pull.user), "merged_at": pull.merged_at,
                "merge_commit_sha": pull.merge_commit_sha,
            })
        })
        .collect();
    Ok(Answer::new(line, json!({ "pull_requests": items })))
}
