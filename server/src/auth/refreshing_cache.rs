//! A cache of what most requests read from the database, refreshed every second.
//!
//! Under load no request waits for it: an entry is refreshed in the background before it expires. (When all
//! calls of a busy moment waited for that one look-up each second, they were the slowest hundredth of all calls.)

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use tokio_util::task::TaskTracker;

/// How long an entry is valid. Changes of other processes invalidate it at once through [`Generation`].
const TTL: Duration = Duration::from_secs(1);
const REFRESH_AFTER: Duration = Duration::from_millis(500);

/// Counts the changes of keys, members or accounts that this process knows of. An entry fetched before the last one may
/// be out of date.
#[derive(Clone, Debug, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn bump(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A cache of one kind of look-up, refreshed ahead of expiry.
pub(super) struct RefreshingCache<K, V> {
    entries: Cache<K, Entry<V>>,
    generation: Generation,
    tasks: TaskTracker,
    ttl: Duration,
    /// The age from which on an entry is refreshed in the background.
    refresh_after: Duration,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    fetched_at: Instant,
    /// The generation in which it was fetched.
    generation: u64,
    is_refreshing: Arc<AtomicBool>,
}

impl<K, V> RefreshingCache<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Holds up to `max_answers` entries; refreshes run in `tasks`.
    pub(super) fn new(max_answers: u64, generation: Generation, tasks: TaskTracker) -> Self {
        Self {
            entries: Cache::new(max_answers),
            generation,
            tasks,
            ttl: TTL,
            refresh_after: REFRESH_AFTER,
        }
    }

    /// A valid entry, without waiting; `fetch` fetches the next one.
    pub(super) async fn cached<F>(&self, key: K, fetch: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let answer = self.entries.get(&key).await?;
        let age = answer.fetched_at.elapsed();
        if age >= self.ttl || answer.generation != self.generation.current() {
            return None;
        }
        if age >= self.refresh_after && !answer.is_refreshing.swap(true, Ordering::Relaxed) {
            let (entries, fetched) = (self.entries.clone(), self.entry(fetch()));
            self.tasks.spawn(async move {
                // When this fails the entry expires, and the next request gets the error.
                if let Ok(answer) = fetched.await {
                    entries.insert(key, answer).await;
                }
            });
        }
        Some(answer.value)
    }

    /// A valid entry, else what `fetch` fetches, once however many requests wait for it.
    pub(super) async fn get<F>(&self, key: K, fetch: impl Fn() -> F) -> Result<V, Arc<storage::Error>>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        loop {
            if let Some(value) = self.cached(key, &fetch).await {
                return Ok(value);
            }
            // An expired entry would be returned otherwise.
            self.entries.invalidate(&key).await;
            let fetched = Box::pin(async { self.entry(fetch()).await });
            let answer = self.entries.try_get_with(key, fetched).await?;
            if answer.generation == self.generation.current() {
                return Ok(answer.value);
            }
        }
    }

    /// What is fetched now, as an entry.
    fn entry<F>(&self, fetched: F) -> impl Future<Output = storage::Result<Entry<V>>> + use<F, K, V>
    where
        F: Future<Output = storage::Result<V>>,
    {
        let (fetched_at, generation) = (Instant::now(), self.generation.current());
        async move {
            Ok(Entry {
                value: fetched.await?,
                fetched_at,
                generation,
                is_refreshing: Arc::default(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;

    /// A database that answers when the test says so.
    #[derive(Clone, Default)]
    struct SlowDatabase {
        questions: Arc<Mutex<Vec<oneshot::Sender<u32>>>>,
    }

    impl SlowDatabase {
        fn fetch(&self) -> impl Future<Output = storage::Result<u32>> + Send + 'static {
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
    async fn aged(answer: u32) -> (RefreshingCache<(), u32>, SlowDatabase) {
        let database = SlowDatabase::default();
        let mut cache = RefreshingCache::new(1, Generation::default(), TaskTracker::new());
        // However slow the machine is.
        cache.ttl = Duration::from_secs(3_600);
        cache.refresh_after = Duration::from_secs(3_600);
        let first = async { cache.get((), || database.fetch()).await.unwrap() };
        let (first, ()) = tokio::join!(first, async {
            settle().await;
            database.answer(answer).await;
        });
        assert_eq!(first, answer);
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), answer);
        assert_eq!(
            database.questions(),
            0,
            "nothing is asked while the answer is young"
        );
        cache.refresh_after = Duration::ZERO;
        (cache, database)
    }

    #[tokio::test]
    async fn a_request_during_a_refresh_does_not_wait() {
        let (mut cache, database) = aged(1).await;
        for _ in 0..10 {
            assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        }
        assert_eq!(database.questions(), 1, "it is asked for again, once");
        database.answer(2).await;
        cache.refresh_after = Duration::from_secs(3_600);
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 2);
        assert_eq!(database.questions(), 0);
    }

    #[tokio::test]
    async fn an_entry_fetched_before_a_change_is_invalid_after_it() {
        let (cache, database) = aged(1).await;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        cache.generation.bump();
        assert_eq!(cache.cached((), || database.fetch()).await, None);
        database.answer(1).await;
        assert_eq!(cache.cached((), || database.fetch()).await, None);
    }

    #[tokio::test]
    async fn a_request_waiting_across_a_change_gets_the_value_after_it() {
        let (mut cache, database) = aged(1).await;
        cache.ttl = Duration::ZERO;
        let waiting = async { cache.get((), || database.fetch()).await.unwrap() };
        let (answer, ()) = tokio::join!(waiting, async {
            settle().await;
            cache.generation.bump();
            database.answer(1).await;
            database.answer(2).await;
        });
        assert_eq!(answer, 2);
    }

    #[tokio::test]
    async fn a_failed_refresh_leaves_the_entry_to_its_age() {
        let (cache, database) = aged(1).await;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        database.questions.lock().unwrap().clear();
        settle().await;
        assert_eq!(cache.cached((), || database.fetch()).await, Some(1));
        assert_eq!(database.questions(), 0, "not asked for by every request");
    }
}
