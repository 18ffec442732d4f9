//! CPU-bound work on texts, off the async worker when they are large.

use domain::NewStep;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Texts of more bytes than this block a worker for too long: a megabyte takes some ten milliseconds.
const LARGE_BYTES: usize = 256 * 1024;

/// How many bytes of text a step brings that are read to the end.
pub(crate) fn text_bytes(step: &NewStep) -> usize {
    let texts = [&step.input, &step.output, &step.prompt_template];
    texts.into_iter().flatten().map(String::len).sum()
}

/// Runs `work`, which reads so many bytes of text. When they are many, the runtime moves the worker's other tasks to
/// another thread meanwhile.
pub(crate) fn run_blocking_if_large<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    // A runtime of a single thread, as tests have it, has no other place for its tasks.
    let has_others =
        Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes > LARGE_BYTES && has_others {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
