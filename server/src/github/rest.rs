//! GitHub's REST API, as far as a sync needs it: one page at a time, only when it changed, and no more often than GitHub
//! allows.

use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use domain::{Timestamp, text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::blocking::run_blocking_if_large;
use crate::outbound::{Answer, BadTarget, CallError, Outbound, TargetUrl};

/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// Largest page: a hundred runs, each with a repository or two in it, are about 2 MiB.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// The longest that GitHub is believed to want to be left alone.
const MAX_WAIT_S: i64 = 2 * 3_600;
/// How long it is left alone when it says no time.
const DEFAULT_WAIT_S: i64 = 60;
/// How much of its words is shown.
const MAX_WORDS: usize = 200;

/// Asks about one repository.
#[derive(Debug)]
pub struct Rest<'a> {
    outbound: &'a Outbound,
    api: TargetUrl,
    /// `/repos/owner/name`.
    repository: String,
    token: Option<String>,
    /// Calls that were made.
    pub calls: u32,
}

/// One page of a list, or one object.
#[derive(Debug)]
pub struct Page<T> {
    pub value: T,
    /// By which the same page is asked for again.
    pub etag: Option<String>,
    /// The page after it.
    pub next: Option<TargetUrl>,
}

/// What a conditional question brought.
#[derive(Debug)]
pub enum Fetched<T> {
    /// What it was the last time.
    Unchanged,
    Page(Page<T>),
}

/// Why GitHub said nothing of use. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// It asks to be left alone until then.
    #[error("GitHub's limit of calls is reached; the sync goes on at {until}")]
    RateLimited { until: Timestamp },
    /// There is no such thing, or the token may not see it.
    #[error("{0}")]
    NotFound(String),
    /// Asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// Asking again may work.
    #[error("{0}")]
    Unavailable(String),
}

impl From<BadTarget> for RestError {
    fn from(bad: BadTarget) -> Self {
        Self::Refused(bad.to_string())
    }
}

impl From<CallError> for RestError {
    fn from(cause: CallError) -> Self {
        match cause {
            CallError::Target(_) | CallError::Private { .. } | CallError::TooLarge { .. } => {
                Self::Refused(cause.to_string())
            }
            CallError::TimedOut { .. }
            | CallError::Silent { .. }
            | CallError::Unreachable { .. }
            | CallError::Broken { .. } => Self::Unavailable(cause.to_string()),
        }
    }
}

impl<'a> Rest<'a> {
    /// For a repository `owner/name`; without a token GitHub answers for public ones, and seldom.
    pub fn new(
        outbound: &'a Outbound,
        api_url: &str,
        repository: &str,
        token: Option<String>,
    ) -> Result<Self, RestError> {
        Ok(Self {
            api: outbound.target(api_url)?,
            outbound,
            repository: format!("/repos/{repository}"),
            token,
            calls: 0,
        })
    }

    /// Where a list or an object of the repository is.
    pub fn of_repository(&self, path_and_query: &str) -> Result<TargetUrl, RestError> {
        Ok(self.api.below(&format!("{}{path_and_query}", self.repository))?)
    }

