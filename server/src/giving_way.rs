//! Work that takes what ingest, the proxy and those who write leave of the processors: the private Postgres' reads.

use rustix::process::{Pid, setpriority_process};

/// How much lower it stands. At 10 a process gets a ninth of what another one gets that wants the same processor: enough
/// for a reader to go on while steps arrive without a pause, and to give back what ingest waits for.
const NICE: i32 = 10;

/// Lowers a process of the private Postgres that only reads.
pub(crate) fn lower_process(process: i32) {
    let lowered = Pid::from_raw(process).map(|process| setpriority_process(Some(process), NICE));
    if let Some(Err(cause)) = lowered {
        tracing::debug!(%cause, process, "a reader of the database keeps its priority");
    }
    // Each of Postgres' processes is a session of its own, and Linux may share processors between sessions first, with
    // a level for each (`man 7 sched`, autogroups). Where it does not, there is no such file.
    let grouped = std::fs::write(format!("/proc/{process}/autogroup"), NICE.to_string());
    if let Err(cause) = grouped {
        tracing::trace!(%cause, process, "sessions have no priority here");
    }
}
