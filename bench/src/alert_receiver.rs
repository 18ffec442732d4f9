//! A receiver of alerts on this machine: Slack, Sentry and a webhook in one. It takes everything, and notes when it came.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sender that says nothing for this long is left alone.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
/// More than that is no message.
const MAX_MESSAGE_BYTES: u64 = 4 * 1024 * 1024;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// A message that came.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The path it was sent to, which tells the channel.
    pub path: String,
    pub body: String,
    /// When all of it had come, before it was answered.
    pub at: Instant,
}

/// The receiver. It listens until the program ends.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Receiver {
    /// Listens on a free port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let receiver = Self {
            address: listener.local_addr()?,
            arrived: Arc::default(),
        };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || {
                    // Who breaks off has sent no message.
                    if let Ok(message) = read(&stream) {
                        own.messages().push(message);
                        (&stream).write_all(ANSWER).ok();
                    }
                });
            }
        });
        Ok(receiver)
    }

    /// What came so far, the oldest first.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.messages().clone()
    }

    fn messages(&self) -> std::sync::MutexGuard<'_, Vec<Arrived>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(stream: &TcpStream) -> io::Result<Arrived> {
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    let mut reader = BufReader::new(stream).take(MAX_MESSAGE_BYTES);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Arrived {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        at: Instant::now(),
    })
}
