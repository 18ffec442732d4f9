//! What reading may take of the server: a few answers at a time for each caller, not many in all, each worked out on a
//! thread that serves no other request. Ingest, the proxy, sign-in and probes are no reads and never wait here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::UserId;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::auth::{Auth, Client};
use crate::error::{HttpError, HttpResult};
use crate::metrics::Metrics;
use crate::network::network_of;

/// Answers for one caller at a time. Fewer than there are connections for reads, so that others always have some.
const PER_CALLER: usize = 3;
/// For all people behind a proxy that does not say whose requests it forwards.
const PER_PROXY: usize = 8;
/// Answers at a time in all.
const IN_ALL: usize = 12;
/// How many requests of one caller may wait for their turn; a page and what its code asks for are a handful.
const MAX_WAITING: usize = 24;
/// Scores a step of up to 32 MiB and stores nothing: a read, although its step comes as a body.
const SCORE_ONLY: &str = "/api/score";
/// Look-ups for models come as bodies too.
const LOOK_UPS: &str = "/mcp";
/// How long a request waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Who reads, as far as it has been checked: what a request merely says could be another thing each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// The SHA-256 of a key. One that is unknown gets no further than that.
    Key([u8; 32]),
    User(UserId),
    /// Without accounts, the network a request came from.
    Network(IpAddr),
    /// Everybody behind a proxy that signs people in, or whose address is unknown.
    Shared(Option<IpAddr>),
}

/// How much is being read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadLimits {
    readers: Arc<Mutex<BTreeMap<Reader, Arc<Semaphore>>>>,
    waiting: Arc<Mutex<BTreeMap<Reader, usize>>>,
    all: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// The right to work out one answer. Given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _all: OwnedSemaphorePermit,
    own: Option<OwnedSemaphorePermit>,
    reader: Reader,
    limits: ReadLimits,
}

impl ReadLimits {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            readers: Arc::default(),
            waiting: Arc::default(),
            all: Arc::new(Semaphore::new(IN_ALL)),
            metrics,
        }
    }

    /// Waits for a turn, for a while: 429 where the reader's own requests are in the way, 503 where others' are.
    pub async fn turn(&self, reader: Reader) -> HttpResult<Turn> {
        let _waiting = self.wait(reader)?;
        let own = locked(&self.readers)
            .entry(reader)
            .or_insert_with(|| Arc::new(Semaphore::new(reader.limit())))
            .clone();
        let begun = tokio::time::Instant::now();
        let own = timeout(MAX_WAIT, own.acquire_owned()).await;
        // Semaphores are never closed.
        let Ok(Ok(own)) = own else {
            self.forget_if_idle(reader);
            return Err(self.refused(too_many()));
        };
        let left = MAX_WAIT.saturating_sub(begun.elapsed());
        match timeout(left, Arc::clone(&self.all).acquire_owned()).await {
            Ok(Ok(all)) => Ok(Turn {
                _all: all,
                own: Some(own),
                reader,
                limits: self.clone(),
            }),
            _ => {
                drop(own);
                self.forget_if_idle(reader);
                Err(self.refused(HttpError::overloaded(
                    "The server is working out as many answers as it can; try again in a moment",
                )))
            }
        }
    }

    fn wait(&self, reader: Reader) -> HttpResult<Waiting<'_>> {
        let mut waiting = locked(&self.waiting);
        let count = waiting.entry(reader).or_default();
        if *count >= MAX_WAITING {
            return Err(self.refused(too_many()));
        }
        *count += 1;
        Ok(Waiting { limits: self, reader })
    }

    fn refused(&self, error: HttpError) -> HttpError {
        self.metrics.refused_reads.inc();
        error
    }

    /// Readers without a request take no memory.
    fn forget_if_idle(&self, reader: Reader) {
        let mut readers = locked(&self.readers);
        // Clones are made under the lock, so nobody is about to use it.
        let is_idle = readers
            .get(&reader)
            .is_some_and(|own| Arc::strong_count(own) == 1 && own.available_permits() == reader.limit());
        if is_idle {
            readers.remove(&reader);
        }
    }
}

