//! What other web sites in the visitor's browser may not do: reach a server on loopback under a name of their own
//! (DNS rebinding), and send what changes something (cross-site request forgery).

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::Auth;
use crate::error::{HttpError, HttpResult};
use crate::plain_page::Audience;

/// Probes ask under whatever name they like, and learn nothing. Webhooks come under the name of whatever leads them here,
/// and are signed with a secret that no web site knows.
const UNDER_ANY_NAME: [&str; 3] = ["/healthz", "/readyz", "/hooks/github"];

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

/// Middleware around everything: refuses what another site may have caused. Requests with a key that is one pass: no
/// other site knows one, and they get nothing but what the key may.
pub async fn protect(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let audience = Audience::of(request.headers(), request.extensions());
    if let Err(error) = one_host(request.headers()) {
        return audience.refuse(error);
    }
    if UNDER_ANY_NAME.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let presented = auth.presented(request.headers());
    match auth
        .answers_under_this_name(request.uri(), request.headers())
        .await
    {
        Ok(true) if presented.is_meant_as_key() => return next.run(request).await,
        Ok(true) => {}
        // A page under a foreign name may send any header: what is no key opens nothing, and is told so.
        Ok(false) if presented.is_meant_as_key() => {
            return match auth.known_key(presented).await {
                Ok(()) => next.run(request).await,
                Err(error) => audience.refuse(error),
            };
        }
        Ok(false) => return audience.refuse(auth.foreign_name()),
        Err(error) => return audience.refuse(error),
    }
    if is_read_by_another_site(&request, auth.inner.settings.public_url.as_deref()) {
        return audience.refuse(HttpError::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            READ_ACROSS_SITES,
        ));
    }
    match auth.inner.csrf.layer(next).oneshot(request).await {
        Ok(response) if response.extensions().get::<ProtectionError>().is_some() => audience.show(response),
        Ok(response) => response,
        Err(never) => match never {},
    }
}

impl Auth {
    /// Whether a request under this name can only have been meant for this server. A server on loopback that a browser
    /// reaches without signing in has to look at the name: any other may belong to a web site. Behind a proxy that
    /// signs people in it is the proxy's name, which `public_url` says.
    async fn answers_under_this_name(&self, uri: &Uri, headers: &HeaderMap) -> HttpResult<bool> {
        let settings = &self.inner.settings;
        if !settings.loopback || names_loopback(uri, headers) {
            return Ok(true);
        }
        if settings.behind_auth_proxy {
            let own = settings.public_url.as_deref().and_then(host_of_url);
            if own.is_some() && own == named_host(uri, headers) {
                return Ok(true);
            }
        }
        // Metrics say what waits for a database that is away, so they are not to wait for it.
        let instance_state = self.instance_state_or_stale().await?;
        Ok(instance_state.accounts_exist)
    }

    fn foreign_name(&self) -> HttpError {
        HttpError::forbidden(if self.inner.settings.behind_auth_proxy {
            FOREIGN_NAME_BEHIND_PROXY
        } else {
            FOREIGN_NAME
        })
    }
}

const FOREIGN_NAME: &str = "This server has no accounts, so it answers only under this machine's own names, such as \
     http://localhost: any other name may belong to a web site that wants to read it (DNS rebinding). Use that address, \
     send a key, or set up accounts";
const FOREIGN_NAME_BEHIND_PROXY: &str = "Behind a proxy on this machine the server answers only under the host of \
     `public_url` and this machine's own names: any other name may belong to a web site that wants to get around the \
     proxy (DNS rebinding). Set `public_url` to the address that people use";
const READ_ACROSS_SITES: &str = "Another site asked for this. Pages can be opened by a link; nothing else is answered to \
     other sites";

/// 400 for a request that names two hosts: what stands before this server may have looked at the other one.
pub(crate) fn one_host(headers: &HeaderMap) -> HttpResult<()> {
    if headers.get_all(header::HOST).iter().nth(1).is_none() {
        return Ok(());
    }
    let message = "The request has more than one Host header";
    Err(HttpError::new(StatusCode::BAD_REQUEST, "invalid_host", message))
}

/// Whether another site's page reads, for instance by an image or to measure how long it takes. A link that is followed
/// is no such read, except to what is no page.
fn is_read_by_another_site(request: &Request, public_url: Option<&str>) -> bool {
    let (method, headers) = (request.method(), request.headers());
    if *method != Method::GET && *method != Method::HEAD {
        return false;
    }
    let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let Some(site) = said("sec-fetch-site") else {
        // Browsers name the site over TLS and to loopback only, and an origin with what scripts read across sites.
        return headers
            .get(header::ORIGIN)
            .is_some_and(|origin| !is_own_origin(origin, headers, public_url));
    };
    if site == b"same-origin" || site == b"none" {
        return false;
    }
    let is_page = !NO_PAGES
        .iter()
        .any(|prefix| request.uri().path().starts_with(prefix));
    let follows_a_link =
        said("sec-fetch-mode") == Some(b"navigate") && said("sec-fetch-dest") == Some(b"document");
    !(is_page && follows_a_link)
}

/// What only the pages' own code asks for.
const NO_PAGES: [&str; 2] = ["/ui/", "/live/"];

fn is_own_origin(origin: &HeaderValue, headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let Ok(origin_text) = origin.to_str() else {
        return false;
    };
    let authority = origin_text.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let names_host = matches!((authority, host), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b));
    let is_public = public_url
        .and_then(self::origin)
        .is_some_and(|public| public.eq_ignore_ascii_case(origin_text));
    names_host || is_public
}

/// The host of a URL, without its port, as browsers write it.
fn host_of_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(bare_name(uri.authority()?))
}

/// The host that a request names, without its port.
fn named_host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    match (uri.authority(), headers.get(header::HOST)) {
        (Some(authority), _) => Some(bare_name(authority)),
        (None, Some(host)) => Some(bare_name(&Authority::try_from(host.as_bytes()).ok()?)),
        (None, None) => None,
    }
}

fn bare_name(authority: &Authority) -> String {
    let host = authority.host().to_ascii_lowercase();
    host.strip_suffix('.').unwrap_or(&host).to_owned()
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
