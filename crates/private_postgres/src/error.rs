//! What can go wrong, in messages that say what to do next.

use std::io;
use std::path::PathBuf;

use crate::wire::WireError;

/// Why the private Postgres could not be started, asked or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No installation of Postgres 15 or newer was found.
    #[error(
        "no Postgres 15 or newer found on this machine. Install one (Debian/Ubuntu: `sudo apt-get install \
         postgresql`, macOS: `brew install postgresql@17`), or put its programs into a folder `postgres/<version>/bin` \
         beside plumbline, or set DATABASE_URL to an existing Postgres 15+. Looked in: {}",
        looked_in.join(", ")
    )]
    BinariesMissing {
        /// Folders and patterns searched, with a remark where a version was too old.
        looked_in: Vec<String>,
    },

    /// Another process holds the lock of the data folder.
    #[error(
        "another plumbline already uses the data folder {}. Stop it first, or give this one a data folder of its own",
        folder.display()
    )]
    Locked { folder: PathBuf },

    /// No server runs on the database of the data folder, or it does not accept connections yet.
    #[error("no Postgres answers for the data folder {}. Start `plumbline serve` on it", folder.display())]
    NotRunning { folder: PathBuf },

    /// A file or folder could not be made, read or changed.
    #[error("cannot {action} {}: {source}. Check that it exists and that this user may write to it", path.display())]
    File {
        /// What was tried, a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },

    /// The path of the data folder cannot be written in a connection address.
    #[error("the path of the data folder {} is not valid UTF-8. Choose another folder", folder.display())]
    PathNotText { folder: PathBuf },

    /// A program could not be run at all.
    #[error("cannot run {}: {source}", program.display())]
    Program {
        program: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },

    /// Started as root, and no unprivileged user exists to run Postgres.
    #[error(
        "Postgres refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it. \
         Start plumbline as an ordinary user, or add one: `useradd --system postgres`"
    )]
    NoAccount,

    /// The database files belong to another user.
    #[error(
        "the database in {} belongs to {owner}, but would run as {account}. Start plumbline as {owner} (or as \
         root), or hand the files over with `chown -R`",
        folder.display()
    )]
    WrongOwner {
        /// The database's folder.
        folder: PathBuf,
        owner: String,
        /// Who would run it.
        account: String,
    },

    /// The database files lie where the account that runs them cannot go.
    #[error(
        "the database in {} runs as {account}, who may not enter a folder above it. Give that folder (and those \
         above) `chmod o+x`, or move the data folder",
        folder.display()
    )]
    Unreachable {
        /// The database's folder.
        folder: PathBuf,
        /// Who runs it.
        account: String,
    },

    /// A folder meant for our use exists and belongs to another user.
    #[error("{} exists but is not a folder of {account}. Remove it and start again", folder.display())]
    FolderTaken {
        folder: PathBuf,
        /// Who should own it.
        account: String,
    },

    #[error("initdb could not create the database: {output}")]
    InitdbFailed {
        /// What initdb said.
        output: String,
    },

    /// The database was made by a major version that is not installed.
    #[error(
        "the database in {} was made by Postgres {database_major}, but only Postgres {installed_major} was found. \
         Install Postgres {database_major}, or upgrade the database with pg_upgrade",
        folder.display()
    )]
    OtherMajor {
        /// The database's folder.
        folder: PathBuf,
        /// Major version that made it.
        database_major: u16,
        /// Newest major version found.
        installed_major: u16,
    },

    /// A Postgres answers for this folder, but its process cannot be seen from here.
    #[error(
        "a Postgres this process cannot see (in another container?) already serves {}. Stop it first",
        folder.display()
    )]
    RunningElsewhere {
        /// The database's folder.
        folder: PathBuf,
    },

    /// Postgres ended before it accepted connections.
    #[error("Postgres ended while starting; the end of {} says:\n{tail}", log_file.display())]
    DiedAtStart {
        log_file: PathBuf,
        /// Its last lines.
        tail: String,
    },

    /// Postgres runs but did not answer for a minute.
    #[error("Postgres did not answer for {waited_s} seconds. See {}", log_file.display())]
    NoAnswer {
        /// How long Postgres did not answer.
        waited_s: u64,
        log_file: PathBuf,
    },

    /// Postgres runs on after it was signalled to stop.
    #[error("Postgres (process {pid}) did not stop. See {}, then end it with `kill -QUIT {pid}`", log_file.display())]
    DidNotStop {
        /// The postmaster's process id.
        pid: u32,
        log_file: PathBuf,
    },

    /// A statement sent over the private socket failed.
    #[error("the private Postgres refused a statement")]
    Statement(#[source] WireError),
}

impl Error {
    /// Wraps an operating system error on `path`; for use with `map_err`.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Wraps a failure to run `program`; for use with `map_err`.
    pub(crate) fn program(program: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Program { program, source }
    }
}
