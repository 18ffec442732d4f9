//! How many connections may be open: in all, so that files are left for the database, the spool and providers, and from
//! one network, so that nobody keeps others out.
//!
//! Where one more would be too many, the oldest connection of the same network that nobody waits on gives way: one that
//! has sent no request yet before one that is kept open between two. Only where all are at work the new one is closed.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, TrustedProxies};
use crate::metrics::Metrics;
use crate::network::network_of;

/// Open files that connections leave to everything else.
const RESERVED_FILES: u64 = 128;
/// More make the memory of the process the limit.
const MOST: u64 = 8_192;
const FEWEST: usize = 16;

/// How many connections may be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub in_all: usize,
    /// From one network.
    pub per_network: usize,
    /// From one network that other people's connections come through: this machine's own, and a proxy's.
    pub per_proxy: usize,
    every_network_is_a_proxy: bool,
    proxies: TrustedProxies,
}

impl ConnectionLimits {
    /// What the configuration says, as far as so many `open_files` allow. A connection through the proxy needs a second
    /// one to the provider.
    pub fn of(config: &Config, open_files: u64) -> Self {
        let fits = (open_files.saturating_sub(RESERVED_FILES) * 2 / 3).min(MOST);
        let fits = usize::try_from(fits).unwrap_or(FEWEST).max(FEWEST);
        let in_all = config.max_connections.map_or(fits, |wanted| wanted.min(fits));
        let per_network = config.max_connections_per_address.unwrap_or(in_all / 4);
        Self {
            in_all,
            per_network: per_network.clamp(1, in_all),
            per_proxy: per_network.max(in_all / 4 * 3).clamp(1, in_all),
            every_network_is_a_proxy: config.behind_auth_proxy,
            proxies: config.trusted_proxies.clone(),
        }
    }

    /// A part of these limits, for a second port.
    #[must_use]
    pub(super) fn part(self, parts: usize) -> Self {
        let part = |places: usize| (places / parts).max(FEWEST);
        Self {
            in_all: part(self.in_all),
            per_network: part(self.per_network),
            per_proxy: part(self.per_proxy),
            ..self
        }
    }

    fn of_address(&self, address: IpAddr) -> usize {
        let passes_on =
            self.every_network_is_a_proxy || address.is_loopback() || self.proxies.contains(address);
        if passes_on {
            self.per_proxy
        } else {
            self.per_network
        }
    }
}

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    open: Mutex<Open>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Oldest first.
    by_network: BTreeMap<IpAddr, VecDeque<Arc<Connection>>>,
}

#[derive(Debug, Default)]
struct Connection {
    has_asked: AtomicBool,
    /// Requests whose answers have not been sent to their end.
    under_way: AtomicUsize,
    gives_way: CancellationToken,
}

/// The place of an open connection.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    network: IpAddr,
    connection: Arc<Connection>,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: Mutex::default(),
            metrics,
        })
    }

    /// A place for a new connection, perhaps another one's; `None` when it is to be closed.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network_of(address);
        let mut open = self.open();
        let of_network = open.by_network.get(&network).map_or(0, VecDeque::len);
        let has_place = if of_network >= self.limits.of_address(address.to_canonical()) {
            self.make_room(&mut open, network)
        } else if open.count >= self.limits.in_all {
            let largest = open
                .by_network
                .iter()
                .max_by_key(|(_, connections)| connections.len());
            let largest = largest.map(|(network, _)| *network);
            largest.is_some_and(|network| self.make_room(&mut open, network))
        } else {
            true
        };
        if !has_place {
            self.metrics.refused_connections.inc();
            return None;
        }
        let connection = Arc::<Connection>::default();
        open.count += 1;
        open.by_network
            .entry(network)
            .or_default()
            .push_back(Arc::clone(&connection));
        self.metrics.open_connections.inc();
        Some(Place {
            connections: Arc::clone(self),
            network,
            connection,
        })
    }

    /// Closes the connection of the network that is missed least; false when all are at work.
    fn make_room(&self, open: &mut Open, network: IpAddr) -> bool {
        let Some(connections) = open.by_network.get(&network) else {
            return false;
        };
        let is_idle = |connection: &&Arc<Connection>| connection.under_way.load(Ordering::Acquire) == 0;
        let silent = |connection: &&Arc<Connection>| !connection.has_asked.load(Ordering::Acquire);
        let found = connections
            .iter()
            .filter(is_idle)
            .find(silent)
            .or_else(|| connections.iter().find(is_idle))
            .cloned();
        let Some(found) = found else { return false };
        found.gives_way.cancel();
        self.metrics.refused_connections.inc();
        self.remove(open, network, &found);
        true
    }

    fn remove(&self, open: &mut Open, network: IpAddr, connection: &Arc<Connection>) {
        let Some(connections) = open.by_network.get_mut(&network) else {
            return;
        };
        let Some(at) = connections
            .iter()
            .position(|known| Arc::ptr_eq(known, connection))
        else {
            return;
        };
        connections.remove(at);
        if connections.is_empty() {
            open.by_network.remove(&network);
        }
        open.count -= 1;
        self.metrics.open_connections.dec();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Ends when the connection has to give way to another.
    pub(super) async fn given_away(&self) {
        self.connection.gives_way.cancelled().await;
    }

    /// A request came. It is under way until what is returned is dropped.
    pub(super) fn request(&self) -> UnderWay {
        self.connection.has_asked.store(true, Ordering::Release);
        self.connection.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(&self.connection))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        self.connections.remove(&mut open, self.network, &self.connection);
    }
}

