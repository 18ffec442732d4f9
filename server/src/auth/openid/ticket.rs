//! What a browser keeps while the person is at the provider: sealed, so that it is neither read nor made elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::token::{random_token, token_sha256};
use crate::secrets::Secrets;

/// How long a person may take at the provider.
pub(super) const SECONDS: u64 = 600;
const MICROS: i64 = 600 * 1_000_000;
/// Longer ways back than this don't fit into a cookie with the rest.
const MAX_NEXT_BYTES: usize = 1_500;
/// What is sealed of no project.
const SERVER: ProjectId = ProjectId(Uuid::nil());
const FIELD: &str = "openid.sign_in";
const ID_TOKEN: &str = "openid.id_token";

/// A sign-in that has begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    /// What the provider sends back with the person.
    pub(super) state: String,
    /// What it writes into the token.
    pub(super) nonce: String,
    /// What proves that whoever asks for the token began the sign-in.
    pub(super) verifier: String,
    /// Where to go afterwards: a path of this server.
    pub(super) next: String,
    until_micros: i64,
}

impl Ticket {
    /// A new one; `None` when the system has no randomness.
    pub(super) fn new(next: String, now: Timestamp) -> Option<Self> {
        let next = if next.len() > MAX_NEXT_BYTES {
            "/".to_owned()
        } else {
            next
        };
        Some(Self {
            state: random_token()?,
            nonce: random_token()?,
            verifier: random_token()?,
            next,
            until_micros: now.plus_micros(MICROS).micros(),
        })
    }

    /// When it is good for nothing any more.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp::from_micros(self.until_micros)
    }

    /// As it stands in the cookie.
    pub(super) fn seal(&self, secrets: &Secrets) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        let sealed = secrets.seal(SERVER, FIELD, &text).ok()?;
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// That of a cookie, if it is good at `now` and for what came back from the provider.
    pub(super) fn open(secrets: &Secrets, cookie: &str, state: &str, now: Timestamp) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let text = secrets.open(SERVER, FIELD, &sealed).ok()?;
        let ticket: Self = serde_json::from_str(&text).ok()?;
        // Hashes, so that how long the comparison takes says nothing.
        let is_its_own = token_sha256(&ticket.state) == token_sha256(state);
        (is_its_own && now < ticket.until()).then_some(ticket)
    }
}

/// A token that ends the session at the provider, as it is stored.
pub(super) fn seal_id_token(secrets: &Secrets, token: &str) -> Option<Vec<u8>> {
    secrets.seal(SERVER, ID_TOKEN, token).ok()
}

/// The token again; `None` where it was sealed with another key.
pub(super) fn open_id_token(secrets: &Secrets, sealed: &[u8]) -> Option<String> {
    secrets.open(SERVER, ID_TOKEN, sealed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretKey;

    #[test]
    fn a_ticket_is_good_for_its_own_state_and_ten_minutes() {
        let secrets = Secrets::with_key(&SecretKey::new([1; 32]));
        let now = Timestamp::from_micros(0);
        let ticket = Ticket::new("/p/a".to_owned(), now).unwrap();
        let cookie = ticket.seal(&secrets).unwrap();
        let open = |secrets: &Secrets, cookie: &str, state: &str, seconds: i64| {
            Ticket::open(secrets, cookie, state, now.plus_micros(seconds * 1_000_000)).map(|it| it.next)
        };
        let state = ticket.state.as_str();
        assert_eq!(open(&secrets, &cookie, state, 599).as_deref(), Some("/p/a"));
        assert_eq!(open(&secrets, &cookie, state, 600), None);
        assert_eq!(open(&secrets, &cookie, &ticket.nonce, 1), None);
        assert_eq!(open(&secrets, &cookie[1..], state, 1), None);
        let other = Secrets::with_key(&SecretKey::new([2; 32]));
        assert_eq!(open(&other, &cookie, state, 1), None);
        assert!(!cookie.contains(state));
    }

    #[test]
    fn a_cookie_stays_small() {
        let secrets = Secrets::with_key(&SecretKey::new([1; 32]));
        let now = Timestamp::from_micros(0);
        for length in [1, MAX_NEXT_BYTES, 100_000] {
            let ticket = Ticket::new("/".repeat(length), now).unwrap();
            assert!(ticket.seal(&secrets).unwrap().len() < 3_000);
        }
    }
}
