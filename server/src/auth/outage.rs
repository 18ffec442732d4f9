//! Whether the database answers, so that requests which can do without need not find out each for itself.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long a look-up may take where a stale entry could be served.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);
/// How long it may take after that before it is given up.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a database that did not answer is not asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the database.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// The database did not answer; one request asks again after that.
    until: Mutex<Option<Instant>>,
}

/// How a request that could use a stale entry looks up a newer one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// It waits for the answer, for as long as [`ANSWER_TIMEOUT`].
    Wait,
    /// In the background, for later requests.
    Background,
    /// Not at all.
    Skip,
}

impl Outage {
    pub(super) fn lookup(&self) -> Lookup {
        let mut until = self.until();
        match *until {
            None => Lookup::Wait,
            Some(until) if Instant::now() < until => Lookup::Skip,
            Some(_) => {
                *until = Some(Instant::now() + RETRY_INTERVAL);
                Lookup::Background
            }
        }
    }

    pub(super) fn record(&self, answers: bool) {
        *self.until() = (!answers).then(|| Instant::now() + RETRY_INTERVAL);
    }

    /// Asks the database and notes whether it answers. A question that hangs, because a connection died unnoticed, ends
    /// as if there were no database.
    pub(super) async fn observe<T>(
        &self,
        question: impl Future<Output = storage::Result<T>>,
    ) -> storage::Result<T> {
        let mut question = pin!(question);
        let answered = match timeout(ANSWER_TIMEOUT, question.as_mut()).await {
            Ok(answered) => answered,
            Err(_elapsed) => {
                self.record(false);
                let late = timeout(QUERY_TIMEOUT, question).await;
                late.unwrap_or_else(|_elapsed| Err(storage::Error::no_answer()))
            }
        };
        self.record(!answered.as_ref().is_err_and(storage::Error::is_transient));
        answered
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database is to be asked again from now on.
    #[cfg(test)]
    pub(super) fn is_due(&self) {
        *self.until() = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_that_hangs_is_given_up_and_noted() {
        let outage = Outage::default();
        assert_eq!(outage.lookup(), Lookup::Wait);
        let given_up = outage.observe(pending::<storage::Result<()>>()).await;
        assert!(given_up.unwrap_err().is_transient());
        assert_eq!(outage.lookup(), Lookup::Skip);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_ends_the_outage() {
        let outage = Outage::default();
        let (answer, answered) = oneshot::channel();
        let question = async { answered.await.map_err(|_gone| storage::Error::NotFound) };
        let noticed = async {
            while outage.lookup() != Lookup::Skip {
                tokio::time::sleep(ANSWER_TIMEOUT / 10).await;
            }
            answer.send(2).unwrap();
        };
        let (late, ()) = tokio::join!(outage.observe(question), noticed);
        assert_eq!(late.unwrap(), 2);
        assert_eq!(outage.lookup(), Lookup::Wait);
    }

    #[tokio::test(start_paused = true)]
    async fn one_asks_again_after_a_while() {
        let outage = Outage::default();
        outage.record(false);
        assert_eq!(outage.lookup(), Lookup::Skip);
        tokio::time::sleep(RETRY_INTERVAL).await;
        assert_eq!(outage.lookup(), Lookup::Background);
        assert_eq!(outage.lookup(), Lookup::Skip);
    }
}
