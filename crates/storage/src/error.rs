//! What can go wrong with the database, as far as a caller can act on it.

use crate::sealed::Unopened;

/// The result of every storage function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a storage function failed. The wrapped causes are for logs, never for answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such row in this project.
    #[error("not found")]
    NotFound,
    /// A named constraint is in the way.
    #[error("conflict with {0}")]
    Conflict(&'static str),
    /// The database does not answer; the same call may work later.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// A read took longer than one may and was stopped; asking for less may work.
    #[error("the query took too long and was stopped")]
    TooSlow(#[source] sqlx::Error),
    /// A sealed text can't be opened with the key that this process has.
    #[error(transparent)]
    Sealed(#[from] Unopened),
    /// Anything else: a defect of ours or of the data folder.
    #[error("the database refused the statement")]
    Internal(#[source] sqlx::Error),
}

impl Error {
    /// The database did not answer in time, and the query was given up.
    pub fn no_answer() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }

    /// True when trying the same thing again later may work.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooSlow(_))
    }

    /// True when a lock was waited for longer than one may. Who holds it decides when trying again will work.
    pub fn is_lock_timeout(&self) -> bool {
        let Self::Unavailable(sqlx::Error::Database(cause)) = self else {
            return false;
        };
        cause.code().as_deref() == Some("55P03")
    }

    /// True when another transaction was in the way and the same thing tried again at once will work: two waited for
    /// each other and this one was chosen to give in, or a week's partition was made while a row of that week was on
    /// its way into the default one.
    pub fn is_collision(&self) -> bool {
        let Self::Internal(sqlx::Error::Database(cause)) = self else {
            return false;
        };
        match cause.code().as_deref() {
            Some("40P01" | "40001") => true,
            // The same code is a violated check, but that one has a name.
            Some("23514") => cause.constraint().is_none(),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &cause {
            E::RowNotFound => Self::NotFound,
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
                Self::Unavailable(cause)
            }
            // 08 connection, 53 out of resources, 57 shut down by an operator, 58 system error,
            // 25006 read-only
            E::Database(database) => match database.code().as_deref() {
                // statement_timeout
                Some("57014") => Self::TooSlow(cause),
                Some(code)
                    if ["08", "53", "57", "58"]
                        .iter()
                        .any(|class| code.starts_with(class)) =>
                {
                    Self::Unavailable(cause)
                }
                // lock_timeout; idle_in_transaction_session_timeout, upon which the connection is closed
                Some("25006" | "25P03" | "55P03") => Self::Unavailable(cause),
                // A text with a NUL character: no row can hold it, so none is found by it.
                Some("22021") => Self::NotFound,
                _ => Self::Internal(cause),
            },
            _ => Self::Internal(cause),
        }
    }
}

/// Names the constraint a caller expects to be in the way.
pub(crate) trait OnConstraint<T> {
    /// Turns a violation of `constraint` into `Error::Conflict(constraint)`.
    fn on_constraint(self, constraint: &'static str) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint(self, constraint: &'static str) -> Result<T> {
        self.map_err(|cause| match &cause {
            sqlx::Error::Database(database) if database.constraint() == Some(constraint) => {
                Error::Conflict(constraint)
            }
            _ => cause.into(),
        })
    }
}
