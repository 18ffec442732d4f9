//! Reading texts that are so large that other tasks must not wait for it.

use domain::NewStep;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Texts of more bytes than this take longer than a worker should be kept: a megabyte takes some ten milliseconds.
const LARGE_BYTES: usize = 256 * 1024;

/// How many bytes of text a step brings that are read to the end.
pub(crate) fn text_bytes(step: &NewStep) -> usize {
    let texts = [&step.input, &step.output, &step.prompt_template];
    texts.into_iter().flatten().map(String::len).sum()
}

/// Works through so many bytes of text. When they are many, the thread is no worker meanwhile: its other tasks go on
/// elsewhere.
pub(crate) fn work_through<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    // A runtime of a single thread, as tests have it, has no other place for its tasks.
    let has_others =
        Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes > LARGE_BYTES && has_others {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
