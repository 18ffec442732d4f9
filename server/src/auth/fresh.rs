//! Answers of the database that most requests need, remembered for a second.
//!
//! Under load nobody waits for them: an answer is asked for again in the background before it is too old. (When all
//! calls of a busy moment waited for that one look-up each second, they were the slowest hundredth of all calls.)

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use tokio_util::task::TaskTracker;

/// How long an answer counts. The net below [`Changes`], which news of a change count at once.
const COUNTS_FOR: Duration = Duration::from_secs(1);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How many changes of keys, members or accounts this process heard of. What was asked before the last one may be out
/// of date.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(Arc<AtomicU64>);

impl Changes {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// The answers to one kind of question.
pub(super) struct Fresh<K, V> {
    answers: Cache<K, Answer<V>>,
    changes: Changes,
    tasks: TaskTracker,
    counts_for: Duration,
    /// The age from which on an answer is asked for again.
    asked_again_after: Duration,
}

#[derive(Clone)]
struct Answer<V> {
    value: V,
    asked_at: Instant,
    /// Changes when it was asked for.
    changes: u64,
    is_asked_again: Arc<AtomicBool>,
}

impl<K, V> Fresh<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Remembers up to so many answers; what renews them runs in `tasks`.
    pub(super) fn new(max_answers: u64, changes: Changes, tasks: TaskTracker) -> Self {
        Self {
            answers: Cache::new(max_answers),
            changes,
            tasks,
            counts_for: COUNTS_FOR,
            asked_again_after: ASKED_AGAIN_AFTER,
        }
    }

    /// The answer that still counts, without waiting; `ask` is how to get the next one.
    pub(super) async fn remembered<F>(&self, key: K, ask: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let answer = self.answers.get(&key).await?;
        let age = answer.asked_at.elapsed();
        if age >= self.counts_for || answer.changes != self.changes.count() {
            return None;
        }
        if age >= self.asked_again_after && !answer.is_asked_again.swap(true, Ordering::Relaxed) {
            let (answers, asked) = (self.answers.clone(), self.answer(ask()));
            self.tasks.spawn(async move {
                // Without an answer the old one ends in time, and who comes then is told why.
                if let Ok(answer) = asked.await {
                    answers.insert(key, answer).await;
                }
            });
        }
        Some(answer.value)
    }

    /// The answer that still counts, else the one of `ask`, asked once however many wait for it.
    pub(super) async fn get<F>(&self, key: K, ask: impl Fn() -> F) -> Result<V, Arc<storage::Error>>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        loop {
            if let Some(value) = self.remembered(key, &ask).await {
                return Ok(value);
            }
            // One that no longer counts would be taken for the answer.
            self.answers.invalidate(&key).await;
            let asked = Box::pin(async { self.answer(ask()).await });
            let answer = self.answers.try_get_with(key, asked).await?;
            if answer.changes == self.changes.count() {
                return Ok(answer.value);
            }
        }
    }

    /// What is asked for now, as an answer.
    fn answer<F>(&self, asked: F) -> impl Future<Output = storage::Result<Answer<V>>> + use<F, K, V>
    where
        F: Future<Output = storage::Result<V>>,
    {
        let (asked_at, changes) = (Instant::now(), self.changes.count());
        async move {
            Ok(Answer {
                value: asked.await?,
                asked_at,
                changes,
                is_asked_again: Arc::default(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;

    /// A database that answers when it is told to.
    #[derive(Clone, Default)]
    struct Slow {
        questions: Arc<Mutex<Vec<oneshot::Sender<u32>>>>,
    }

    impl Slow {
        fn ask(&self) -> impl Future<Output = storage::Result<u32>> + Send + 'static {
            let (answer, answered) = oneshot::channel();
            self.questions.lock().unwrap().push(answer);
            async { answered.await.map_err(|_gone| storage::Error::NotFound) }
        }

        fn questions(&self) -> usize {
            self.questions.lock().unwrap().len()
        }

        async fn answer(&self, value: u32) {
            self.questions.lock().unwrap().remove(0).send(value).unwrap();
            settle().await;
        }
    }

    /// Lets everything that can go on go on.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// An answer that is so old that it is to be asked for again.
    async fn aged(answer: u32) -> (Fresh<(), u32>, Slow) {
        let database = Slow::default();
        let mut fresh = Fresh::new(1, Changes::default(), TaskTracker::new());
        // However slow the machine is.
        fresh.counts_for = Duration::from_secs(3_600);
        fresh.asked_again_after = Duration::from_secs(3_600);
        let first = async { fresh.get((), || database.ask()).await.unwrap() };
        let (first, ()) = tokio::join!(first, async {
            settle().await;
            database.answer(answer).await;
        });
        assert_eq!(first, answer);
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), answer);
        assert_eq!(
            database.questions(),
            0,
            "nothing is asked while the answer is young"
        );
        fresh.asked_again_after = Duration::ZERO;
        (fresh, database)
    }

    #[tokio::test]
    async fn who_comes_while_an_answer_is_renewed_does_not_wait() {
        let (mut fresh, database) = aged(1).await;
        for _ in 0..10 {
            assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 1);
        }
        assert_eq!(database.questions(), 1, "it is asked for again, once");
        database.answer(2).await;
        fresh.asked_again_after = Duration::from_secs(3_600);
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 2);
        assert_eq!(database.questions(), 0);
    }

    #[tokio::test]
    async fn what_was_asked_before_a_change_does_not_outlive_it() {
        let (fresh, database) = aged(1).await;
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 1);
        fresh.changes.one_more();
        assert_eq!(fresh.remembered((), || database.ask()).await, None);
        database.answer(1).await;
        assert_eq!(fresh.remembered((), || database.ask()).await, None);
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_from_before_a_change_gets_the_one_after_it() {
        let (mut fresh, database) = aged(1).await;
        fresh.counts_for = Duration::ZERO;
        let waiting = async { fresh.get((), || database.ask()).await.unwrap() };
        let (answer, ()) = tokio::join!(waiting, async {
            settle().await;
            fresh.changes.one_more();
            database.answer(1).await;
            database.answer(2).await;
        });
        assert_eq!(answer, 2);
    }

    #[tokio::test]
    async fn a_failed_question_leaves_the_answer_to_its_age() {
        let (fresh, database) = aged(1).await;
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 1);
        database.questions.lock().unwrap().clear();
        settle().await;
        assert_eq!(fresh.remembered((), || database.ask()).await, Some(1));
        assert_eq!(database.questions(), 0, "not asked for by every request");
    }
}
