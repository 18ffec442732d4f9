//! How fast passwords may be guessed. Nobody is locked out: who fails waits, longer each time, and only there.
//!
//! - One network failing at one address waits before the next attempt: 1 s after the fifth failure, then twice as long
//!   each time, up to a minute. Others who want to sign in to that account notice nothing.
//! - Many networks failing at one address, or one network at many, are slowed down from the hundredth failure within an
//!   hour on: attempts are answered late, and only a few are under way. A person who signed in from the same network
//!   before passes by that.
//!
//! In memory alone, by hashes, bounded, and forgotten an hour after the last failure.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Timestamp;

use crate::network::network_of;

/// Failures of a network at an address that cost nothing.
const FREE_FAILURES: u32 = 5;
const MAX_WAIT_SECONDS: i64 = 60;
/// Failures at one address, or of one network, before all that concern it are slowed down.
const CEILING: u32 = 100;
const FIRST_HOLD: Duration = Duration::from_millis(500);
const MAX_HOLD: Duration = Duration::from_secs(4);
/// Attempts under way at one address, or of one network.
const MAX_UNDER_WAY: u32 = 16;
const FORGOTTEN_AFTER_MICROS: i64 = 3_600 * 1_000_000;
/// How long it counts that somebody signed in from a network.
const KNOWN_MICROS: i64 = 30 * 86_400 * 1_000_000;
const SWEEP_MICROS: i64 = 60 * 1_000_000;
/// Entries of each table; the quarter that was touched longest ago goes first when there are more.
const MAX_ENTRIES: usize = 20_000;

/// Failed attempts of the last hour.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    tables: Mutex<Tables>,
    hasher: RandomState,
}

/// Who tries what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    email: u64,
    network: Option<IpAddr>,
}

#[derive(Debug, Default)]
struct Tables {
    pairs: BTreeMap<Pair, Failures>,
    emails: BTreeMap<u64, Failures>,
    networks: BTreeMap<Option<IpAddr>, Failures>,
    /// Where people signed in from, and when.
    known: BTreeMap<Pair, Timestamp>,
    swept_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last: Timestamp,
    under_way: u32,
}

/// An attempt that may be made. Counted as a failure until it is said to be none, so that attempts sent at the same time
/// count as well.
#[derive(Debug)]
pub(super) struct Attempt {
    attempts: Arc<Attempts>,
    pair: Pair,
    /// How long to wait before the password is looked at.
    pub(super) hold: Duration,
}

impl Attempts {
    /// Begins an attempt at an address from `peer`. The error is the number of seconds to wait first.
    pub(super) fn begin(
        self: &Arc<Self>,
        email: &str,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, u32> {
        let pair = Pair {
            email: self.hasher.hash_one(email),
            network: peer.map(network_of),
        };
        let mut tables = self.lock();
        tables.sweep(now);
        if let Some(failures) = tables.pairs.get(&pair) {
            let seconds = failures.seconds_to_wait(now);
            if seconds > 0 {
                return Err(seconds);
            }
        }
        let is_known = tables.known.contains_key(&pair);
        let at_email = tables.emails.get(&pair.email).copied().unwrap_or_default();
        let of_network = tables.networks.get(&pair.network).copied().unwrap_or_default();
        let hold = if is_known {
            Duration::ZERO
        } else if at_email.under_way >= MAX_UNDER_WAY || of_network.under_way >= MAX_UNDER_WAY {
            return Err(1);
        } else {
            at_email.hold().max(of_network.hold())
        };
        tables.pairs.entry(pair).or_default().begin(now);
        tables.emails.entry(pair.email).or_default().begin(now);
        tables.networks.entry(pair.network).or_default().begin(now);
        Ok(Attempt {
            attempts: Arc::clone(self),
            pair,
            hold,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The password was right: what this network failed at the address is forgotten. Others' failures stay counted.
    pub(super) fn succeeded(self, now: Timestamp) {
        let mut tables = self.attempts.lock();
        tables.each(self.pair, |failures| {
            failures.count = failures.count.saturating_sub(1)
        });
        if let Some(failures) = tables.pairs.get_mut(&self.pair) {
            failures.count = 0;
        }
        tables.known.insert(self.pair, now);
        // Dropping the attempt takes the lock again.
        drop(tables);
    }

    /// It came to nothing, through no fault of whoever made it.
    pub(super) fn take_back(self) {
        self.attempts.lock().each(self.pair, |failures| {
            failures.count = failures.count.saturating_sub(1)
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.attempts.lock().each(self.pair, |failures| {
            failures.under_way = failures.under_way.saturating_sub(1);
        });
    }
}

impl Failures {
    fn begin(&mut self, now: Timestamp) {
        self.count = self.count.saturating_add(1);
        self.under_way += 1;
        self.last = now;
    }

    fn seconds_to_wait(self, now: Timestamp) -> u32 {
        let Some(excess) = self.count.checked_sub(FREE_FAILURES) else {
            return 0;
        };
        let wait = (1_i64 << excess.min(6)).min(MAX_WAIT_SECONDS);
        let left = self.last.plus_micros(wait * 1_000_000).micros() - now.micros();
        let seconds = left.max(0).unsigned_abs().div_ceil(1_000_000);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    fn hold(self) -> Duration {
        match (self.count / CEILING).checked_ilog2() {
            None => Duration::ZERO,
            Some(doublings) => (FIRST_HOLD * 2_u32.pow(doublings.min(8))).min(MAX_HOLD),
        }
    }

    fn is_current(self, now: Timestamp) -> bool {
        self.under_way > 0 || now.micros() - self.last.micros() < FORGOTTEN_AFTER_MICROS
    }
}

impl Tables {
    /// Changes what is counted of an attempt wherever it is.
    fn each(&mut self, pair: Pair, change: impl Fn(&mut Failures)) {
        let counted = [
            self.pairs.get_mut(&pair),
            self.emails.get_mut(&pair.email),
            self.networks.get_mut(&pair.network),
        ];
        counted.into_iter().flatten().for_each(change);
    }

    fn sweep(&mut self, now: Timestamp) {
        let largest = [
            self.pairs.len(),
            self.emails.len(),
            self.networks.len(),
            self.known.len(),
        ]
        .into_iter()
        .max()
        .unwrap_or(0);
        if largest <= MAX_ENTRIES && now.micros() - self.swept_at.micros() < SWEEP_MICROS {
            return;
        }
        self.swept_at = now;
        forget(&mut self.pairs, now);
        forget(&mut self.emails, now);
        forget(&mut self.networks, now);
        self.known
            .retain(|_, at| now.micros() - at.micros() < KNOWN_MICROS);
        shorten(&mut self.known, |at| *at);
    }
}

fn forget<K: Ord + Copy>(table: &mut BTreeMap<K, Failures>, now: Timestamp) {
    table.retain(|_, failures| failures.is_current(now));
    shorten(table, |failures| failures.last);
}

/// Takes away the entries that were touched longest ago where there are too many.
fn shorten<K: Ord + Copy, V>(table: &mut BTreeMap<K, V>, touched_at: impl Fn(&V) -> Timestamp) {
    if table.len() <= MAX_ENTRIES {
        return;
    }
    let mut times: Vec<Timestamp> = table.values().map(&touched_at).collect();
    times.sort_unstable();
    let oldest_kept = times[times.len() - MAX_ENTRIES * 3 / 4];
    table.retain(|_, value| touched_at(value) >= oldest_kept);
    // All at the same moment: which of them go does not matter.
    while table.len() > MAX_ENTRIES {
        table.pop_first();
    }
}

#[cfg(test)]
mod tests;
