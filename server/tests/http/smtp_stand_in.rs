//! A server of e-mail: speaks SMTP with and without encryption, knows one login, and keeps what it got.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
    pub(crate) is_encrypted: bool,
    pub(crate) login: Option<String>,
}

/// How it behaves.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) tls: Option<TlsAcceptor>,
    /// From the first byte.
    pub(crate) is_implicit: bool,
    /// Name and password that it asks for.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// What it answers to who sends, to these of who get it, and to the message, where that is no success.
    pub(crate) sender_answer: Option<&'static str>,
    pub(crate) unknown: &'static [&'static str],
    pub(crate) recipient_answer: &'static str,
    pub(crate) data_answer: Option<&'static str>,
    /// Said with the answer to STARTTLS, before anything is encrypted.
    pub(crate) injected: &'static str,
}

pub(crate) struct SmtpStandIn {
    pub(crate) port: u16,
    got: mpsc::Receiver<Mail>,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}
type Stream = BufReader<Box<dyn Io>>;

impl SmtpStandIn {
    pub(crate) async fn new(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, got) = mpsc::channel(100);
        let behaviour = Arc::new(behaviour);
        TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behaviour, sender) = (Arc::clone(&behaviour), sender.clone());
                TaskTracker::new().spawn(async move {
                    let stream: Box<dyn Io> = match (&behaviour.tls, behaviour.is_implicit) {
                        (Some(tls), true) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        _ => Box::new(stream),
                    };
                    session(BufReader::new(stream), &behaviour, &sender).await;
                });
            }
        });
        Self { port, got }
    }

    pub(crate) async fn next(&mut self) -> Mail {
        let got = timeout(Duration::from_secs(40), self.got.recv()).await;
        got.unwrap_or_else(|_| panic!("no e-mail came")).unwrap()
    }

    pub(crate) fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.got.try_recv().ok()).count()
    }
}

async fn say(stream: &mut Stream, text: &str) {
    stream
        .get_mut()
        .write_all(format!("{text}\r\n").as_bytes())
        .await
        .ok();
    stream.get_mut().flush().await.ok();
}

async fn line(stream: &mut Stream) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn path(line: &str) -> String {
    let begin = line.find('<').unwrap() + 1;
    line[begin..line.find('>').unwrap()].to_owned()
}

async fn session(mut stream: Stream, behaviour: &Behaviour, sender: &mpsc::Sender<Mail>) {
    let mut mail = Mail {
        from: String::new(),
        to: Vec::new(),
        data: String::new(),
        is_encrypted: behaviour.is_implicit,
        login: None,
    };
    say(&mut stream, "220 mail.stand.in ESMTP").await;
    while let Some(command) = line(&mut stream).await {
        let upper = command.to_ascii_uppercase();
        if upper.starts_with("EHLO") {
            let mut offers = vec!["mail.stand.in", "8BITMIME"];
            if behaviour.tls.is_some() && !mail.is_encrypted {
                offers.push("STARTTLS");
            }
            if behaviour.login.is_some() {
                offers.push("AUTH PLAIN LOGIN");
            }
            for (place, offer) in offers.iter().enumerate() {
                let dash = if place + 1 < offers.len() { '-' } else { ' ' };
                say(&mut stream, &format!("250{dash}{offer}")).await;
            }
        } else if let (true, Some(tls)) = (upper == "STARTTLS", &behaviour.tls) {
            let answer = format!("220 go ahead\r\n{}", behaviour.injected);
            stream.get_mut().write_all(answer.as_bytes()).await.ok();
            let Ok(encrypted) = tls.accept(stream.into_inner()).await else {
                return;
            };
            let encrypted: Box<dyn Io> = Box::new(encrypted);
            stream = BufReader::new(encrypted);
            mail.is_encrypted = true;
        } else if let Some(initial) = command.strip_prefix("AUTH PLAIN ") {
            let decoded = String::from_utf8(STANDARD.decode(initial).unwrap()).unwrap();
            let (name, password) = behaviour.login.unwrap();
            if decoded == format!("\0{name}\0{password}") {
                mail.login = Some(name.to_owned());
                say(&mut stream, "235 2.7.0 welcome").await;
            } else {
                say(&mut stream, "535 5.7.8 wrong name or password").await;
            }
        } else if upper.starts_with("MAIL FROM:") {
            let is_known = behaviour.login.is_none() || mail.login.is_some();
            match (is_known, behaviour.sender_answer) {
                (false, _) => say(&mut stream, "530 5.7.0 log in first").await,
                (true, Some(answer)) => say(&mut stream, answer).await,
                (true, None) => {
                    mail.from = path(&command);
                    say(&mut stream, "250 2.1.0 ok").await;
                }
            }
        } else if upper.starts_with("RCPT TO:") {
            let recipient = path(&command);
            if behaviour.unknown.contains(&recipient.as_str()) {
                say(&mut stream, behaviour.recipient_answer).await;
            } else {
                mail.to.push(recipient);
                say(&mut stream, "250 2.1.5 ok").await;
            }
        } else if upper == "DATA" {
            say(&mut stream, "354 go ahead").await;
            mail.data.clear();
            loop {
                let Some(text) = line(&mut stream).await else {
                    return;
                };
                if text == "." {
                    break;
                }
                mail.data.push_str(text.strip_prefix('.').unwrap_or(&text));
                mail.data.push('\n');
            }
            match behaviour.data_answer {
                Some(answer) => say(&mut stream, answer).await,
                None => {
                    sender.send(mail.clone()).await.ok();
                    say(&mut stream, "250 2.0.0 queued as 7").await;
                }
            }
        } else if upper == "QUIT" {
            say(&mut stream, "221 bye").await;
            return;
        } else {
            say(&mut stream, "502 what?").await;
        }
    }
}
