//! Passwords: argon2id with its default costs, a few at a time, and never on the threads that serve requests.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

/// The fewest characters of a password.
pub const MIN_CHARS: usize = domain::account::MIN_PASSWORD_CHARS;
/// Hashes at the same time. Each takes 19 MiB.
const AT_ONCE: usize = 4;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// argon2 refused, which its default costs never do, or the system has no randomness.
    #[error("argon2 failed")]
    Argon2(#[source] argon2::password_hash::Error),
    /// The process is ending.
    #[error("the hash was not finished")]
    Ended,
}

pub fn is_long_enough(password: &str) -> bool {
    password.chars().count() >= MIN_CHARS
}

/// The hash to store, as PHC text. Takes tens of milliseconds of one core.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(PasswordError::Argon2)?;
    Ok(hash.to_string())
}

/// Whether `stored` is the hash of `password`. `None` stands for an account that does not exist, and takes as long.
fn verify(password: &str, stored: Option<&str>) -> bool {
    static PLACEHOLDER_HASH: LazyLock<String> =
        LazyLock::new(|| hash("nobody's password").unwrap_or_default());
    let hash = PasswordHash::new(stored.unwrap_or(&PLACEHOLDER_HASH));
    let matches = hash.is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    });
    matches && stored.is_some()
}

/// Hashes and compares off the request threads.
#[derive(Debug)]
pub(super) struct Passwords {
    running: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            running: Semaphore::new(AT_ONCE),
        }
    }
}

impl Passwords {
    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let _running = self.running.acquire().await;
        tokio::task::spawn_blocking(move || hash(&password))
            .await
            .unwrap_or(Err(PasswordError::Ended))
    }

    pub(super) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let _running = self.running.acquire().await;
        let verified = tokio::task::spawn_blocking(move || verify(&password, stored.as_deref())).await;
        verified.or(Err(PasswordError::Ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_fits() {
        let stored = hash("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"), "{stored}");
        let check = |password: &str, stored: Option<&str>, expected: bool| {
            assert_eq!(verify(password, stored), expected, "{password}");
        };
        check("correct horse", Some(&stored), true);
        check("correct horsE", Some(&stored), false);
        check("", Some(&stored), false);
        check("correct horse", Some("no hash"), false);
        check("correct horse", None, false);
        check("nobody's password", None, false);
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(is_long_enough("0123456789"));
        assert!(!is_long_enough("éééé56789"));
    }
}
