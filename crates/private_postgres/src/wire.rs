//! The few messages of the Postgres protocol needed to ask "are you there?" and to run a plain statement.
//!
//! Spoken here rather than through psql or a driver so that readiness is one socket round trip.

use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

const PROTOCOL_3_0: i32 = 196_608;
/// Far above anything asked here; keeps a confused peer from making us allocate gigabytes.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Rows of a result: each column's text, `None` for SQL NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Why a conversation with Postgres failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The socket failed, or nothing listens on it.
    #[error("the connection to Postgres failed: {0}")]
    Socket(#[from] io::Error),
    /// Postgres answered with an error.
    #[error("Postgres says: {message} (SQLSTATE {code})")]
    Refused {
        /// Five characters, e.g. `57P03` while starting up.
        code: String,
        /// Postgres' own text.
        message: String,
    },
    /// The peer does not speak as a Postgres that trusts us would.
    #[error("unexpected answer on the Postgres socket: {0}")]
    Unexpected(&'static str),
}

pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Opens a session and waits until it takes statements.
    pub(crate) async fn open(socket: &Path, user: &str, database: &str) -> Result<Self, WireError> {
        let mut connection = Self {
            stream: BufReader::new(UnixStream::connect(socket).await?),
        };
        connection.send(&startup_message(user, database)).await?;
        connection.rows_until_ready().await?;
        Ok(connection)
    }

    /// Runs `sql` and returns its rows.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Rows, WireError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        let mut message = vec![b'Q'];
        message.extend_from_slice(&with_length(&body));
        self.send(&message).await?;
        self.rows_until_ready().await
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.stream.get_mut().write_all(message).await?;
        Ok(())
    }

    /// Reads up to ReadyForQuery. An error is returned only then, so that the session stays usable, or at the
    /// end of the stream, where a fatal error leaves it.
    async fn rows_until_ready(&mut self) -> Result<Rows, WireError> {
        let mut rows = Rows::new();
        let mut refused = None;
        loop {
            let (kind, body) = match self.receive().await {
                Ok(message) => message,
                Err(ended) => return Err(refused.unwrap_or(ended)),
            };
            match kind {
                b'Z' => return refused.map_or(Ok(rows), Err),
                b'R' if body != [0; 4] => {
                    return Err(WireError::Unexpected("it asks for a password"));
                }
                b'E' => refused = Some(parse_error(&body)),
                b'D' => rows.push(parse_row(&body).ok_or(WireError::Unexpected("a malformed row"))?),
                _ => {}
            }
        }
    }

    async fn receive(&mut self) -> Result<(u8, Vec<u8>), WireError> {
        let kind = self.stream.read_u8().await?;
        let length = usize::try_from(self.stream.read_i32().await?)
            .ok()
            .and_then(|n| n.checked_sub(4));
        let Some(length) = length.filter(|n| *n <= MAX_MESSAGE_BYTES) else {
            return Err(WireError::Unexpected("a message of impossible length"));
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((kind, body))
    }
}

fn startup_message(user: &str, database: &str) -> Vec<u8> {
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    for text in ["user", user, "database", database, "client_encoding", "UTF8"] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    with_length(&body)
}

/// Postgres counts the four length bytes too.
fn with_length(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(body);
    message
}

fn parse_error(body: &[u8]) -> WireError {
    let field = |wanted: u8| {
        body.split(|byte| *byte == 0)
            .find_map(|field| field.split_first().filter(|(kind, _)| **kind == wanted))
            .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    };
    WireError::Refused {
        code: field(b'C'),
        message: field(b'M'),
    }
}

fn parse_row(body: &[u8]) -> Option<Vec<Option<String>>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        // A negative length is NULL.
        match usize::try_from(i32::from_be_bytes(*length)) {
            Ok(length) => {
                let (text, after) = after.split_at_checked(length)?;
                columns.push(Some(String::from_utf8_lossy(text).into_owned()));
                rest = after;
            }
            Err(_) => {
                columns.push(None);
                rest = after;
            }
        }
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_broken_ones_refused() {
        fn check(body: &[u8], expected: Option<Vec<Option<&str>>>) {
            let expected = expected.map(|row| {
                row.into_iter()
                    .map(|column| column.map(str::to_owned))
                    .collect::<Vec<_>>()
            });
            assert_eq!(parse_row(body), expected, "{body:?}");
        }
        check(b"\0\0", Some(vec![]));
        check(b"\0\x01\0\0\0\x02ab", Some(vec![Some("ab")]));
        check(b"\0\x02\xff\xff\xff\xff\0\0\0\0", Some(vec![None, Some("")]));
        check(b"\0\x01\0\0\0\x03ab", None);
        check(b"\0\x01\0\0", None);
        check(b"", None);
    }

    #[test]
    fn errors_carry_code_and_message() {
        fn check(body: &[u8], expected: &str) {
            assert_eq!(parse_error(body).to_string(), expected);
        }
        check(
            b"SFATAL\0C57P03\0Mstarting up\0\0",
            "Postgres says: starting up (SQLSTATE 57P03)",
        );
        check(b"", "Postgres says:  (SQLSTATE )");
    }
}
