//! A provider whose every byte the test decides: a socket that hands over what arrives and sends what the test says.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A provider.
pub(crate) struct Upstream {
    pub(crate) origin: String,
    arrived: mpsc::Receiver<Arrived>,
}

/// A request that arrived at it.
pub(crate) struct Arrived {
    /// Request line and headers as they came.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    stream: TcpStream,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, arrived) = mpsc::channel(1_000);
        tokio_util::task::TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio_util::task::TaskTracker::new().spawn(async move {
                    if let Some(arrived) = Arrived::read(stream).await {
                        sender.send(arrived).await.ok();
                    }
                });
            }
        });
        Self { origin, arrived }
    }

    /// A provider that answers every request alike.
    pub(crate) async fn answering(answer: Vec<u8>) -> String {
        let mut upstream = Self::start().await;
        let origin = upstream.origin.clone();
        tokio_util::task::TaskTracker::new().spawn(async move {
            while let Some(mut arrived) = upstream.arrived.recv().await {
                arrived.send(&answer).await;
            }
        });
        origin
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Arrived {
        timeout(TIMEOUT, self.arrived.recv())
            .await
            .unwrap_or_else(|_| panic!("nothing arrives at the provider"))
            .unwrap()
    }

    /// Asserts that nothing arrived.
    pub(crate) fn saw_nothing(&mut self) {
        assert!(self.arrived.try_recv().is_err(), "something was sent on");
    }
}

impl Arrived {
    async fn read(mut stream: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).ok()?;
        let mut arrived = Self {
            head,
            body: Vec::new(),
            stream,
        };
        if let Some(length) = arrived.header("content-length") {
            let length: usize = length.parse().unwrap();
            while body.len() < length {
                if arrived.stream.read_buf(&mut body).await.ok()? == 0 {
                    return None;
                }
            }
        } else if arrived.header("transfer-encoding").is_some() {
            while !body.ends_with(b"0\r\n\r\n") {
                if arrived.stream.read_buf(&mut body).await.ok()? == 0 {
                    return None;
                }
            }
            body = unchunked(&body);
        }
        arrived.body = body;
        Some(arrived)
    }

    /// All headers in their order.
    pub(crate) fn headers(&self) -> Vec<(&str, &str)> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Begins a stream of events.
    pub(crate) async fn begin_stream(&mut self) {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
    }

    /// Sends a chunk of a stream.
    pub(crate) async fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk).await;
    }

    /// Ends a stream.
    pub(crate) async fn end(mut self) {
        self.send("0\r\n\r\n").await;
    }

    /// Sends a whole stream in these chunks.
    pub(crate) async fn stream(mut self, chunks: &[&str]) {
        self.begin_stream().await;
        for chunk in chunks {
            self.chunk(chunk).await;
        }
        self.end().await;
    }

    /// Answers with JSON.
    pub(crate) async fn json(mut self, status: &str, body: &str) {
        self.send(whole(
            status,
            "content-type: application/json\r\n",
            body.as_bytes(),
        ))
        .await;
    }

    /// Returns when the other side has gone away.
    pub(crate) async fn gone(mut self) {
        let mut byte = [0];
        let read = timeout(TIMEOUT, self.stream.read(&mut byte))
            .await
            .unwrap_or_else(|_| panic!("the call goes on though its caller is gone"));
        assert!(matches!(read, Ok(0) | Err(_)), "more was sent");
    }
}

/// A whole answer; every line of `headers` ends with CRLF. It says that the connection ends with it: a request
/// on one that is just being closed would be lost, as with every server.
pub(crate) fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 2 + length + 2..];
    }
}