/// A request whose answer has not been sent to its end.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Connection>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer; its request is under way until it has been sent.
#[derive(Debug)]
pub(super) struct AnswerBody {
    pub(super) body: Body,
    pub(super) _under_way: UnderWay,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(in_all: usize, per_network: usize) -> Arc<Connections> {
        let limits = ConnectionLimits {
            in_all,
            per_network,
            per_proxy: per_network * 2,
            every_network_is_a_proxy: false,
            proxies: "10.0.0.99".parse().unwrap(),
        };
        Connections::new(limits, Arc::default())
    }

    fn from(network: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, network])
    }

    #[test]
    fn one_network_keeps_no_other_out_and_gives_way_to_itself() {
        let open = connections(10, 3);
        let places: Vec<Place> = (0..3).map(|_| open.admit(from(1)).unwrap()).collect();
        let other = open.admit(from(2)).unwrap();
        let fourth = open.admit(from(1)).unwrap();
        assert!(places[0].connection.gives_way.is_cancelled());
        assert!(!places[1].connection.gives_way.is_cancelled());
        assert!(!other.connection.gives_way.is_cancelled());
        assert_eq!(open.open().count, 4);
        drop((places, other, fourth));
        assert_eq!(open.open().count, 0);
        assert!(open.open().by_network.is_empty());
    }

    #[test]
    fn a_listed_proxy_has_as_many_as_those_who_come_through_it_need() {
        let open = connections(10, 3);
        let through: Vec<Place> = (0..6).map(|_| open.admit(from(99)).unwrap()).collect();
        assert!(
            through
                .iter()
                .all(|place| !place.connection.gives_way.is_cancelled())
        );
        drop(open.admit(from(99)).unwrap());
        assert!(through[0].connection.gives_way.is_cancelled());
    }

    #[test]
    fn what_is_at_work_stays_and_what_never_asked_goes_first() {
        let open = connections(10, 2);
        let (kept, silent) = (open.admit(from(1)).unwrap(), open.admit(from(1)).unwrap());
        drop(kept.request());
        let third = open.admit(from(1)).unwrap();
        assert!(silent.connection.gives_way.is_cancelled() && !kept.connection.gives_way.is_cancelled());
        let (first, second) = (kept.request(), third.request());
        assert!(open.admit(from(1)).is_none(), "both are at work");
        drop(second);
        assert!(open.admit(from(1)).is_some());
        assert!(third.connection.gives_way.is_cancelled() && !kept.connection.gives_way.is_cancelled());
        drop(first);
    }

    #[test]
    fn where_all_are_too_many_the_network_with_most_gives_way() {
        let open = connections(4, 3);
        let many: Vec<Place> = (0..3).map(|_| open.admit(from(1)).unwrap()).collect();
        let one = open.admit(from(2)).unwrap();
        let late = open.admit(from(3)).unwrap();
        assert!(many[0].connection.gives_way.is_cancelled());
        assert!(!one.connection.gives_way.is_cancelled() && !late.connection.gives_way.is_cancelled());
    }

    #[test]
    fn files_decide_how_many() {
        let config = Config::default();
        let few = ConnectionLimits::of(&config, 256);
        assert_eq!((few.in_all, few.per_network, few.per_proxy), (85, 21, 63));
        assert_eq!(ConnectionLimits::of(&config, 1 << 20).in_all, 8_192);
        assert_eq!(ConnectionLimits::of(&config, 64).in_all, FEWEST);
        let wanted = Config {
            max_connections: Some(500),
            max_connections_per_address: Some(400),
            ..Config::default()
        };
        let limits = ConnectionLimits::of(&wanted, 1 << 20);
        assert_eq!(
            (limits.in_all, limits.per_network, limits.per_proxy),
            (500, 400, 400)
        );
    }
}
