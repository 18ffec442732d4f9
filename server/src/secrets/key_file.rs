//! Where the key of secrets is kept: in the environment, in a file that the configuration names, or in one that the
//! first start makes in the data folder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::config::{Config, SecretKey};

/// The file's name in the data folder.
const FILE: &str = "secret.key";
/// Bits of a file's mode by which others than its owner may read or write it.
const OTHERS: u32 = 0o077;

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// `PLUMBLINE_SECRET_KEY`.
    Environment(SecretKey),
    /// `secret_key_file`.
    File(PathBuf),
    /// Made where it is missing.
    DataFolder(PathBuf),
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read the key of secrets, {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} must hold 64 hexadecimal digits; `openssl rand -hex 32` makes them", path.display())]
    Malformed { path: PathBuf },
    #[error("cannot make the key of secrets, {}", path.display())]
    NotMade {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl KeyPlace {
    pub fn of(config: &Config) -> Self {
        match (&config.secret_key, &config.secret_key_file) {
            (Some(key), _) => Self::Environment(key.clone()),
            (None, Some(path)) => Self::File(path.clone()),
            (None, None) => Self::DataFolder(config.data.join(FILE)),
        }
    }

    /// Whether others than its owner may read the file.
    pub fn is_open_to_others(&self) -> bool {
        match self {
            Self::Environment(_) => false,
            Self::File(path) | Self::DataFolder(path) => {
                fs::metadata(path).is_ok_and(|metadata| metadata.mode() & OTHERS != 0)
            }
        }
    }

    /// Whether it is not made yet.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Environment(_) => false,
            Self::File(path) | Self::DataFolder(path) => !path.exists(),
        }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(_) => f.write_str("PLUMBLINE_SECRET_KEY"),
            Self::File(path) | Self::DataFolder(path) => write!(f, "{}", path.display()),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let text = fs::read_to_string(path).map_err(|cause| KeyFileError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    text.parse().map_err(|_unusable| KeyFileError::Malformed {
        path: path.to_owned(),
    })
}

/// Several processes may start at once: one makes the file, whole before it has its name, and all read it.
pub(super) fn read_or_make(path: &Path) -> Result<SecretKey, KeyFileError> {
    if !path.exists() {
        make(path).map_err(|cause| KeyFileError::NotMade {
            path: path.to_owned(),
            cause,
        })?;
    }
    read(path)
}

fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut key = [0; 32];
    SysRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
    let unfinished = folder.join(format!("{FILE}.{}", uuid::Uuid::now_v7().simple()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
    file.sync_all()?;
    // Unlike a rename, a link takes no other process' file away.
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        // A key that a power failure takes away would take the secrets with it.
        _ => File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("plumbline-key-{}", uuid::Uuid::now_v7().simple()))
    }

    #[test]
    fn the_first_start_makes_a_file_for_its_owner_alone() {
        let folder = folder();
        let path = folder.join("data").join(FILE);
        let made = read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&path).unwrap(), made);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let place = KeyPlace::DataFolder(path.clone());
        assert!(!place.is_open_to_others() && !place.is_missing());
        fs::remove_dir_all(&folder).unwrap();
        assert!(place.is_missing());
    }

    #[test]
    fn starts_at_the_same_moment_agree() {
        let folder = folder();
        let path = folder.join(FILE);
        let keys: Vec<SecretKey> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| read_or_make(&path))).collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_key_is_named_and_not_quoted() {
        let folder = folder();
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(FILE);
        fs::write(&path, "canary").unwrap();
        let problem = read_or_make(&path).unwrap_err().to_string();
        assert!(
            problem.contains("64 hexadecimal digits") && !problem.contains("canary"),
            "{problem}"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