    /// Asks for a page; with `etag` only whether it is another one by now.
    pub async fn fetch<T: DeserializeOwned>(
        &mut self,
        target: &TargetUrl,
        etag: Option<&str>,
        now: Timestamp,
    ) -> Result<Fetched<T>, RestError> {
        let mut request = self.request(Bytes::new())?;
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request.headers_mut().insert(IF_NONE_MATCH, etag);
        }
        self.calls += 1;
        let answer = self.outbound.send(target, request, MAX_PAGE_BYTES).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Fetched::Unchanged);
        }
        if !answer.status.is_success() {
            return Err(refusal(&answer, target.host(), self.token.is_some(), now));
        }
        let read = || serde_json::from_slice(&answer.body);
        let value = run_blocking_if_large(answer.body.len(), read).map_err(|_other_shape| {
            RestError::Unavailable(format!(
                "{} answered with something else than expected",
                target.host()
            ))
        })?;
        let text = |name| {
            answer
                .headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        Ok(Fetched::Page(Page {
            value,
            etag: text(ETAG).map(str::to_owned),
            next: text(LINK).and_then(next_of).and_then(|url| target.same_host(url)),
        }))
    }

    /// A question with what every question has.
    fn request(&self, body: Bytes) -> Result<Request<Bytes>, RestError> {
        let mut request = Request::new(body);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("plumbline"));
        headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_no_header| {
                RestError::Refused("The token has characters that no token has".to_owned())
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Makes something in the repository, such as an issue.
    pub async fn create<T: DeserializeOwned>(
        &mut self,
        path: &str,
        what: &Value,
        now: Timestamp,
    ) -> Result<T, RestError> {
        self.write(Method::POST, path, what, now).await
    }

    /// Puts something in place of what is there, such as the text of a file.
    pub async fn put<T: DeserializeOwned>(
        &mut self,
        path: &str,
        what: &Value,
        now: Timestamp,
    ) -> Result<T, RestError> {
        self.write(Method::PUT, path, what, now).await
    }

    async fn write<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        what: &Value,
        now: Timestamp,
    ) -> Result<T, RestError> {
        let target = self.of_repository(path)?;
        let mut request = self.request(Bytes::from(what.to_string()))?;
        *request.method_mut() = method;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.calls += 1;
        let answer = self.outbound.send(&target, request, MAX_PAGE_BYTES).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer, target.host(), self.token.is_some(), now));
        }
        serde_json::from_slice(&answer.body).map_err(|_other_shape| {
            RestError::Unavailable(format!(
                "{} answered with something else than expected",
                target.host()
            ))
        })
    }

    /// Asks for an object of the repository; `None` where there is none.
    pub async fn find<T: DeserializeOwned>(
        &mut self,
        path_and_query: &str,
        now: Timestamp,
    ) -> Result<Option<T>, RestError> {
        let target = self.of_repository(path_and_query)?;
        match self.fetch(&target, None, now).await {
            Ok(Fetched::Page(page)) => Ok(Some(page.value)),
            Ok(Fetched::Unchanged) => Ok(None),
            Err(RestError::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    message: Option<String>,
}

/// What an answer that is no success means.
fn refusal(answer: &Answer, host: &str, has_token: bool, now: Timestamp) -> RestError {
    let status = answer.status;
    if let Some(until) = told_to_wait(status, &answer.headers, &answer.body, now) {
        return RestError::RateLimited { until };
    }
    let said = serde_json::from_slice::<ErrorBody>(&answer.body)
        .ok()
        .and_then(|body| body.message)
        .map(|message| text::first_line(&message, MAX_WORDS))
        .unwrap_or_default();
    match status.as_u16() {
        401 => {
            RestError::Refused("GitHub does not take the token: it is wrong, expired or revoked".to_owned())
        }
        403 => RestError::Refused(format!(
            "GitHub refuses: {said}. The token needs to read deployments, actions, contents and pull requests of the \
             repository"
        )),
        404 | 410 if has_token => RestError::NotFound(
            "GitHub knows no such repository or workflow, or does not show it to this token".to_owned(),
        ),
        404 | 410 => RestError::NotFound(
            "GitHub knows no such public repository or workflow; a private one needs a token".to_owned(),
        ),
        422 => RestError::NotFound(format!("GitHub can't find it: {said}")),
        301 | 302 | 307 | 308 => {
            RestError::Refused("GitHub says that the repository has moved; enter its new name".to_owned())
        }
        code if status.is_server_error() => {
            RestError::Unavailable(format!("{host} answered {code}; it is asked again"))
        }
        code => RestError::Refused(format!("{host} answered {code}: {said}")),
    }
}

/// Until when GitHub wants to be left alone, where that is what it says: the limit of calls in an hour, or one of those
/// against bursts.
fn told_to_wait(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Timestamp> {
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let number = |name: &str| -> Option<i64> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
    let in_seconds = |seconds: i64| now.plus_micros(seconds.clamp(1, MAX_WAIT_S) * 1_000_000);
    if let Some(seconds) = number(RETRY_AFTER.as_str()) {
        return Some(in_seconds(seconds));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let reset_s = number("x-ratelimit-reset").unwrap_or(0);
        let wait_s = reset_s.saturating_sub(now.micros() / 1_000_000);
        // A second more: the two clocks are not one.
        return Some(in_seconds(wait_s.saturating_add(1).max(1)));
    }
    let says_so = String::from_utf8_lossy(body)
        .to_lowercase()
        .contains("rate limit");
    (says_so || status == StatusCode::TOO_MANY_REQUESTS).then(|| in_seconds(DEFAULT_WAIT_S))
}

/// The address of the next page in a header `Link`.
fn next_of(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (url, parameters) = one.split_once(';')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim();
            parameter == "rel=\"next\"" || parameter == "rel=next"
        });
        is_next
            .then(|| url.trim().strip_prefix('<')?.strip_suffix('>'))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn the_next_page_is_the_one_that_link_names() {
        let link = "<https://api.github.com/repositories/1/deployments?per_page=100&page=3>; rel=\"prev\", \
                    <https://api.github.com/repositories/1/deployments?per_page=100&page=5>; rel=\"next\", \
                    <https://api.github.com/repositories/1/deployments?page=9>; rel=\"last\"";
        assert_eq!(
            next_of(link),
            Some("https://api.github.com/repositories/1/deployments?per_page=100&page=5")
        );
        for none in [
            "",
            "nonsense",
            "<https://a.dev>; rel=\"last\"",
            "https://a.dev; rel=\"next\"",
        ] {
            assert_eq!(next_of(none), None, "{none}");
        }
    }

    #[test]
    fn github_says_when_it_wants_to_be_left_alone() {
        let check = |status: u16, fields: &[(&'static str, &str)], body: &str, wait_s: Option<i64>| {
            let headers = fields
                .iter()
                .map(|(name, value)| {
                    (
                        axum::http::HeaderName::from_static(name),
                        HeaderValue::from_str(value).unwrap(),
                    )
                })
                .collect();
            let status = StatusCode::from_u16(status).unwrap();
            let until = told_to_wait(status, &headers, body.as_bytes(), NOW);
            let waited = until.map(|until| (until.micros() - NOW.micros()) / 1_000_000);
            assert_eq!(waited, wait_s, "{status} {fields:?}");
        };
        let reset = "1800000600";
        check(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
            "",
            Some(601),
        );
        check(
            429,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
            "",
            Some(601),
        );
        check(
            403,
            &[("retry-after", "30"), ("x-ratelimit-remaining", "0")],
            "",
            Some(30),
        );
        check(403, &[("retry-after", "999999")], "", Some(MAX_WAIT_S));
        check(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")],
            "",
            Some(1),
        );
        check(429, &[], "", Some(DEFAULT_WAIT_S));
        check(
            403,
            &[("x-ratelimit-remaining", "4000")],
            "{\"message\":\"You have exceeded a secondary rate limit\"}",
            Some(DEFAULT_WAIT_S),
        );
        check(
            403,
            &[("x-ratelimit-remaining", "4000")],
            "Resource not accessible",
            None,
        );
        check(404, &[("retry-after", "30")], "", None);
        check(500, &[("x-ratelimit-remaining", "0")], "", None);
    }
}
