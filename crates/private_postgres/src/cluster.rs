//! Makes the database files, all or nothing.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::layout::make_private_folder;
use crate::{Error, SUPERUSER};

/// Preferred first: text sorts by code point either way, `C` knows only ASCII letters for upper and lower case.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// The major version that made the database in `cluster_dir`; `None` where there is no database yet.
pub(crate) fn major(cluster_dir: &Path) -> Result<Option<u16>, Error> {
    let file = cluster_dir.join("PG_VERSION");
    match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_malformed| {
            Error::file("understand", &file)(std::io::Error::other(format!(
                "`{}` is no version",
                text.trim()
            )))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound && !cluster_dir.exists() => Ok(None),
        Err(error) => Err(Error::file("read", &file)(error)),
    }
}

/// Runs initdb beside `cluster_dir` and moves the result there, so that a killed initdb leaves nothing half-made.
pub(crate) async fn create(
    cluster_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    durable: bool,
) -> Result<(), Error> {
    let unfinished = cluster_dir.with_extension("new");
    for locale in LOCALES {
        remove_folder(&unfinished)?;
        make_private_folder(&unfinished, account)?;
        let initdb = binaries.initdb();
        let mut command = account.command(&initdb);
        command.arg("-D").arg(&unfinished);
        // Each start writes who may connect.
        command.args(["--auth=reject", "--encoding=UTF8"]);
        command
            .arg(format!("--username={SUPERUSER}"))
            .arg(format!("--locale={locale}"));
        if !durable {
            command.arg("--no-sync");
        }
        let output = command.output().await.map_err(Error::program(&initdb))?;
        if output.status.success() {
            std::fs::rename(&unfinished, cluster_dir).map_err(Error::file("create", cluster_dir))?;
            return sync_parent(cluster_dir);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if locale == "C" || !said.contains("invalid locale") {
            remove_folder(&unfinished)?;
            return Err(Error::InitdbFailed {
                output: said.trim().to_owned(),
            });
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Makes the rename survive a power cut.
fn sync_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::file("flush", parent))
}
