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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio_util::task::TaskTracker;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_worker_goes_on_with_others_while_a_large_text_is_read() {
        let tasks = TaskTracker::new();
        let others = tasks.clone();
        let large = tasks.spawn(async move {
            let (sender, heard) = mpsc::channel();
            others.spawn(async move { sender.send(()) });
            run_blocking_if_large(LARGE_BYTES + 1, || heard.recv_timeout(Duration::from_secs(20)))
        });
        assert_eq!(large.await.unwrap(), Ok(()));
    }
}
