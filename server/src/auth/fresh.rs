//! Answers of the database that most requests need, remembered for a second.
//!
//! Under load nobody waits for them: an answer is asked for again in the background before it is too old. (When all
//! calls of a busy moment waited for that one look-up each second, they were the slowest hundredth of all calls.)

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;

/// How long an answer counts. The net below `forget`, which news of a change calls at once.
const REMEMBERED: Duration = Duration::from_secs(1);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The answers to one kind of question.
pub(super) struct Fresh<K, V> {
    answers: Cache<K, Answer<V>>,
    /// The age from which on an answer is asked for again.
    asked_again_after: Duration,
    /// Times that everything was forgotten: what was asked before may be out of date.
    forgotten: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Answer<V> {
    value: V,
    given_at: Instant,
    is_asked_again: Arc<AtomicBool>,
}

impl<V> Answer<V> {
    fn new(value: V) -> Self {
        Self {
            value,
            given_at: Instant::now(),
            is_asked_again: Arc::default(),
        }
    }
}

impl<K, V> Fresh<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(max_answers: u64) -> Self {
        Self {
            answers: Cache::builder()
                .max_capacity(max_answers)
                .time_to_live(REMEMBERED)
                .build(),
            asked_again_after: ASKED_AGAIN_AFTER,
            forgotten: Arc::default(),
        }
    }

    /// The answer that still counts, without waiting; `ask` is how to get the next one.
    pub(super) async fn remembered<F>(&self, key: K, ask: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let answer = self.answers.get(&key).await?;
        if answer.given_at.elapsed() >= self.asked_again_after
            && !answer.is_asked_again.swap(true, Ordering::Relaxed)
        {
            self.renew(key, ask());
        }
        Some(answer.value)
    }

    /// The answer that still counts, else the one of `ask`, asked once however many wait for it.
    pub(super) async fn get<F>(&self, key: K, ask: impl Fn() -> F) -> Result<V, Arc<storage::Error>>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        if let Some(value) = self.remembered(key, &ask).await {
            return Ok(value);
        }
        let asked = async { ask().await.map(Answer::new) };
        let answer = Box::pin(self.answers.try_get_with(key, asked)).await?;
        Ok(answer.value)
    }

    fn renew(&self, key: K, asked: impl Future<Output = storage::Result<V>> + Send + 'static) {
        let answers = self.answers.clone();
        let forgotten = Arc::clone(&self.forgotten);
        let before = forgotten.load(Ordering::Acquire);
        tokio::spawn(async move {
            // Without an answer the old one ends in time, and who comes then is told why.
            if let Ok(value) = asked.await
                && forgotten.load(Ordering::Acquire) == before
            {
                answers.insert(key, Answer::new(value)).await;
            }
        });
    }

    /// No answer counts any longer.
    pub(super) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.answers.invalidate_all();
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
            async { answered.await.map_err(|_| storage::Error::NotFound) }
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
        let (mut fresh, database) = (Fresh::new(1), Slow::default());
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
        fresh.asked_again_after = ASKED_AGAIN_AFTER;
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 2);
        assert_eq!(database.questions(), 0);
    }

    #[tokio::test]
    async fn what_was_asked_before_a_change_does_not_outlive_it() {
        let (fresh, database) = aged(1).await;
        assert_eq!(fresh.get((), || database.ask()).await.unwrap(), 1);
        fresh.forget();
        database.answer(1).await;
        assert_eq!(fresh.remembered((), || database.ask()).await, None);
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
