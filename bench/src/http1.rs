//! HTTP/1.1 on a blocking connection, as little as a benchmark's two ends need: no allocation per message, no timers
//! coarser than the figures that are measured.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A peer that says nothing for this long counts as failed.
const IO_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection and what has been read of it beyond the last message.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that belong to messages already handled.
    used: usize,
}

/// The head of a message, as far as it matters for reading its body.
#[derive(Debug)]
pub struct Head {
    /// `200` of an answer, 0 of a request.
    pub status: u16,
    body: Framing,
}

#[derive(Debug)]
enum Framing {
    Length(usize),
    Chunked,
}

/// When a body came.
#[derive(Debug)]
pub struct Arrival {
    /// Its first byte, or its end when it is empty.
    pub first: Instant,
    pub last: Instant,
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Wraps a connection that was accepted.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IO_TIMEOUT))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
            used: 0,
        })
    }

    /// Sends bytes at once.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads a head; `None` when the other side has closed the connection between two messages.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = parse(&self.buffer[..end])?;
                self.used = end + 4;
                return Ok(Some(head));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Reads a body to its end and hands its chunks to `take`.
    pub fn body(&mut self, head: &Head, mut take: impl FnMut(&[u8])) -> io::Result<Arrival> {
        let mut first = None;
        match head.body {
            Framing::Length(length) => self.pass(length, &mut first, &mut take)?,
            Framing::Chunked => loop {
                let size = self.line()?;
                let size = std::str::from_utf8(&size)
                    .ok()
                    .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok())
                    .ok_or(io::ErrorKind::InvalidData)?;
                self.pass(size, &mut first, &mut take)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            },
        }
        let last = Instant::now();
        Ok(Arrival {
            first: first.unwrap_or(last),
            last,
        })
    }

    fn pass(
        &mut self,
        length: usize,
        first: &mut Option<Instant>,
        take: &mut impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            if self.used == self.buffer.len() {
                self.fill_or_fail()?;
            }
            first.get_or_insert_with(Instant::now);
            let end = self.buffer.len().min(self.used + left);
            take(&self.buffer[self.used..end]);
            left -= end - self.used;
            self.used = end;
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buffer[self.used..], b"\r\n") {
                let line = self.buffer[self.used..self.used + end].to_vec();
                self.used += end + 2;
                return Ok(line);
            }
            self.fill_or_fail()?;
        }
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let from = self.buffer.len();
        self.buffer.resize(from + 16 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[from..]);
        self.buffer.truncate(from + *read.as_ref().unwrap_or(&0));
        read
    }
}

fn parse(head: &[u8]) -> io::Result<Head> {
    let text =
        std::str::from_utf8(head).map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))?;
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let status = start
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or(0);
    let mut body = Framing::Length(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.trim().parse();
            body =
                Framing::Length(length.map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Framing::Chunked;
        }
    }
    Ok(Head { status, body })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
