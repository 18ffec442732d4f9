//! The site inside the binary: style sheet, fonts, icon, and the browser's WASM when it was built.
//!
//! `build.rs` made the table. Each file answers under its plain path, revalidated by ETag, and under a path that
//! carries its content's hash, which browsers may keep for ever.

mod encoding;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use encoding::Encoding;

/// One file of the site.
#[derive(Debug)]
pub struct Asset {
    /// The name people write: `/favicon.svg`.
    pub path: &'static str,
    /// The name pages link to: `/favicon.0123456789ab.svg`.
    pub hashed_path: &'static str,
    /// Media type, with charset where it is text.
    pub content_type: &'static str,
    hash: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/site_table.rs"));

/// What the page's `<head>` links to, by hashed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrls {
    /// All style sheets in one.
    pub css: String,
    /// The module that starts the WASM; none when the site was not built.
    pub js: Option<String>,
    /// The WASM itself; none when the site was not built.
    pub wasm: Option<String>,
    /// The icon, SVG.
    pub favicon: String,
    /// The face of all texts but code.
    pub font: String,
}

/// The links of this binary's pages.
pub fn urls() -> SiteUrls {
    let hashed = |path: &str| asset(path).map(|asset| asset.hashed_path.to_owned());
    SiteUrls {
        css: hashed("/pkg/plumbline.css").unwrap_or_default(),
        js: hashed("/pkg/plumbline.js"),
        wasm: hashed("/pkg/plumbline_bg.wasm"),
        favicon: hashed("/favicon.svg").unwrap_or_default(),
        font: hashed("/fonts/inter-latin.woff2").unwrap_or_default(),
    }
}

/// The file at `path`, which is its plain or its hashed name.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS
        .iter()
        .find(|asset| asset.path == path || asset.hashed_path == path)
}

/// Says once, at start, that pages will have no scripts. Silent when the site was built.
pub fn warn_if_scripts_are_missing() {
    if asset("/pkg/plumbline_bg.wasm").is_none() {
        tracing::warn!(
            "built without the browser's part: pages work, nothing is live; `make site` builds it"
        );
    }
}

/// Middleware: answers requests for the site's files and passes everything else on.
pub async fn serve(request: Request, next: Next) -> Response {
    match respond(request.method(), request.uri().path(), request.headers()) {
        Some(response) => response,
        None => next.run(request).await,
    }
}

/// The answer for a file of the site; none for other paths and for methods other than GET and HEAD.
pub fn respond(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    let asset = asset(path)?;
    let accepted = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let encoding = encoding::choose(accepted, asset.brotli.is_some(), asset.gzip.is_some());
    let bytes = match encoding {
        Encoding::Brotli => asset.brotli.unwrap_or(asset.identity),
        Encoding::Gzip => asset.gzip.unwrap_or(asset.identity),
        Encoding::Identity => asset.identity,
    };
    let etag = etag(asset, encoding);
    let unchanged = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| etag_is_listed(value, &etag));

    let body = if unchanged || method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(bytes)
    };
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    let cache = if path == asset.hashed_path {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(ETAG, etag);
    }
    if asset.brotli.is_some() || asset.gzip.is_some() {
        fields.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response);
    }
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    if let Some(token) = encoding.token() {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    Some(response)
}

/// A strong tag names the bytes sent, so each encoding has its own.
fn etag(asset: &Asset, encoding: Encoding) -> String {
    match encoding.token() {
        Some(token) => format!("\"{}-{token}\"", asset.hash),
        None => format!("\"{}\"", asset.hash),
    }
}

/// `If-None-Match` compares weakly: a `W/` in front makes no difference (RFC 9110, 13.1.2).
fn etag_is_listed(if_none_match: &HeaderValue, etag: &str) -> bool {
    let Ok(listed) = if_none_match.to_str() else {
        return false;
    };
    listed
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests;
