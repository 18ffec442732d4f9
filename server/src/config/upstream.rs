//! The address of a model provider.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

/// Where a provider is reached: scheme, host, and what stands before `/v1` in its paths, if anything. Plain http is
/// allowed: the operator knows what lies between the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UpstreamUrl(Uri);

impl UpstreamUrl {
    /// Anthropic's public address.
    pub fn anthropic() -> Self {
        Self(Uri::from_static("https://api.anthropic.com"))
    }

    /// OpenAI's public address.
    pub fn openai() -> Self {
        Self(Uri::from_static("https://api.openai.com"))
    }

    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for UpstreamUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let uri: Option<Uri> = url.parse().ok();
        let usable = uri.filter(|uri| {
            let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
            let has_host = uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
            // Paths of requests begin with it.
            has_scheme
                && has_host
                && uri.query().is_none()
                && !uri.path().trim_end_matches('/').ends_with("/v1")
        });
        // The text may hold a password, so it is not quoted.
        usable.map(Self).ok_or_else(|| {
            "must look like https://api.example.com, without /v1 at the end, a query or a password".to_owned()
        })
    }
}

impl TryFrom<String> for UpstreamUrl {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        url.parse()
    }
}

impl From<UpstreamUrl> for String {
    fn from(url: UpstreamUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |url: &str, expected: Option<&str>| {
            let parsed = url.parse::<UpstreamUrl>().ok().map(|url| url.to_string());
            assert_eq!(parsed.as_deref(), expected, "{url}");
        };
        check("https://api.openai.com", Some("https://api.openai.com"));
        check("https://api.openai.com/", Some("https://api.openai.com"));
        check("http://127.0.0.1:8000", Some("http://127.0.0.1:8000"));
        check(
            "https://api.groq.com/openai/",
            Some("https://api.groq.com/openai"),
        );
        check("https://api.openai.com/v1", None);
        check("https://api.openai.com/v1/", None);
        check("https://user:secret@api.openai.com", None);
        check("https://api.openai.com?x=1", None);
        check("ftp://api.openai.com", None);
        check("api.openai.com", None);
        check("/v1", None);
        check("", None);
    }
}
