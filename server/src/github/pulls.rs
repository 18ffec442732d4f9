//! A draft of a pull request with a fix, on a branch of its own. Only where somebody asks for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::fix::FixDraft;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contents::{base, encoded_path};
use super::rest::{Rest, RestError};

/// A pull request that was opened.
#[derive(Debug)]
pub struct Pull {
    pub branch: String,
    /// Where it can be read.
    pub html_url: String,
}

#[derive(Deserialize)]
struct Opened {
    html_url: String,
}

/// Makes a branch from where the default branch is now, commits the files to it, and opens a draft. Files that are others
/// than those the fix was made for are refused by GitHub, and so is then all of it; the new branch stays, without a pull
/// request.
pub async fn open(
    rest: &mut Rest<'_>,
    branch: &str,
    fix: &FixDraft,
    body: &str,
    now: Timestamp,
) -> Result<Pull, RestError> {
    let base = base(rest, now).await?;
    let reference = json!({ "ref": format!("refs/heads/{branch}"), "sha": base.sha });
    let _made: Value = rest.create("/git/refs", &reference, now).await?;
    for file in &fix.files {
        let path = encoded_path(&file.path)
            .ok_or_else(|| RestError::Refused("The fix has a file outside of the repository".to_owned()))?;
        let content = json!({
            "message": fix.title, "content": STANDARD.encode(&file.after), "sha": file.blob_sha, "branch": branch,
        });
        let _written: Value = rest.put(&format!("/contents/{path}"), &content, now).await?;
    }
    let pull =
        json!({ "title": fix.title, "head": branch, "base": base.branch, "body": body, "draft": true });
    let opened: Opened = rest.create("/pulls", &pull, now).await?;
    Ok(Pull {
        branch: branch.to_owned(),
        html_url: opened.html_url,
    })
}
