//! Passwords: argon2id with its default costs, a few at a time in buffers that are kept, and never on the threads that
//! serve requests.

mod policy;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

pub use policy::{PasswordProblem, problem};

/// Hashes at the same time, at most. Each takes 19 MiB, and a core for tens of milliseconds.
const MAX_AT_ONCE: usize = 4;
/// Those that wait for their turn. More are refused: they would wait longer than people do.
const MAX_WAITING: usize = 64;
const HASH_BYTES: usize = 32;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// argon2 refused, which its default costs never do.
    #[error("argon2 failed: {0}")]
    Argon2(argon2::Error),
    /// The system has no randomness, or the hash has no room in PHC text.
    #[error("no salt or no text for a hash")]
    Encoding,
    /// Too many wait already.
    #[error("too many passwords at once")]
    Busy,
    /// The process is ending.
    #[error("the hash was not finished")]
    Ended,
}

/// The hash to store, as PHC text. Takes tens of milliseconds of one core.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    hash_in(&mut Vec::new(), password)
}

fn hash_in(buffer: &mut Vec<Block>, password: &str) -> Result<String, PasswordError> {
    let mut bytes = [0; 16];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes).or(Err(PasswordError::Encoding))?;
    let argon2 = Argon2::default();
    let output = compute(&argon2, buffer, password, &bytes, HASH_BYTES)?;
    let encoded = || {
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(argon2.params()).ok()?,
            salt: Some(Salt::new(&bytes).ok()?),
            hash: Some(output),
        };
        Some(hash.to_string())
    };
    encoded().ok_or(PasswordError::Encoding)
}

/// Whether `stored` is the hash of `password`. `None` stands for an account that does not exist, and takes as long.
fn verify_in(buffer: &mut Vec<Block>, password: &str, stored: Option<&str>) -> bool {
    static PLACEHOLDER_HASH: LazyLock<String> =
        LazyLock::new(|| hash("nobody's password").unwrap_or_default());
    let mut matches = || {
        let stored = PasswordHash::new(stored.unwrap_or(&PLACEHOLDER_HASH)).ok()?;
        let algorithm: Algorithm = stored.algorithm.as_str().parse().ok()?;
        let version = Version::try_from(stored.version?).ok()?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored).ok()?);
        let (salt, expected) = (stored.salt?, stored.hash?);
        let found = compute(&argon2, buffer, password, salt.as_ref(), expected.len()).ok()?;
        // Compared in constant time.
        Some(found == expected)
    };
    matches().unwrap_or(false) && stored.is_some()
}

/// argon2 in `buffer`, which grows to what it needs and is left as large.
fn compute(
    argon2: &Argon2<'_>,
    buffer: &mut Vec<Block>,
    password: &str,
    salt: &[u8],
    bytes: usize,
) -> Result<Output, PasswordError> {
    let blocks = argon2.params().block_count();
    if buffer.len() < blocks {
        buffer.resize(blocks, Block::new());
    }
    let mut hash = [0; Output::MAX_LENGTH];
    let hash = hash.get_mut(..bytes).ok_or(PasswordError::Encoding)?;
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, hash, &mut buffer[..blocks])
        .map_err(PasswordError::Argon2)?;
    Output::new(hash).or(Err(PasswordError::Encoding))
}

/// Hashes and compares off the request threads.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Those in use are taken out. There are never more than may run at once.
    buffers: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Default for Passwords {
    /// Half of the cores at most, so that people who sign in do not stop what programs send.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, |cores| cores.get());
        Self {
            running: Arc::new(Semaphore::new((cores / 2).clamp(1, MAX_AT_ONCE))),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            buffers: Arc::default(),
        }
    }
}

impl Passwords {
    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move |buffer| hash_in(buffer, &password)).await?
    }

    pub(super) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.run(move |buffer| verify_in(buffer, &password, stored.as_deref()))
            .await
    }

    /// Does `work` with one of the buffers when it is its turn. Its place is taken until it is done, also when nobody
    /// waits for it any more: whoever hangs up must not start more than may run.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let waiting = self.waiting.try_acquire().or(Err(PasswordError::Busy))?;
        let place = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .or(Err(PasswordError::Ended))?;
        drop(waiting);
        let buffers = Arc::clone(&self.buffers);
        let run = move || {
            let locked = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
            let mut buffer = locked().pop().unwrap_or_default();
            let done = work(&mut buffer);
            locked().push(buffer);
            drop(place);
            done
        };
        tokio::task::spawn_blocking(run)
            .await
            .or(Err(PasswordError::Ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(password: &str, stored: Option<&str>) -> bool {
        verify_in(&mut Vec::new(), password, stored)
    }

    #[test]
    fn only_the_password_itself_fits() {
        let stored = hash("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let check = |password: &str, stored: Option<&str>, expected: bool| {
            assert_eq!(verify(password, stored), expected, "{password}");
        };
        check("correct horse", Some(&stored), true);
        check("correct horsE", Some(&stored), false);
        check("", Some(&stored), false);
        check("correct horse", Some("no hash"), false);
        check("correct horse", None, false);
        check("nobody's password", None, false);
        assert_ne!(
            hash("correct horse").unwrap(),
            stored,
            "each has a salt of its own"
        );
    }

    #[test]
    fn a_used_buffer_changes_nothing() {
        let mut buffer = Vec::new();
        let stored = hash_in(&mut buffer, "correct horse").unwrap();
        let size = buffer.len();
        // As argon2's own code makes and reads them.
        let theirs = {
            use argon2::password_hash::PasswordHasher as _;
            let hash: PasswordHash = Argon2::default().hash_password(b"other horse").unwrap();
            hash.to_string()
        };
        assert!(verify_in(&mut buffer, "other horse", Some(&theirs)));
        assert!(verify_in(&mut buffer, "correct horse", Some(&stored)));
        assert!(!verify_in(&mut buffer, "other horse", Some(&stored)));
        assert_eq!(buffer.len(), size);
        use argon2::password_hash::PasswordVerifier as _;
        let ours = PasswordHash::new(&stored).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &ours).is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_does_not_grow_with_attempts_nor_with_those_who_hang_up() {
        let passwords = Passwords::default();
        let may_run = passwords.running.available_permits();
        for _ in 0..10 {
            let attempts = (0..8).map(|_| passwords.verify("x".to_owned(), None));
            futures::future::join_all(attempts).await;
            // Polled once, so that it has begun, and dropped.
            let mut given_up = Box::pin(passwords.verify("x".to_owned(), None));
            futures::future::poll_immediate(&mut given_up).await;
        }
        let all = u32::try_from(may_run).unwrap();
        let _all_are_done = passwords.running.acquire_many(all).await.unwrap();
        let buffers = passwords.buffers.lock().unwrap();
        assert!((1..=may_run).contains(&buffers.len()), "{}", buffers.len());
        assert!(buffers.iter().all(|buffer| buffer.capacity() == 19_456));
    }

    #[tokio::test]
    async fn a_crowd_is_refused_instead_of_queued_for_minutes() {
        let passwords = Passwords::default();
        let attempts = (0..MAX_WAITING + 20).map(|_| passwords.verify("x".to_owned(), None));
        let refused = futures::future::join_all(attempts)
            .await
            .into_iter()
            .filter(|answer| matches!(answer, Err(PasswordError::Busy)))
            .count();
        assert!((1..=20).contains(&refused), "{refused}");
    }
}
