//! Which models, steps and releases a project has named before, so that nearly no batch has to ask.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{ProjectId, Timestamp};
use storage::ingest::{Seen, StepRow};

use super::cardinality::CountedAs;

/// Values that are cached, over all projects, about 24 bytes each. Without one, a statement changes nothing.
const MAX_CACHED: usize = 200_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// The earliest that is stored of each value, as far as this process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct FirstSeen(Arc<Mutex<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    /// The day on which they were stored, or something earlier was there. What nobody names for as long as runs are kept
    /// is forgotten in the database, so that a value is told again each day that it is named.
    day: Timestamp,
    earliest: HashMap<u64, Timestamp>,
}

impl FirstSeen {
    /// What new steps name for the first time, or earlier than is known, in the order of their locks.
    pub(super) fn unknown<'a>(
        &self,
        rows: impl IntoIterator<Item = (&'a StepRow<'a>, &'a CountedAs<'a>)>,
    ) -> Vec<Seen<'a>> {
        let mut earliest: BTreeMap<(ProjectId, &'static str, &'a str), Timestamp> = BTreeMap::new();
        let mut day = Timestamp::default();
        for (row, counted) in rows {
            let named = [
                ("step", Some(counted.step_name)),
                ("model", counted.model),
                ("release", counted.release),
            ];
            day = day.max(row.received_at.day());
            // A clock that believes in another year must not make a value look old, or new, for ever.
            let at = row.step.started_at.min(row.received_at);
            for (dimension, value) in named {
                if let Some(value) = value {
                    let known = earliest.entry((row.project_id, dimension, value)).or_insert(at);
                    *known = at.min(*known);
                }
            }
        }
        let mut cached = self.lock();
        if day > cached.day {
            cached.day = day;
            cached.earliest.clear();
        }
        earliest
            .into_iter()
            .map(|((project_id, dimension, value), at)| Seen {
                project_id,
                dimension,
                value,
                at,
            })
            .filter(|seen| {
                cached
                    .earliest
                    .get(&hash(seen))
                    .is_none_or(|known| seen.at < *known)
            })
            .collect()
    }

    /// Says that these are stored now, or something earlier.
    pub(super) fn stored(&self, seen: &[Seen<'_>]) {
        if seen.is_empty() {
            return;
        }
        let mut cached = self.lock();
        if cached.earliest.len() >= MAX_CACHED {
            cached.earliest.clear();
        }
        // What was named long ago alone may be forgotten within the hour.
        let lately = cached.day.plus_micros(-DAY_MICROS);
        for seen in seen.iter().filter(|seen| seen.at >= lately) {
            let known = cached.earliest.entry(hash(seen)).or_insert(seen.at);
            *known = seen.at.min(*known);
        }
    }

    /// Forgets everything.
    pub fn invalidate_all(&self) {
        self.lock().earliest.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(seen: &Seen<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seen.project_id, seen.dimension, seen.value).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(value: &str, minute: i64) -> Seen<'_> {
        Seen {
            project_id: ProjectId(uuid::Uuid::nil()),
            dimension: "model",
            value,
            at: Timestamp::from_micros(minute * 60_000_000),
        }
    }

    #[test]
    fn the_earliest_that_is_stored_is_remembered() {
        let first = FirstSeen::default();
        let known = |value: &str| first.lock().earliest.get(&hash(&seen(value, 0))).copied();
        first.stored(&[seen("a", 5)]);
        first.stored(&[seen("a", 9), seen("b", 7)]);
        assert_eq!(known("a"), Some(seen("a", 5).at));
        first.stored(&[seen("a", 2)]);
        assert_eq!(
            (known("a"), known("b"), known("c")),
            (Some(seen("a", 2).at), Some(seen("b", 7).at), None)
        );
        first.invalidate_all();
        assert_eq!(known("a"), None);
    }
}
