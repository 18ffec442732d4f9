//! A cache of what most requests read from the database, refreshed every second.
//!
//! Under load no request waits for it: an entry is refreshed in the background before it expires. (When all
//! calls of a busy moment waited for that one look-up each second, they were the slowest hundredth of all calls.)
//! Where a request asks for it, an expired entry is served while the database is away (stale-if-error).

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use moka::sync::Cache;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::outage::{ANSWER_TIMEOUT, Lookup, Outage};

/// How long an entry is valid. Changes of other processes invalidate it at once through [`Generation`].
const TTL: Duration = Duration::from_secs(1);
const REFRESH_AFTER: Duration = Duration::from_millis(500);
/// How long an entry is served while the database is away.
const STALE_TTL: Duration = Duration::from_secs(3_600);

/// Counts the changes of keys, members or accounts that this process knows of. An entry fetched before the last one may
/// be out of date.
#[derive(Clone, Debug, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn bump(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A cache of one kind of look-up, refreshed ahead of expiry.
pub(super) struct RefreshingCache<K, V> {
    slots: Cache<K, Arc<Mutex<Slot<V>>>>,
    generation: Generation,
    outage: Arc<Outage>,
    tasks: TaskTracker,
    ttl: Duration,
    /// The age from which on an entry is refreshed in the background.
    refresh_after: Duration,
}

/// What is known for one key, and the look-up that is under way.
struct Slot<V> {
    entry: Option<Entry<V>>,
    lookup: Option<SharedLookup<V>>,
}

type Fetched<V> = Result<Entry<V>, Arc<storage::Error>>;
type SharedLookup<V> = Shared<BoxFuture<'static, Fetched<V>>>;

#[derive(Clone)]
struct Entry<V> {
    value: V,
    fetched_at: Instant,
    /// The generation in which it was fetched.
    generation: u64,
    /// A newer one was asked for ahead of its expiry: once, whatever came of it.
    is_refreshed: bool,
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self {
            entry: None,
            lookup: None,
        }
    }
}

impl<K, V> RefreshingCache<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Holds up to `max_entries`; look-ups run in `tasks` and tell `outage` whether the database answers.
    pub(super) fn new(
        max_entries: u64,
        generation: Generation,
        outage: Arc<Outage>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            slots: Cache::new(max_entries),
            generation,
            outage,
            tasks,
            ttl: TTL,
            refresh_after: REFRESH_AFTER,
        }
    }

    /// A valid entry, else what `fetch` fetches, once however many requests wait for it.
    pub(super) async fn get<F>(&self, key: K, fetch: impl Fn() -> F) -> Result<V, Arc<storage::Error>>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let slot = self.slot(key);
        loop {
            let lookup = {
                let mut slot_now = locked(&slot);
                match self.valid(&slot_now) {
                    Some(value) => {
                        if slot_now
                            .entry
                            .as_mut()
                            .is_some_and(|entry| self.begins_refresh(entry))
                        {
                            // Later calls find it; this one does not wait.
                            let _under_way = self.look_up(&slot, &mut slot_now, fetch());
                        }
                        return Ok(value);
                    }
                    None => match &slot_now.lookup {
                        Some(under_way) => under_way.clone(),
                        None => self.look_up(&slot, &mut slot_now, fetch()),
                    },
                }
            };
            let entry = lookup.await?;
            // Something may have changed while it was on its way.
            if self.is_current(&entry) {
                return Ok(entry.value);
            }
        }
    }

    /// The same; but where the database does not answer soon, an entry that is at most an hour old and `may_be_stale`.
    /// A revocation can't happen meanwhile, because it is written there; one that was notified before invalidates.
    pub(super) async fn get_or_stale<F>(
        &self,
        key: K,
        may_be_stale: impl Fn(&V) -> bool,
        fetch: impl Fn() -> F,
    ) -> Result<V, Arc<storage::Error>>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let slot = self.slot(key);
        let stale = match self.stale(&slot, may_be_stale) {
            None => return self.get(key, fetch).await,
            Some(stale) => stale,
        };
        match self.outage.lookup() {
            Lookup::Skip => return Ok(stale),
            Lookup::Background => {
                let mut slot_now = locked(&slot);
                if slot_now.lookup.is_none() {
                    let _under_way = self.look_up(&slot, &mut slot_now, fetch());
                }
                return Ok(stale);
            }
            Lookup::Wait => {}
        }
        match timeout(ANSWER_TIMEOUT, self.get(key, fetch)).await {
            Ok(Err(cause)) if cause.is_transient() => Ok(stale),
            Ok(answered) => answered,
            // The look-up goes on, for later calls.
            Err(_elapsed) => Ok(stale),
        }
    }

    /// A value that has expired and could be served while the database is away.
    fn stale(&self, slot: &Mutex<Slot<V>>, may_be_stale: impl Fn(&V) -> bool) -> Option<V> {
        let slot = locked(slot);
        let entry = slot.entry.as_ref().filter(|entry| self.is_current(entry))?;
        let age = entry.fetched_at.elapsed();
        let is_servable = (self.ttl..STALE_TTL).contains(&age) && may_be_stale(&entry.value);
        is_servable.then(|| entry.value.clone())
    }

    fn slot(&self, key: K) -> Arc<Mutex<Slot<V>>> {
        self.slots.get_with(key, Arc::default)
    }

    fn valid(&self, slot: &Slot<V>) -> Option<V> {
        let is_valid = |entry: &&Entry<V>| self.is_current(entry) && entry.fetched_at.elapsed() < self.ttl;
        slot.entry
            .as_ref()
            .filter(is_valid)
            .map(|entry| entry.value.clone())
    }

    fn begins_refresh(&self, entry: &mut Entry<V>) -> bool {
        let begins = !entry.is_refreshed && entry.fetched_at.elapsed() >= self.refresh_after;
        entry.is_refreshed |= begins;
        begins
    }

    fn is_current(&self, entry: &Entry<V>) -> bool {
        entry.generation == self.generation.current()
    }

    /// Starts a look-up, which goes on when nobody waits for it any more.
    fn look_up<F>(&self, slot: &Arc<Mutex<Slot<V>>>, slot_now: &mut Slot<V>, fetch: F) -> SharedLookup<V>
    where
        F: Future<Output = storage::Result<V>> + Send + 'static,
    {
        let (fetched_at, generation) = (Instant::now(), self.generation.current());
        let (outage, slot) = (Arc::clone(&self.outage), Arc::clone(slot));
        let lookup = async move {
            let done = Done(slot);
            let fetched = outage.observe(fetch).await;
            let entry = fetched.map_err(Arc::new).map(|value| Entry {
                value,
                fetched_at,
                generation,
                is_refreshed: false,
            });
            if let Ok(entry) = &entry {
                locked(&done.0).entry = Some(entry.clone());
            }
            entry
        };
        let lookup = lookup.boxed().shared();
        self.tasks.spawn(lookup.clone());
        slot_now.lookup = Some(lookup.clone());
        lookup
    }
}

