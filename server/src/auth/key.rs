//! The key in a request's headers, and what is said about one that will not do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use domain::{KeyId, ProjectId, Scope, Timestamp};
use storage::keys::secret;

/// The header for programs that need `Authorization` for something else.
pub(super) const KEY_HEADER: &str = "x-plumbline-key";

pub(super) const MISSING: &str = "Send a key as `Authorization: Bearer pl_live_…`; create one with `plumbline keys add` or in the dashboard under Settings, Keys";
pub(super) const UNKNOWN: &str = "This server does not know this key: it belongs to another server, or its project was deleted. Create a new one with `plumbline keys add`";
pub(super) const MALFORMED: &str = "This key is malformed: keys begin with `pl_live_` and have 57 characters, of which the last six are a checksum. Copy it again";
pub(super) const OTHER_SCHEME: &str =
    "Send the key as `Authorization: Bearer pl_live_…`; other schemes are not supported";

pub(super) fn revoked(label: &str) -> String {
    format!("The key `{label}` was revoked; create a new one with `plumbline keys add`")
}

pub(super) fn lacks_scope(label: &str, required: Scope) -> String {
    let scope = required.as_str();
    format!("The key `{label}` lacks the scope `{scope}`; create a key that has it under Settings, Keys")
}

/// What a request brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    Nothing,
    /// An `Authorization` that is not meant to be a key.
    OtherScheme,
    /// Something that is meant to be a key and can't be one.
    Malformed,
    /// Text that could be a key.
    Key(&'a str),
}

impl Presented<'_> {
    /// Whether the client meant to send a key, which a browser never does by itself. Such a request gets what its key
    /// may, and nothing of what a session or an open server would give.
    pub(super) fn is_meant_as_key(self) -> bool {
        matches!(self, Self::Key(_) | Self::Malformed)
    }
}

/// Finds the key. A proxy that signs people in may leave an `Authorization` of its own in every request.
pub(super) fn presented(headers: &HeaderMap, behind_auth_proxy: bool) -> Presented<'_> {
    if let Some(key) = headers.get(KEY_HEADER) {
        return classify(key.to_str().unwrap_or_default());
    }
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return Presented::Nothing;
    };
    let authorization = authorization.as_bytes();
    // `Bearer` alone is what is left of `Bearer $KEY` where the variable is empty.
    let bearer = match authorization.get(..6) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"bearer") => &authorization[6..],
        _ if behind_auth_proxy => return Presented::Nothing,
        _ => return Presented::OtherScheme,
    };
    let text = std::str::from_utf8(bearer).unwrap_or_default().trim();
    if behind_auth_proxy && !text.starts_with(secret::PREFIX) {
        return Presented::Nothing;
    }
    classify(text)
}

fn classify(text: &str) -> Presented<'_> {
    let text = text.trim();
    if secret::is_well_formed(text) {
        Presented::Key(text)
    } else {
        Presented::Malformed
    }
}

/// Which keys were used in which minute, until that is flushed to the database.
#[derive(Debug, Default)]
pub(super) struct KeyUsage(Mutex<BTreeMap<(ProjectId, KeyId), LastUse>>);

#[derive(Clone, Copy, Debug)]
struct LastUse {
    minute: Timestamp,
    is_flushed: bool,
}

impl KeyUsage {
    pub(super) fn note(&self, project: ProjectId, key: KeyId, now: Timestamp) {
        let minute = now.minute();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = used.entry((project, key)).or_insert(LastUse {
            minute,
            is_flushed: false,
        });
        if last.minute < minute {
            *last = LastUse {
                minute,
                is_flushed: false,
            };
        }
    }

    /// Keys whose last use is not flushed.
    pub(super) fn unflushed(&self) -> Vec<(ProjectId, KeyId)> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.iter()
            .filter(|(_, last)| !last.is_flushed)
            .map(|(key, _)| *key)
            .collect()
    }

    pub(super) fn mark_flushed(&self, keys: &[(ProjectId, KeyId)]) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(last) = used.get_mut(key) {
                last.is_flushed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn finds_the_key() {
        let key = secret::from_bytes([3; 32]);
        let check = |name: &'static str, value: &str, expected: Presented<'_>| {
            let headers = HeaderMap::from_iter([(
                name.parse().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )]);
            assert_eq!(presented(&headers, false), expected, "{name}: {value}");
        };
        check("authorization", &format!("Bearer {key}"), Presented::Key(&key));
        check("authorization", &format!("bearer   {key} "), Presented::Key(&key));
        check("x-plumbline-key", &key, Presented::Key(&key));
        check("x-plumbline-key", "", Presented::Malformed);
        check("x-plumbline-key", "é", Presented::Malformed);
        check("authorization", "Bearer sk-123", Presented::Malformed);
        check("authorization", "Bearer ", Presented::Malformed);
        check("authorization", "Bearer", Presented::Malformed);
        check("authorization", "Bearer é", Presented::Malformed);
        check("authorization", &key, Presented::OtherScheme);
        check("authorization", "Basic dTpw", Presented::OtherScheme);
        check("authorization", "é", Presented::OtherScheme);
        check("accept", "*/*", Presented::Nothing);
    }

    #[test]
    fn a_proxys_own_sign_in_is_no_key() {
        let check = |value: &'static str, expected: Presented<'_>| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(presented(&headers, true), expected, "{value}");
        };
        check("Basic dTpw", Presented::Nothing);
        check("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", Presented::Nothing);
        check("Bearer pl_live_cut", Presented::Malformed);
    }

    #[test]
    fn a_use_is_written_once_a_minute() {
        let used = KeyUsage::default();
        let (project, key) = (ProjectId(uuid::Uuid::nil()), KeyId(uuid::Uuid::nil()));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        used.note(project, key, at(0));
        assert_eq!(used.unflushed(), [(project, key)]);
        used.mark_flushed(&[(project, key)]);
        used.note(project, key, at(59));
        assert_eq!(used.unflushed(), []);
        used.note(project, key, at(60));
        assert_eq!(used.unflushed(), [(project, key)]);
    }
}
