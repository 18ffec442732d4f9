//! Files of the connected repository as they are now.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::filter::percent_encode;
use serde::Deserialize;
use serde_json::Value;

use super::rest::{Rest, RestError};

/// The branch that everything is merged into, and its last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub branch: String,
    pub sha: String,
}

/// A file that a pull request changed.
#[derive(Clone, Debug, Deserialize)]
pub struct ChangedFile {
    pub filename: String,
    pub status: Option<String>,
    /// Absent of what is binary or too large.
    pub patch: Option<String>,
}

/// A file of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    pub path: String,
    /// What git calls its text.
    pub blob_sha: String,
    pub text: String,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Content {
    sha: String,
    encoding: Option<String>,
    content: Option<String>,
}

/// The path of a file as a part of an address; `None` where it leads out of the repository.
pub fn encoded_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = parts
        .iter()
        .all(|part| !part.is_empty() && *part != "." && *part != "..");
    fits.then(|| {
        parts
            .iter()
            .map(|part| percent_encode(part))
            .collect::<Vec<_>>()
            .join("/")
    })
}

/// The repository's default branch and where it is.
pub async fn base(rest: &mut Rest<'_>, now: Timestamp) -> Result<Base, RestError> {
    let missing = || RestError::NotFound("GitHub shows no default branch of the repository".to_owned());
    let repository: Repository = rest.find("", now).await?.ok_or_else(missing)?;
    let branch = repository.default_branch;
    let path = encoded_path(&branch).ok_or_else(missing)?;
    let reference: Reference = rest
        .find(&format!("/git/ref/heads/{path}"), now)
        .await?
        .ok_or_else(missing)?;
    Ok(Base {
        branch,
        sha: reference.object.sha,
    })
}

/// The first hundred files that a pull request changed.
pub async fn changed_files(
    rest: &mut Rest<'_>,
    pull: i64,
    now: Timestamp,
) -> Result<Vec<ChangedFile>, RestError> {
    let path = format!("/pulls/{pull}/files?per_page=100");
    Ok(rest.find(&path, now).await?.unwrap_or_default())
}

/// A file at a commit; `None` where there is none, or it is no text.
pub async fn text_file(
    rest: &mut Rest<'_>,
    path: &str,
    commit: &str,
    now: Timestamp,
) -> Result<Option<TextFile>, RestError> {
    let Some(encoded) = encoded_path(path) else {
        return Ok(None);
    };
    let path_and_query = format!("/contents/{encoded}?ref={}", percent_encode(commit));
    let found: Option<Value> = rest.find(&path_and_query, now).await?;
    let content = found.and_then(|found| serde_json::from_value::<Content>(found).ok());
    Ok(content.and_then(|content| {
        let encoded = content
            .content
            .filter(|_| content.encoding.as_deref() == Some("base64"))?;
        let encoded: String = encoded.split_ascii_whitespace().collect();
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        (!text.contains('\0')).then(|| TextFile {
            path: path.to_owned(),
            blob_sha: content.sha,
            text,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::encoded_path;

    #[test]
    fn a_path_stays_in_the_repository() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(encoded_path(path).as_deref(), expected, "{path}");
        };
        check("/config/models.json", Some("config/models.json"));
        check("a b?ref=x#y", Some("a%20b%3Fref%3Dx%23y"));
        check("../../user", None);
        check("a//b", None);
        check("a/./b", None);
        check("", None);
    }
}
