//! Where everything lies, and who owns it.

use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Error;
use crate::account::{Account, owner_name};

/// Names the socket file; nothing listens on TCP.
pub const PORT: u16 = 5432;
/// The kernel allows 108 bytes on Linux and 104 on macOS.
const MAX_SOCKET_PATH_BYTES: usize = 100;
/// Home of the databases whose data folder is closed to the account that runs Postgres.
const OUTSIDE: &str = "/var/lib/plumbline";

/// The folders and files of one private Postgres.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) account: Account,
    pub(crate) cluster_dir: PathBuf,
    pub(crate) socket_dir: PathBuf,
    pub(crate) log_file: PathBuf,
}

impl Layout {
    /// Decides where the database of `data_dir` (canonical) lies and makes the folders around it.
    ///
    /// A database that exists is used where it is, whatever changed around it: making a fresh one elsewhere
    /// would look like lost data.
    pub(crate) fn prepare(data_dir: &Path) -> Result<Self, Error> {
        let key = short_hash(data_dir);
        let outside = Path::new(OUTSIDE).join(&key);
        let existing = [data_dir, &outside].into_iter().find_map(|home| {
            let metadata = std::fs::symlink_metadata(home.join("postgres")).ok()?;
            Some((home, metadata))
        });
        let account = Account::choose(existing.as_ref().map(|(_, metadata)| metadata))?;
        let home = match &existing {
            Some((home, metadata)) => {
                check_owner(&home.join("postgres"), metadata, &account)?;
                home.to_path_buf()
            }
            None if account.reaches(data_dir)? => data_dir.to_owned(),
            None => {
                make_open_folder(Path::new(OUTSIDE))?;
                make_open_folder(&outside)?;
                outside
            }
        };
        if !account.reaches(&home)? {
            return Err(Error::Unreachable {
                folder: home.join("postgres"),
                account: account.name,
            });
        }
        if home != data_dir {
            tracing::info!(
                data_dir = %data_dir.display(), home = %home.display(), account = account.name,
                "the database lies outside the data folder, which the account that runs Postgres may not enter"
            );
        }
        let socket_dir = socket_dir(&home, &key);
        make_private_folder(&socket_dir, &account)?;
        Ok(Self {
            account,
            cluster_dir: home.join("postgres"),
            socket_dir,
            log_file: data_dir.join("postgres.log"),
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.socket_dir)
    }

    /// Where the database of `data_dir` (canonical) and its socket lie; `None` where there is no database.
    pub(crate) fn find(data_dir: &Path) -> Option<(PathBuf, PathBuf)> {
        let key = short_hash(data_dir);
        let outside = Path::new(OUTSIDE).join(&key);
        let home = [data_dir, &outside]
            .into_iter()
            .find(|home| home.join("postgres").exists())?;
        Some((home.join("postgres"), socket_dir(home, &key)))
    }
}

/// The socket's path in the folder `socket_dir`.
pub(crate) fn socket_in(socket_dir: &Path) -> PathBuf {
    socket_dir.join(socket_file())
}

/// Makes the data folder when it is missing, and returns its canonical path.
pub(crate) fn open_data_dir(data_dir: &Path) -> Result<PathBuf, Error> {
    if !data_dir.exists() {
        if let Some(parent) = data_dir.parent() {
            std::fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        }
        // Others pass through without seeing what is in it: Postgres may run as another user.
        make_open_folder(data_dir)?;
    }
    let canonical = data_dir.canonicalize().map_err(Error::file("open", data_dir))?;
    if canonical.to_str().is_none() {
        return Err(Error::PathNotText { folder: canonical });
    }
    Ok(canonical)
}

/// Makes `folder` for the account alone, or takes the one that is there when it is the account's.
pub(crate) fn make_private_folder(folder: &Path, account: &Account) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let metadata = std::fs::symlink_metadata(folder).map_err(Error::file("look at", folder))?;
            if !metadata.is_dir() || !account.may_own(&metadata) {
                return Err(Error::FolderTaken {
                    folder: folder.to_owned(),
                    account: account.name.clone(),
                });
            }
        }
        Err(error) => return Err(Error::file("create", folder)(error)),
    }
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
        .map_err(Error::file("protect", folder))?;
    account.take_over(folder)
}

fn make_open_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o711)).map_err(Error::file("protect", folder))
}

fn check_owner(cluster_dir: &Path, cluster: &Metadata, account: &Account) -> Result<(), Error> {
    if cluster.uid() == account.uid {
        return Ok(());
    }
    let owner = owner_name(cluster.uid());
    Err(Error::WrongOwner {
        folder: cluster_dir.to_owned(),
        owner,
        account: account.name.clone(),
    })
}

fn socket_dir(home: &Path, key: &str) -> PathBuf {
    let beside = home.join("run");
    if beside.join(socket_file()).as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        beside
    } else {
        PathBuf::from(format!("/tmp/plumbline-{key}"))
    }
}

fn socket_file() -> String {
    format!(".s.PGSQL.{PORT}")
}

/// Twelve hexadecimal digits that stand for a path.
fn short_hash(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_moves_when_its_path_would_be_too_long() {
        fn check(home: &str, expected: &str) {
            assert_eq!(socket_dir(Path::new(home), "0123456789ab"), Path::new(expected));
        }
        check("/srv/plumbline", "/srv/plumbline/run");
        let longest = format!(
            "/{}",
            "a".repeat(MAX_SOCKET_PATH_BYTES - 1 - "/run/.s.PGSQL.5432".len())
        );
        check(&longest, &format!("{longest}/run"));
        check(&format!("{longest}a"), "/tmp/plumbline-0123456789ab");
    }

    #[test]
    fn the_hash_is_the_start_of_sha256() {
        assert_eq!(short_hash(Path::new("abc")), "ba7816bf8f01");
    }
}
