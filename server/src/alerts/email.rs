//! E-mail: a message with a text and an HTML part, by a project's own server of e-mail.

mod address;
mod letter;
mod smtp;

use std::time::{Duration, UNIX_EPOCH};

use domain::alert::AlertContent;
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use serde_json::Value;
use tokio::time::timeout;

use self::letter::Letter;
use self::smtp::Sent;
use super::message::{Message, Sending};
use super::reply::{Reply, Verdict};
use crate::outbound::{CallError, Outbound};

pub(super) use address::{BadSmtpUrl, MAX_RECIPIENTS, SmtpServer, mailbox, mailboxes};

/// How long a whole dialogue may take: less than a channel is claimed for.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// Characters of a subject.
const MAX_SUBJECT_CHARS: usize = 150;
/// Characters of an answer that people see.
const MAX_SAID_CHARS: usize = 200;

/// From whom, and to whom.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Envelope {
    /// As it is stored with the channel's options.
    pub(super) fn of(options: &Value) -> Option<Self> {
        let to = options.get("to")?.as_array()?;
        let to: Vec<String> = to.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self {
            from: mailbox(options.get("from")?.as_str()?)?,
            to: mailboxes(&to)?,
        })
    }
}

/// Sends, and says what came of it.
pub(super) async fn send(
    outbound: &Outbound,
    server: &SmtpServer,
    envelope: &Envelope,
    sending: &Sending,
    messages: &[Message],
) -> Result<Reply, CallError> {
    let Some(written) = written(envelope, sending, messages) else {
        return Ok(Reply::new(
            Verdict::Refused,
            "The message can't be written".to_owned(),
        ));
    };
    let hello = own_name(&sending.public_url);
    let to = (&envelope.from, envelope.to.as_slice());
    let sent = timeout(SEND_TIMEOUT, smtp::send(outbound, server, &hello, to, &written))
        .await
        .map_err(|_elapsed| CallError::TimedOut {
            host: server.host.clone(),
        })??;
    let (verdict, answer) = match sent {
        Sent::Taken { answer, refused } if refused.is_empty() => (Verdict::Taken, answer),
        Sent::Taken { answer, refused } => {
            (Verdict::Taken, format!("{answer}; not to {}", refused.join("; ")))
        }
        Sent::Stopped(answer) => (Verdict::Stopped, answer),
        Sent::Refused(answer) => (Verdict::Refused, answer),
        Sent::Later(answer) => (Verdict::TryAgain { after_s: None }, answer),
    };
    Ok(Reply::new(
        verdict,
        domain::text::first_line(&answer, MAX_SAID_CHARS),
    ))
}

/// The message as it goes over the line; `None` where it can't be written, a defect.
fn written(envelope: &Envelope, sending: &Sending, messages: &[Message]) -> Option<Vec<u8>> {
    let first = messages.first()?;
    let letter = Letter::of(sending, messages);
    let subject = one_line(&format!("[{}] {}", sending.project, letter.title));
    let at = Duration::from_micros(u64::try_from(sending.now.micros()).unwrap_or(0));
    let host = own_name(&sending.public_url);
    let mut builder = lettre::Message::builder()
        .from(envelope.from.clone())
        .subject(domain::text::first_line(&subject, MAX_SUBJECT_CHARS))
        .date(UNIX_EPOCH + at)
        // The same on every attempt, by which servers and people recognise it.
        .message_id(Some(format!("<{}@{host}>", first.id)))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for recipient in &envelope.to {
        builder = builder.to(recipient.clone());
    }
    // What happens to an incident is one conversation.
    if let ([_], AlertContent::Incident(incident)) = (messages, &first.content) {
        builder = builder.header(header::References::from(format!(
            "<{}@{host}>",
            incident.incident_id
        )));
    }
    let body = MultiPart::alternative_plain_html(letter.text(), letter.html());
    Some(builder.multipart(body).ok()?.formatted())
}

/// What a header holds: no line breaks, which would begin another one.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The host of the dashboard, by which this server calls itself.
fn own_name(public_url: &str) -> String {
    let host = public_url.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    if is_name {
        host.to_owned()
    } else {
        "plumbline.invalid".to_owned()
    }
}

#[cfg(test)]
#[path = "email/tests.rs"]
mod tests;