impl Reader {
    const fn limit(self) -> usize {
        match self {
            Self::Shared(_) => PER_PROXY,
            Self::Key(_) | Self::User(_) | Self::Network(_) => PER_CALLER,
        }
    }
}

/// The turn of a program's request, for a handler that gives it back before it waits for somebody else.
#[derive(Clone, Debug)]
pub(crate) struct HeldTurn(Arc<Mutex<Option<Turn>>>);

impl HeldTurn {
    fn new(turn: Turn) -> Self {
        Self(Arc::new(Mutex::new(Some(turn))))
    }

    /// Lets another request be answered.
    pub(crate) fn give_back(&self) {
        drop(locked(&self.0).take());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.own = None;
        self.limits.forget_if_idle(self.reader);
    }
}

/// A request that waits for its turn.
struct Waiting<'a> {
    limits: &'a ReadLimits,
    reader: Reader,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.limits.waiting);
        if let Some(count) = waiting.get_mut(&self.reader) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&self.reader);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_many() -> HttpError {
    HttpError {
        retry_after_seconds: Some(1),
        ..HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_reads",
            "Too many of your requests are being answered at once; wait for one before you send the next",
        )
    }
}

/// Middleware of what programs call: of these, what reads stored data.
pub async fn of_programs(
    State(auth): State<Auth>,
    State(reads): State<ReadLimits>,
    request: Request,
    next: Next,
) -> Response {
    if !is_read(
        request.method(),
        request.uri().path(),
        wants_events(request.headers()),
    ) {
        return next.run(request).await;
    }
    let (reader, mut request) = match reader_of(&auth, request).await {
        Ok(found) => found,
        Err(error) => return error.into_response(),
    };
    match reads.turn(reader).await {
        Ok(turn) => {
            let turn = HeldTurn::new(turn);
            request.extensions_mut().insert(turn.clone());
            off_request_threads(turn, next.run(request)).await
        }
        Err(error) => error.into_response(),
    }
}

/// Whether a reader wants server-sent events where a route has them.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

/// Whether a program's request is answered from stored data, or takes as much working out. A stream of changes goes on for
/// minutes and reads nothing; that of an investigation reads a few rows now and then. The export of a user's data is sent
/// page by page as it is read, and has a limit of its own.
fn is_read(method: &Method, path: &str, wants_events: bool) -> bool {
    let is_get = method == Method::GET || method == Method::HEAD;
    let is_export = path
        .strip_prefix("/api/users/")
        .is_some_and(|rest| rest.ends_with("/export"));
    let is_stream = is_export || path == "/api/live" || (wants_events && path.ends_with("/investigation"));
    // Reads many runs and stores nothing.
    let is_trial = method == Method::POST && path.starts_with("/api/detectors/") && path.ends_with("/try");
    (is_get && path.starts_with("/api/") && !is_stream) || is_trial || path == SCORE_ONLY || path == LOOK_UPS
}

/// By key, by session, or by where the request comes from.
pub(crate) async fn reader_of(auth: &Auth, request: Request) -> HttpResult<(Reader, Request)> {
    if let Some(sha256) = auth.presented_key(request.headers()) {
        return Ok((Reader::Key(sha256), request));
    }
    match auth.signed_in_user(request.headers()).await? {
        Some(user) => Ok((Reader::User(user), request)),
        None => Ok(reader_at(auth, request).await),
    }
}

/// The reader of a request that brought nothing that was checked: its network.
pub(crate) async fn reader_at(auth: &Auth, request: Request) -> (Reader, Request) {
    let (mut parts, body) = request.into_parts();
    let Ok(client) = Client::from_request_parts(&mut parts, auth).await;
    let network = client.address.map(network_of);
    let reader = match network {
        Some(network) if !client.is_of_a_proxy => Reader::Network(network),
        network => Reader::Shared(network),
    };
    (reader, Request::from_parts(parts, body))
}

