//! The dialogue with a server of e-mail. Connections and their encryption are ours, because addresses are checked where
//! they are connected to; the rest is lettre's.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::address::SmtpServer;
use crate::outbound::{CallError, Outbound};

/// Lines of an answer, and bytes of one, before anything is encrypted.
const MAX_LINES: usize = 64;
const MAX_LINE_BYTES: u64 = 1_024;
/// Bytes of all answers after that. Whoever reads them looks at a line only when it has ended.
const MAX_ANSWERS_BYTES: usize = 256 * 1024;
/// How long a goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// How far a message came.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was taken for some; the others were refused for good, with what was said of each.
    Taken { answer: String, refused: Vec<String> },
    /// Nobody gets it, whatever the message: who sends, or all who were to get it, are refused for good.
    Stopped(String),
    /// This message is refused.
    Refused(String),
    /// Later perhaps.
    Later(String),
}

/// Sends one message.
pub(super) async fn send(
    outbound: &Outbound,
    server: &SmtpServer,
    hello: &str,
    (from, to): (&Mailbox, &[Mailbox]),
    message: &[u8],
) -> Result<Sent, CallError> {
    let hello = ClientId::Domain(hello.to_owned());
    let stream = open(outbound, server, &hello).await?;
    let mut connection = match AsyncSmtpConnection::connect_with_transport(stream, &hello).await {
        Ok(connection) => connection,
        Err(cause) => return Ok(Sent::Later(words(&cause))),
    };
    let sent = converse(&mut connection, server, (from, to), message).await;
    // It says goodbye. What is answered to that does not matter and is not waited for: a message that was taken would
    // count as one that was not, and be sent again.
    // Whoever is shutting down need not wait for it either.
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends within seconds, and nothing depends on it"
    )]
    tokio::spawn(async move { timeout(GOODBYE_TIMEOUT, connection.abort()).await });
    Ok(sent)
}

async fn converse(
    connection: &mut AsyncSmtpConnection,
    server: &SmtpServer,
    (from, to): (&Mailbox, &[Mailbox]),
    message: &[u8],
) -> Sent {
    if let Some((name, password)) = &server.login {
        let credentials = Credentials::new(name.clone(), password.clone());
        if let Err(cause) = connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
        {
            return if cause.is_permanent() || cause.is_client() {
                Sent::Stopped(words(&cause))
            } else {
                Sent::Later(words(&cause))
            };
        }
    }
    if let Err(cause) = connection
        .command(Mail::new(Some(from.email.clone()), Vec::new()))
        .await
    {
        return if cause.is_permanent() {
            Sent::Stopped(words(&cause))
        } else {
            Sent::Later(words(&cause))
        };
    }
    let (mut taken, mut refused, mut later) = (0, Vec::new(), None);
    for recipient in to {
        match connection
            .command(Rcpt::new(recipient.email.clone(), Vec::new()))
            .await
        {
            Ok(_) => taken += 1,
            Err(cause) if cause.is_permanent() => {
                refused.push(format!("{}: {}", recipient.email, words(&cause)))
            }
            Err(cause) => later = Some(words(&cause)),
        }
    }
    // All who can have it get it at once; a second attempt would give it to them twice.
    if taken == 0 {
        return match later {
            Some(said) => Sent::Later(said),
            None => Sent::Stopped(refused.join("; ")),
        };
    }
    if let Err(cause) = connection.command(Data).await {
        return if cause.is_permanent() {
            Sent::Refused(words(&cause))
        } else {
            Sent::Later(words(&cause))
        };
    }
    match connection.message(message).await {
        Ok(response) => Sent::Taken {
            answer: said(&response),
            refused: refused.into_iter().chain(later).collect(),
        },
        Err(cause) if cause.is_permanent() => Sent::Refused(words(&cause)),
        Err(cause) => Sent::Later(words(&cause)),
    }
}

