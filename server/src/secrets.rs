//! Secrets of others that have to be used again, such as tokens and webhook secrets: encrypted wherever they are
//! stored, with a key that is not in the database.
//!
//! **Invariants:** a sealed secret opens with the same key in the same project and field only. Each use has a key of its
//! own, derived from the one that is kept.

mod key_file;
mod payloads;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use domain::ProjectId;
use hkdf::Hkdf;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::Sha256;

use crate::config::{Config, SecretKey};

pub use key_file::{KeyFileError, KeyPlace};
pub use payloads::{KEY_FIELD, TextKey};

/// The format of what is stored: this byte, four that name the key, twelve of the nonce, the text with its tag.
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
/// What the derived keys are for.
const SEAL: &[u8] = b"plumbline 1 seal secrets of integrations";
const NAME: &[u8] = b"plumbline 1 name of the key";
const REDACTION: &[u8] = b"plumbline 1 hashes of hidden values";

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    cipher: Arc<Aes256Gcm>,
    redaction: [u8; 32],
    key_id: [u8; KEY_ID_BYTES],
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Why a stored secret can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(
        "it was stored with another key than this server has; enter it again, or give this server that key"
    )]
    OtherKey,
    #[error("what is stored is damaged; enter it again")]
    Damaged,
}

/// The system has no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness")]
pub struct NoRandomness;

impl Secrets {
    /// With the key that the configuration names; makes the file in the data folder where there is none.
    pub fn of(config: &Config) -> Result<Self, KeyFileError> {
        match KeyPlace::of(config) {
            KeyPlace::Environment(key) => Ok(Self::with_key(&key)),
            KeyPlace::File(path) => Ok(Self::with_key(&key_file::read(&path)?)),
            KeyPlace::DataFolder(path) => Ok(Self::with_key(&key_file::read_or_make(&path)?)),
        }
    }

    /// With the key in a file.
    pub fn of_file(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self::with_key(&key_file::read(path)?))
    }

    pub fn with_key(key: &SecretKey) -> Self {
        let derive = Hkdf::<Sha256>::new(None, key.bytes());
        let mut seal = [0; 32];
        let mut key_id = [0; KEY_ID_BYTES];
        let mut redaction = [0; 32];
        // Lengths that HKDF can always fill.
        let (_, _, _) = (
            derive.expand(SEAL, &mut seal),
            derive.expand(NAME, &mut key_id),
            derive.expand(REDACTION, &mut redaction),
        );
        Self {
            cipher: Arc::new(Aes256Gcm::new(&seal.into())),
            redaction,
            key_id,
        }
    }

    /// The key of a project's hashes of hidden values. It is derived and stored nowhere; with another key of this server it
    /// is another one, and the same value has another hash from then on.
    pub fn redaction_key(&self, project: ProjectId) -> [u8; 32] {
        let mut key = [0; 32];
        let derive = Hkdf::<Sha256>::new(None, &self.redaction);
        // A length that HKDF can always fill.
        match derive.expand(project.0.as_bytes(), &mut key) {
            Ok(()) => key,
            Err(_too_long) => self.redaction,
        }
    }

    /// Encrypts a secret for one field of one project, such as `github.token`.
    pub fn seal(&self, project: ProjectId, field: &str, secret: &str) -> Result<Vec<u8>, NoRandomness> {
        let mut nonce = [0; NONCE_BYTES];
        SysRng.try_fill_bytes(&mut nonce).map_err(|_none| NoRandomness)?;
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: &bound_to(project, field),
        };
        // It fails for texts of more than 64 GiB alone.
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), payload)
            .map_err(|_too_long| NoRandomness)?;
        let head = [&[VERSION][..], &self.key_id, &nonce];
        Ok([head.concat(), sealed].concat())
    }

    /// The secret of a field that was sealed for this project.
    pub fn open(&self, project: ProjectId, field: &str, sealed: &[u8]) -> Result<String, OpenError> {
        let (head, text) = sealed.split_at_checked(HEAD_BYTES).ok_or(OpenError::Damaged)?;
        let (version, rest) = head.split_at(1);
        let (key_id, nonce) = rest.split_at(KEY_ID_BYTES);
        if version != [VERSION] {
            return Err(OpenError::Damaged);
        }
        if key_id != self.key_id {
            return Err(OpenError::OtherKey);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_length| OpenError::Damaged)?;
        let payload = Payload {
            msg: text,
            aad: &bound_to(project, field),
        };
        let opened = self
            .cipher
            .decrypt(&nonce.into(), payload)
            .map_err(|_other| OpenError::Damaged)?;
        String::from_utf8(opened).map_err(|_no_text| OpenError::Damaged)
    }
}

/// What a sealed secret belongs to: the project, whose id is always as long, then the field.
fn bound_to(project: ProjectId, field: &str) -> Vec<u8> {
    [&project.0.as_bytes()[..], field.as_bytes()].concat()
}

/// The last four characters of a secret that is long enough to show them.
pub fn last_four(secret: &str) -> Option<String> {
    const SHOWN: usize = 4;
    let count = secret.chars().count();
    (count >= 3 * SHOWN).then(|| secret.chars().skip(count - SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(uuid::Uuid::from_u128(1));
    const OTHER: ProjectId = ProjectId(uuid::Uuid::from_u128(2));

    fn secrets(byte: u8) -> Secrets {
        Secrets::with_key(&SecretKey::new([byte; 32]))
    }

    #[test]
    fn a_secret_opens_in_its_project_and_field_only() {
        let own = secrets(7);
        let sealed = own.seal(PROJECT, "github.token", "ghp_canary").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert_eq!(
            own.open(PROJECT, "github.token", &sealed).as_deref(),
            Ok("ghp_canary")
        );
        assert_eq!(own.open(OTHER, "github.token", &sealed), Err(OpenError::Damaged));
        assert_eq!(
            own.open(PROJECT, "github.secret", &sealed),
            Err(OpenError::Damaged)
        );
        assert_eq!(
            secrets(8).open(PROJECT, "github.token", &sealed),
            Err(OpenError::OtherKey)
        );
        assert_ne!(own.seal(PROJECT, "github.token", "ghp_canary").unwrap(), sealed);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let own = secrets(7);
        let sealed = own.seal(PROJECT, "f", "secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(own.open(PROJECT, "f", &changed).is_err(), "{at}");
            assert!(own.open(PROJECT, "f", &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn short_secrets_show_nothing() {
        assert_eq!(last_four("ghp_0123456789abcd").as_deref(), Some("abcd"));
        assert_eq!(last_four("elevenchars"), None);
        assert_eq!(last_four("éééééééééééé").as_deref(), Some("éééé"));
    }
}