/// Works an answer out, with all of its body, on a thread that serves no other request: rendering a page or writing
/// many steps as JSON may take it for long. When nobody waits for the answer any more, it ends at its next wait for
/// something.
pub(crate) async fn off_request_threads(
    turn: impl Send + 'static,
    answer: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let runtime = Handle::current();
    if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
        return answer.await;
    }
    let given_up = CancellationToken::new();
    let _asked = given_up.clone().drop_guard();
    let worked_out = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        runtime.block_on(async move {
            tokio::select! {
                biased;
                () = given_up.cancelled() => None,
                response = whole(answer) => Some(response),
            }
        })
    });
    match worked_out.await {
        Ok(Some(response)) => response,
        Ok(None) => HttpError::internal(anyhow::anyhow!("given up, and still asked for")).into_response(),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cause) => HttpError::internal(cause).into_response(),
        },
    }
}

async fn whole(answer: impl Future<Output = Response>) -> Response {
    let (parts, body) = answer.await.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(cause) => HttpError::internal(cause).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(n: u8) -> Reader {
        Reader::Key([n; 32])
    }

    #[test]
    fn scoring_alone_is_a_read_and_ingest_is_none() {
        let check = |method: Method, path: &str, expected: bool| {
            assert_eq!(is_read(&method, path, false), expected, "{method} {path}");
        };
        check(Method::GET, "/api/runs", true);
        check(Method::HEAD, "/api/runs", true);
        check(Method::POST, "/api/score", true);
        check(Method::POST, "/mcp", true);
        check(Method::POST, "/api/detectors/1/try", true);
        check(Method::POST, "/api/detectors", false);
        check(Method::GET, "/api/incidents/1/investigation", true);
        check(Method::POST, "/api/deploys", false);
        check(Method::PUT, "/api/settings/scoring", false);
        check(Method::POST, "/ingest", false);
        check(Method::GET, "/healthz", false);
        check(Method::GET, "/api/users/u/export", false);
        check(Method::GET, "/api/users/export", true);
        // A stream is held open for minutes; saying so makes nothing else one.
        assert!(!is_read(&Method::GET, "/api/incidents/1/investigation", true));
        assert!(is_read(&Method::GET, "/api/runs", true));
    }

    #[tokio::test(start_paused = true)]
    async fn one_reader_waits_for_itself_and_others_do_not() {
        let limits = ReadLimits::new(Arc::default());
        let mut held = Vec::new();
        for _ in 0..PER_CALLER {
            held.push(limits.turn(reader(1)).await.unwrap());
        }
        let refused = limits.turn(reader(1)).await.unwrap_err();
        assert_eq!(
            (refused.status.as_u16(), refused.retry_after_seconds),
            (429, Some(1))
        );
        drop(limits.turn(reader(2)).await.unwrap());
        held.pop();
        held.push(limits.turn(reader(1)).await.unwrap());
        drop(held);
        assert!(locked(&limits.readers).is_empty() && locked(&limits.waiting).is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_is_given_back_holds_nobody_up() {
        let limits = ReadLimits::new(Arc::default());
        let held = HeldTurn::new(limits.turn(reader(1)).await.unwrap());
        assert_eq!(limits.all.available_permits(), IN_ALL - 1);
        held.clone().give_back();
        assert_eq!(limits.all.available_permits(), IN_ALL);
        assert!(locked(&limits.readers).is_empty());
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_a_limit_and_a_reader_has_few_that_wait() {
        let limits = ReadLimits::new(Arc::default());
        let mut held = Vec::new();
        for n in 0..IN_ALL {
            held.push(limits.turn(reader(u8::try_from(n).unwrap())).await.unwrap());
        }
        assert_eq!(limits.turn(reader(200)).await.unwrap_err().status.as_u16(), 503);
        let waiting = (0..=MAX_WAITING).map(|_| limits.turn(reader(201)));
        let answers = futures::future::join_all(waiting).await;
        let at_once = answers
            .iter()
            .filter(|answer| answer.as_ref().is_err_and(|error| error.status.as_u16() == 429))
            .count();
        assert!(at_once >= 1, "one more than may wait is refused at once");
        drop((held, answers));
        assert!(locked(&limits.readers).is_empty() && locked(&limits.waiting).is_empty());
    }
}
