//! Reaching a Postgres that another process runs: for commands beside a running server.

use std::path::{Path, PathBuf};

use tokio::time::timeout;

use crate::layout::Layout;
use crate::process::{QUERY_TIMEOUT, version_of};
use crate::{Error, layout};

/// A Postgres whose life is another process' business: only where to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPostgres {
    pub(crate) socket_dir: PathBuf,
    pub(crate) version: String,
}

impl RunningPostgres {
    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Postgres' own version text, e.g. `17.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Finds the Postgres that serves the database of `data_dir` right now. Makes and changes nothing.
///
/// # Errors
/// [`Error::NotRunning`] when there is none or it does not accept connections (yet).
pub async fn find_running(data_dir: &Path) -> Result<RunningPostgres, Error> {
    let not_running = || Error::NotRunning {
        folder: data_dir.to_owned(),
    };
    if !data_dir.exists() {
        return Err(not_running());
    }
    let data_dir = layout::open_data_dir(data_dir)?;
    let Some((cluster_dir, socket_dir)) = Layout::find(&data_dir) else {
        return Err(not_running());
    };
    match timeout(
        QUERY_TIMEOUT,
        version_of(&layout::socket_in(&socket_dir), &cluster_dir),
    )
    .await
    {
        Ok(Ok(version)) => Ok(RunningPostgres { socket_dir, version }),
        Ok(Err(_)) | Err(_) => Err(not_running()),
    }
}

/// Whether the data folder has a database, running or not. Makes nothing.
#[must_use]
pub fn has_database(data_dir: &Path) -> bool {
    data_dir
        .canonicalize()
        .is_ok_and(|data_dir| Layout::find(&data_dir).is_some())
}
