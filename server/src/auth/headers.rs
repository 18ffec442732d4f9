//! The security headers of every answer: what may run, load and embed.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Auth;

/// For what is no page: nothing runs, loads or embeds.
const NO_PAGE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const PERMISSIONS: &str =
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()";
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Two years.
const STRICT_TRANSPORT: &str = "max-age=63072000";

/// What a page of the dashboard may do. Its scripts are our own files and those that carry its `nonce`.
pub fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// Middleware around everything: the headers that are the same for all answers, where they set none themselves.
pub async fn secure(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let https = auth.inner.settings.is_https();
    let referrer = referrer_policy(https, request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // What programs read is nothing for a cache that others share; files of the site say how long they may be kept.
    default(header::CACHE_CONTROL, "no-store");
    default(header::X_FRAME_OPTIONS, "DENY");
    default(header::REFERRER_POLICY, referrer);
    default(header::CONTENT_SECURITY_POLICY, NO_PAGE_POLICY);
    default(PERMISSIONS_POLICY, PERMISSIONS);
    default(OPENER_POLICY, "same-origin");
    default(RESOURCE_POLICY, "same-origin");
    if https {
        default(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    response
}

/// `no-referrer`, except where a form would then come without any proof of its origin: browsers send
/// `Sec-Fetch-Site` only over TLS and to loopback, and under `no-referrer` they send `Origin: null`.
fn referrer_policy(https: bool, request: &HeaderMap) -> &'static str {
    let host = request
        .get(header::HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let trustworthy = https || host.is_none_or(|host| super::guard::is_loopback_name(&host));
    if trustworthy { "no-referrer" } else { "same-origin" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_our_scripts_only() {
        let policy = content_security_policy("abc");
        assert!(
            policy.contains("script-src 'self' 'nonce-abc' 'wasm-unsafe-eval';"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{policy}"
        );
    }

    #[test]
    fn forms_keep_a_proof_of_origin() {
        let check = |https: bool, host: &'static str, expected: &str| {
            let request = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(referrer_policy(https, &request), expected, "{host}");
        };
        check(false, "localhost:3000", "no-referrer");
        check(false, "127.0.0.1:3000", "no-referrer");
        check(true, "plumbline.acme.dev", "no-referrer");
        check(false, "10.0.0.4:3000", "same-origin");
    }
}
