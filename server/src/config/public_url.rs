//! How people reach the server.

use std::str::FromStr as _;

use axum::http::Uri;

use super::{ConfigError, invalid};

/// Scheme and host, without a slash at the end.
pub(super) fn parse(url: &str) -> Result<String, ConfigError> {
    let url = url.trim_end_matches('/');
    let usable = Uri::from_str(url).is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
    });
    if usable {
        Ok(url.to_owned())
    } else {
        Err(invalid(
            "public_url",
            format!("must look like https://plumbline.example.com, not `{url}`"),
        ))
    }
}
