//! What other web sites in the visitor's browser may not do: reach a server on loopback under a name of their own
//! (DNS rebinding), and send what changes something (cross-site request forgery).

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::Auth;
use crate::error::HttpError;
use crate::plain_page::Audience;

/// Probes ask under whatever name they like, and learn nothing.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// tower-http's check by `Sec-Fetch-Site` and `Origin`, with our words.
pub(super) type Csrf = CsrfLayer<fn(ProtectionError) -> Response>;

pub(super) fn csrf(public_url: Option<&str>) -> Csrf {
    let layer = CsrfLayer::new();
    let layer = match public_url.and_then(origin) {
        // Proxies that rewrite Host leave the browser's Origin alone.
        Some(origin) => layer.clone().add_trusted_origin(origin).unwrap_or(layer),
        None => layer,
    };
    layer.with_rejection_response(refuse_cross_site as fn(ProtectionError) -> Response)
}

fn refuse_cross_site(_: ProtectionError) -> Response {
    let message = "The request came from another site or an outdated page, so nothing was changed. Reload the page and try again; programs send a key as `Authorization: Bearer pl_live_…`";
    HttpError::new(StatusCode::FORBIDDEN, "cross_site", message).into_response()
}

/// `https://host:port` of a URL, as browsers write it.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!(
        "{}://{}",
        uri.scheme_str()?,
        uri.authority()?.as_str().to_ascii_lowercase()
    ))
}

/// Middleware around everything: refuses what another site may have caused. Requests that bring a key pass: no other
/// site knows one, and they get nothing but what the key may.
pub async fn protect(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    if auth.presented(request.headers()).is_meant_as_key() || PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if auth.inner.settings.loopback && !auth.inner.settings.behind_auth_proxy {
        // Metrics say what waits for a database that is away, so they are not to wait for it.
        match auth
            .instance_state_or_stale()
            .await
            .map(|instance_state| instance_state.accounts_exist)
        {
            Ok(true) => {}
            Ok(false) if names_loopback(request.uri(), request.headers()) => {}
            Ok(false) => return Audience::of(request.headers(), request.extensions()).refuse(foreign_name()),
            Err(error) => return Audience::of(request.headers(), request.extensions()).refuse(error),
        }
    }
    let audience = Audience::of(request.headers(), request.extensions());
    match auth.inner.csrf.layer(next).oneshot(request).await {
        Ok(response) if response.extensions().get::<ProtectionError>().is_some() => audience.show(response),
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn foreign_name() -> HttpError {
    HttpError::forbidden(
        "This server has no accounts, so it answers only under this machine's own names, such as http://localhost: \
         any other name may belong to a web site that wants to read it (DNS rebinding). Use that address, send a \
         key, or set up accounts",
    )
}

/// Whether the request was sent to `localhost` or an address of 127.0.0.0/8 or ::1, whatever the port.
pub(super) fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    match (uri.authority(), headers.get(header::HOST)) {
        (Some(authority), _) => is_loopback_name(authority),
        (None, Some(host)) => {
            Authority::try_from(host.as_bytes()).is_ok_and(|authority| is_loopback_name(&authority))
        }
        (None, None) => false,
    }
}

pub(super) fn is_loopback_name(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // RFC 6761: names below localhost cannot be owned by others.
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_this_machines_own_names() {
        let check = |host: &str, expected: bool| {
            let headers =
                HeaderMap::from_iter([(header::HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap())]);
            assert_eq!(
                names_loopback(&Uri::from_static("/"), &headers),
                expected,
                "{host}"
            );
        };
        check("localhost", true);
        check("localhost:3000", true);
        check("LOCALHOST.:3000", true);
        check("plumbline.localhost:3000", true);
        check("127.0.0.1:3000", true);
        check("127.9.9.9", true);
        check("[::1]:3000", true);
        check("[::ffff:127.0.0.1]", true);
        check("evil.example", false);
        check("localhost.evil.example", false);
        check("evillocalhost", false);
        check("127.0.0.1.evil.example:3000", false);
        check("127.0.0.1@evil.example", false);
        check("localhost@evil.example", false);
        check("evil.example@localhost", false);
        check("10.0.0.1", false);
        check("0.0.0.0", false);
        check("[::]", false);
        check("2130706433", false);
        check("é", false);
        check("", false);
        assert!(!names_loopback(&Uri::from_static("/"), &HeaderMap::new()));
        assert!(!names_loopback(
            &Uri::from_static("http://evil.example/"),
            &HeaderMap::new()
        ));
        assert!(names_loopback(
            &Uri::from_static("http://localhost/"),
            &HeaderMap::new()
        ));
    }

    #[test]
    fn origins() {
        let check = |url: &str, expected: Option<&str>| assert_eq!(origin(url).as_deref(), expected);
        check("https://Plumbline.Acme.dev/", Some("https://plumbline.acme.dev"));
        check("http://10.0.0.1:8080/x", Some("http://10.0.0.1:8080"));
        check("plumbline.acme.dev", None);
        check("", None);
    }
}