/// `250 2.0.0 Ok`.
fn said(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

/// What the server said, or why it said nothing.
fn words(cause: &lettre::transport::smtp::Error) -> String {
    use std::error::Error as _;
    let text = match (cause.status(), cause.source()) {
        (Some(code), Some(said)) => format!("{code} {said}"),
        (Some(code), None) => code.to_string(),
        (None, Some(source)) => source.to_string(),
        (None, None) => cause.to_string(),
    };
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Connects, encrypted but for addresses of the allowance whose server offers no encryption.
async fn open(
    outbound: &Outbound,
    server: &SmtpServer,
    hello: &ClientId,
) -> Result<Box<dyn AsyncTokioStream>, CallError> {
    let stream = outbound.dial(&server.host, server.port, false).await?;
    if server.is_implicit {
        let stream = outbound.encrypt(&server.host, stream).await?;
        return Ok(Box::new(Greeted::new(Stream::Tls(Box::new(stream)), Vec::new())));
    }
    let broken = |cause: String| CallError::Unreachable {
        host: server.host.clone(),
        cause,
    };
    let mut plain = BufReader::new(stream);
    let greeting = answer(&mut plain)
        .await
        .map_err(|cause| broken(cause.to_string()))?;
    let offers = ask(&mut plain, &format!("EHLO {hello}"))
        .await
        .map_err(|cause| broken(cause.to_string()))?;
    if !offers.lines().any(|line| {
        line.get(4..)
            .is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))
    }) {
        if !outbound.is_allowed_plain(plain.get_ref()) {
            return Err(broken(
                "it offers no STARTTLS, and nothing is sent unencrypted".to_owned(),
            ));
        }
        return Ok(Box::new(Greeted::new(
            Stream::Plain(plain.into_inner()),
            greeting.into_bytes(),
        )));
    }
    let ready = ask(&mut plain, "STARTTLS")
        .await
        .map_err(|cause| broken(cause.to_string()))?;
    // What came with the answer was sent by nobody who has a certificate.
    if !ready.starts_with("220") || !plain.buffer().is_empty() {
        return Err(broken("it did not go on to encryption".to_owned()));
    }
    let stream = outbound.encrypt(&server.host, plain.into_inner()).await?;
    Ok(Box::new(Greeted::new(
        Stream::Tls(Box::new(stream)),
        b"220 encrypted\r\n".to_vec(),
    )))
}

async fn ask(stream: &mut BufReader<TcpStream>, command: &str) -> io::Result<String> {
    stream
        .get_mut()
        .write_all(format!("{command}\r\n").as_bytes())
        .await?;
    answer(stream).await
}

/// All lines of an answer; an error where it is none of success.
async fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    use tokio::io::AsyncReadExt as _;
    let mut whole = String::new();
    for _ in 0..MAX_LINES {
        let mut line = String::new();
        (&mut *stream).take(MAX_LINE_BYTES).read_line(&mut line).await?;
        if !line.ends_with('\n') {
            return Err(io::Error::other("it broke off its answer"));
        }
        let is_last = line.as_bytes().get(3) != Some(&b'-');
        if !line.starts_with('2') {
            return Err(io::Error::other(line.trim_end().to_owned()));
        }
        whole.push_str(&line);
        if is_last {
            return Ok(whole);
        }
    }
    Err(io::Error::other("its answer is too long"))
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection whose beginning was read already: who goes on with it reads the greeting once more.
#[derive(Debug)]
struct Greeted {
    stream: Stream,
    greeting: Vec<u8>,
    read: usize,
    /// How many bytes may still come.
    left: usize,
}

impl Greeted {
    fn new(stream: Stream, greeting: Vec<u8>) -> Self {
        Self {
            stream,
            greeting,
            read: 0,
            left: MAX_ANSWERS_BYTES,
        }
    }
}

impl AsyncTokioStream for Greeted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Stream::Plain(stream) => stream.peer_addr(),
            Stream::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(rest) = this.greeting.get(this.read..).filter(|rest| !rest.is_empty()) {
            let taken = rest.len().min(buf.remaining());
            buf.put_slice(rest.get(..taken).unwrap_or_default());
            this.read += taken;
            return Poll::Ready(Ok(()));
        }
        if this.left == 0 {
            return Poll::Ready(Err(io::Error::other("its answers are too long")));
        }
        let before = buf.filled().len();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        };
        this.left = this.left.saturating_sub(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
