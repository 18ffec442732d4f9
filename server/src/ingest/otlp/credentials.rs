//! The key as exporters send it: as a bearer token, as the SDKs of Langfuse do in Basic authentication, or with the
//! space of `Bearer …` still encoded, because that is how it stands in `OTEL_EXPORTER_OTLP_HEADERS`.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage::keys::secret;

/// Turns what carries one of our keys into a bearer token. What an SDK sends that insists on a pair of keys, and has none
/// of ours, is taken away: where no key is needed it may be anything.
pub(super) fn as_bearer(headers: &mut HeaderMap) {
    let is_of_others = |value: &HeaderValue| {
        let pair = value.to_str().ok().and_then(basic_pair);
        pair.is_some_and(|pair| !pair.contains(secret::PREFIX))
    };
    if headers.get(header::AUTHORIZATION).is_some_and(is_of_others) {
        headers.remove(header::AUTHORIZATION);
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| key_in(value.to_str().ok()?))
        .and_then(|key| HeaderValue::from_str(&format!("Bearer {key}")).ok());
    if let Some(mut bearer) = bearer {
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
}

fn key_in(authorization: &str) -> Option<String> {
    let is_key = |text: &&str| secret::is_well_formed(text);
    let (scheme, rest) = authorization
        .split_once(' ')
        .or_else(|| authorization.split_once("%20"))?;
    if let Some(pair) = basic_pair(authorization) {
        let (user, password) = pair.split_once(':').unwrap_or((&pair, ""));
        return [password, user].into_iter().find(is_key).map(str::to_owned);
    }
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    Some(rest.trim())
        .filter(|key| is_bearer && is_key(key))
        .map(str::to_owned)
}

/// User and password as they stand in Basic authentication.
fn basic_pair(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    let pair = STANDARD.decode(rest.trim()).ok().filter(|_| is_basic)?;
    String::from_utf8(pair).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_they_are_sent() {
        let key = secret::from_bytes([7; 32]);
        let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
        let check =
            |sent: &str, expected: Option<&str>| assert_eq!(key_in(sent).as_deref(), expected, "{sent}");
        check(&format!("Bearer {key}"), Some(&key));
        check(&format!("Bearer%20{key}"), Some(&key));
        check(&basic(format!("pk-lf-1:{key}")), Some(&key));
        check(&basic(format!("{key}:")), Some(&key));
        check(&basic(key.clone()), Some(&key));
        check(&basic("pk-lf-1:sk-lf-2".to_owned()), None);
        check("Basic ???", None);
        check("Bearer other", None);
        check(&key, None);
    }
}
