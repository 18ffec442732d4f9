//! How many files, and so connections, the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a limit that is none counts as.
const UNLIMITED: u64 = 1 << 20;

/// The limit in force.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile)
        .current
        .unwrap_or(UNLIMITED)
        .min(UNLIMITED)
}

/// What the process may raise its limit to.
pub(crate) fn highest_limit() -> u64 {
    getrlimit(Resource::Nofile)
        .maximum
        .unwrap_or(UNLIMITED)
        .min(UNLIMITED)
}

/// Raises the limit as far as the process may. Shells and service managers often give 1,024 of many.
pub(crate) fn raise_limit() {
    let found = getrlimit(Resource::Nofile);
    let wanted = highest_limit();
    if limit() >= wanted {
        return;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: found.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(from = ?found.current, to = wanted, "more files may be open"),
        Err(cause) => {
            tracing::warn!(%cause, limit = ?found.current, "the number of open files can't be raised")
        }
    }
}