/// Ends a look-up in its slot, however it ends.
struct Done<V>(Arc<Mutex<Slot<V>>>);

impl<V> Drop for Done<V> {
    fn drop(&mut self) {
        locked(&self.0).lookup = None;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

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
        let mut cache = RefreshingCache::new(1, Generation::default(), Arc::default(), TaskTracker::new());
        // However slow the machine is.
        cache.ttl = HOUR;
        cache.refresh_after = HOUR;
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

    /// An answer that has expired, and a database of which is known that it is away.
    async fn expired_in_an_outage(answer: u32) -> (RefreshingCache<(), u32>, SlowDatabase) {
        let (mut cache, database) = aged(answer).await;
        cache.ttl = Duration::ZERO;
        cache.outage.record(false);
        (cache, database)
    }

    #[tokio::test]
    async fn a_request_during_a_refresh_does_not_wait() {
        let (mut cache, database) = aged(1).await;
        for _ in 0..10 {
            assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        }
        assert_eq!(database.questions(), 1, "it is asked for again, once");
        settle().await;
        database.answer(2).await;
        cache.refresh_after = HOUR;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 2);
        assert_eq!(database.questions(), 0);
    }

    #[tokio::test]
    async fn an_entry_fetched_before_a_change_is_invalid_after_it() {
        let (cache, database) = aged(1).await;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        cache.generation.bump();
        settle().await;
        database.answer(1).await;
        let mut waiting = Box::pin(cache.get((), || database.fetch()));
        assert!(waiting.as_mut().now_or_never().is_none(), "it is asked for again");
        database.answer(2).await;
        assert_eq!(waiting.await.unwrap(), 2);
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
    async fn many_requests_ask_once() {
        let (mut cache, database) = aged(1).await;
        cache.ttl = Duration::ZERO;
        let waiting = (0..10).map(|_| cache.get((), || database.fetch()));
        let (answers, ()) = tokio::join!(futures::future::join_all(waiting), async {
            settle().await;
            assert_eq!(database.questions(), 1);
            database.answer(2).await;
        });
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 2));
    }

    #[tokio::test]
    async fn a_failed_refresh_leaves_the_entry_to_its_age() {
        let (cache, database) = aged(1).await;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        settle().await;
        database.questions.lock().unwrap().clear();
        settle().await;
        assert_eq!(cache.get((), || database.fetch()).await.unwrap(), 1);
        assert_eq!(database.questions(), 0, "not asked for by every request");
    }

    #[tokio::test]
    async fn while_the_database_is_away_no_call_waits_for_it() {
        let (cache, database) = expired_in_an_outage(1).await;
        // `now_or_never`: what waits for anything fails here.
        let known = || {
            cache
                .get_or_stale((), |_| true, || database.fetch())
                .now_or_never()
        };
        assert_eq!(known().unwrap().unwrap(), 1);
        assert_eq!(database.questions(), 0, "nothing is asked so soon");
        cache.outage.is_due();
        assert_eq!(
            known().unwrap().unwrap(),
            1,
            "who asks again does not wait either"
        );
        assert_eq!(known().unwrap().unwrap(), 1);
        assert_eq!(database.questions(), 1, "and is the only one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_that_hangs_is_not_waited_for_and_is_noted() {
        let (mut cache, _database) = aged(1).await;
        cache.ttl = Duration::ZERO;
        let hangs = || pending::<storage::Result<u32>>();
        assert_eq!(cache.get_or_stale((), |_| true, hangs).await.unwrap(), 1);
        settle().await;
        assert!(matches!(cache.outage.lookup(), Lookup::Skip));
    }

    #[tokio::test]
    async fn while_it_answers_its_answer_counts() {
        let (mut cache, _database) = aged(1).await;
        cache.ttl = Duration::ZERO;
        let answers = || async { Ok(2) };
        assert_eq!(cache.get_or_stale((), |_| true, answers).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn what_changed_or_may_not_be_stale_is_not_served_stale() {
        let (cache, database) = expired_in_an_outage(1).await;
        let mut refused = Box::pin(cache.get_or_stale((), |_| false, || database.fetch()));
        assert!(refused.as_mut().now_or_never().is_none());
        cache.generation.bump();
        let mut changed = Box::pin(cache.get_or_stale((), |_| true, || database.fetch()));
        assert!(changed.as_mut().now_or_never().is_none());
    }
}
