//! A load generator that does not flatter: calls are due at a constant rate, whether or not earlier ones have been
//! answered, and every latency counts from when the call was due. (Waiting for an answer before sending the next call
//! would leave out just those calls that a slow moment would have delayed.)

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::http1::Connection;
use crate::quantile;

/// How long calls that are overdue are still sent after the last one was due.
const MAX_LAG: Duration = Duration::from_secs(2);

/// Whom to call, and with what.
#[derive(Clone, Debug)]
pub struct Target {
    /// As the tables name it.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Headers besides the usual ones, each with its line end.
    pub headers: String,
}

/// How much, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls a second of all connections together; `None` for as many as are answered.
    pub rate: Option<f64>,
    /// Connections, each in a thread of its own with calls due in turn.
    pub connections: usize,
    /// For how long calls become due.
    pub time: Duration,
    /// Whether the answers are streams.
    pub is_stream: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From when a call was due to the end of its answer, sorted.
    pub latencies_ms: Vec<f64>,
    /// From when a call was due to the first byte of the answer's body, sorted.
    pub first_bytes_ms: Vec<f64>,
    /// Calls that were answered otherwise than with 200, or not at all.
    pub failed: u64,
    /// Calls that were due and not even sent: a candidate this far behind does not sustain the rate.
    pub unsent: u64,
    /// From the first call to the last answer.
    pub seconds: f64,
}

impl Measured {
    /// Calls that were answered with 200.
    pub fn succeeded(&self) -> u64 {
        self.latencies_ms.len() as u64
    }

    /// Successful calls a second.
    pub fn rate(&self) -> f64 {
        self.succeeded() as f64 / self.seconds
    }

    /// The latency below which `share` of the calls lie, in milliseconds.
    pub fn latency_ms(&self, share: f64) -> f64 {
        quantile(&self.latencies_ms, share)
    }

    /// The same of the first byte.
    pub fn first_byte_ms(&self, share: f64) -> f64 {
        quantile(&self.first_bytes_ms, share)
    }

    fn add(&mut self, other: Self) {
        self.latencies_ms.extend(other.latencies_ms);
        self.first_bytes_ms.extend(other.first_bytes_ms);
        self.failed += other.failed;
        self.unsent += other.unsent;
    }
}

/// Calls `target` and waits for the last answer.
pub fn run(target: &Target, load: Load) -> io::Result<Measured> {
    let request = request(target, load.is_stream);
    // All connections stand before the first call is due.
    let connections = (0..load.connections)
        .map(|_| Connection::open(target.address))
        .collect::<io::Result<Vec<_>>>()?;
    let begun = Instant::now() + Duration::from_millis(50);
    let mut all = Measured::default();
    let parts: Vec<Measured> = thread::scope(|scope| {
        let senders: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(index, connection)| {
                let request = &request;
                scope.spawn(move || send(target.address, connection, request, load, index, begun))
            })
            .collect();
        senders
            .into_iter()
            .filter_map(|sender| sender.join().ok())
            .collect()
    });
    all.seconds = begun.elapsed().as_secs_f64();
    for part in parts {
        all.add(part);
    }
    all.latencies_ms.sort_unstable_by(f64::total_cmp);
    all.first_bytes_ms.sort_unstable_by(f64::total_cmp);
    Ok(all)
}

/// The calls of one connection. A connection that fails is replaced; its call has failed.
fn send(
    address: SocketAddr,
    connection: Connection,
    request: &[u8],
    load: Load,
    index: usize,
    begun: Instant,
) -> Measured {
    let mut found = Measured::default();
    let mut connection = Some(connection);
    let mut n = 0u32;
    loop {
        let due = match load.rate {
            Some(rate) => {
                let place = f64::from(n) * load.connections as f64 + index as f64;
                begun + Duration::from_secs_f64(place / rate)
            }
            None => Instant::now().max(begun),
        };
        if due >= begun + load.time {
            return found;
        }
        n += 1;
        if begun.elapsed() > load.time + MAX_LAG {
            found.unsent += 1;
            continue;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let answered = connection
            .take()
            .map_or_else(|| Connection::open(address), Ok)
            .and_then(|mut open| {
                open.send(request)?;
                let head = open.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let arrival = open.body(&head, |_| ())?;
                Ok((open, head.status, arrival))
            });
        match answered {
            Ok((open, 200, arrival)) => {
                connection = Some(open);
                let ms = |at: Instant| at.duration_since(due).as_secs_f64() * 1_000.0;
                found.latencies_ms.push(ms(arrival.last));
                found.first_bytes_ms.push(ms(arrival.first));
            }
            Ok((open, ..)) => {
                connection = Some(open);
                found.failed += 1;
            }
            Err(_) => found.failed += 1,
        }
    }
}

fn request(target: &Target, is_stream: bool) -> Vec<u8> {
    let stream = if is_stream { r#","stream":true"# } else { "" };
    let body = format!(
        r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"You answer in one short sentence."}},{{"role":"user","content":"What is a plumb line, and which way does it hang?"}}]{stream}}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nauthorization: Bearer sk-bench\r\naccept: application/json\r\n{}content-length: {}\r\n\r\n{body}",
        target.address,
        target.headers,
        body.len()
    )
    .into_bytes()
}
