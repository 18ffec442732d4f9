//! One attempt to deliver: the secrets are opened, the message is written, the answer is read.

use std::sync::Arc;
use std::time::Instant;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Method, Request};
use bytes::Bytes;
use domain::alert::{AlertContent, AlertState, Channel, Trigger};
use domain::{ProjectId, Severity};
use serde_json::{Value, json};
use storage::alerts::NewAlert;
use storage::integrations;
use uuid::Uuid;

use super::channels::{DSN, PREVIOUS_SIGNING_SECRET, SIGNING_SECRET, SMTP_URL, URL, WEBHOOK_URL, field};
use super::email::{self, Envelope, SmtpServer};
use super::message::{Message, Sending};
use super::reply::{Reply, Verdict};
use super::sentry::{self, Dsn};
use super::triggers::summary_of;
use super::{slack, webhook};
use crate::clock;
use crate::outbound::{CallError, Outbound};
use crate::secrets::Secrets;

/// More than that is no answer to a message.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const CLIENT: &str = concat!("plumbline/", env!("CARGO_PKG_VERSION"));

/// What a call is about, without the secrets.
#[derive(Clone, Debug)]
pub(super) struct Delivery<'a> {
    pub(super) project: ProjectId,
    pub(super) channel: Channel,
    pub(super) options: &'a Value,
    pub(super) sending: &'a Sending,
    pub(super) messages: &'a [Message],
}

/// Sends messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    pub(super) db: storage::Db,
    secrets: Secrets,
    outbound: Outbound,
    pub(super) public_url: Arc<str>,
}

/// Why a message could not even be sent.
enum NotSent {
    /// What is stored can't be used.
    Unusable(String),
    Database(storage::Error),
    Call(CallError),
}

impl From<storage::Error> for NotSent {
    fn from(cause: storage::Error) -> Self {
        Self::Database(cause)
    }
}

impl From<CallError> for NotSent {
    fn from(cause: CallError) -> Self {
        Self::Call(cause)
    }
}

impl Sender {
    /// Sends by `outbound`. `public_url` is where links in messages begin.
    pub fn new(db: storage::Db, secrets: Secrets, outbound: Outbound, public_url: &str) -> Self {
        Self {
            db,
            secrets,
            outbound,
            public_url: public_url.trim_end_matches('/').into(),
        }
    }

    /// Tries once.
    pub(super) async fn deliver(&self, delivery: &Delivery<'_>) -> Reply {
        let sent = match delivery.channel {
            Channel::Slack => self.to_slack(delivery).await,
            Channel::Sentry => self.to_sentry(delivery).await,
            Channel::Email => self.to_email(delivery).await,
            Channel::Webhook => self.to_webhook(delivery).await,
        };
        sent.unwrap_or_else(not_sent)
    }

    async fn to_slack(&self, delivery: &Delivery<'_>) -> Result<Reply, NotSent> {
        let url = self.secret(delivery, WEBHOOK_URL).await?;
        let body = slack::body(delivery.sending, delivery.messages).to_string();
        let answer = self.post(&url, body.into(), "application/json", &[]).await?;
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Ok(slack::verdict(answer.status, retry_after, &answer.body))
    }

    async fn to_sentry(&self, delivery: &Delivery<'_>) -> Result<Reply, NotSent> {
        let dsn = self.dsn(delivery.project).await?;
        let Some(message) = delivery.messages.first() else {
            return Ok(nothing());
        };
        let envelope = {
            let environment = delivery.options.get("environment").and_then(Value::as_str);
            sentry::envelope(delivery.sending, delivery.project, environment, message)
        };
        self.post_envelope(&dsn, envelope, sentry::EVENTS).await
    }

    async fn dsn(&self, project: ProjectId) -> Result<Dsn, NotSent> {
        let dsn = self.secret_of(project, Channel::Sentry, DSN).await?;
        dsn.parse()
            .map_err(|_damaged| NotSent::Unusable("The stored DSN is damaged; enter it again".to_owned()))
    }

    async fn post_envelope(&self, dsn: &Dsn, envelope: Vec<u8>, category: &str) -> Result<Reply, NotSent> {
        let auth = [(HeaderName::from_static("x-sentry-auth"), sentry::auth_header(dsn))];
        let answer = self
            .post(
                &dsn.envelope_url(),
                envelope.into(),
                "application/x-sentry-envelope",
                &auth,
            )
            .await?;
        Ok(sentry::verdict(
            answer.status,
            &answer.headers,
            &answer.body,
            category,
        ))
    }

    /// Sends the envelopes of one run, which `write` writes given the DSN's public key, until one of them is not taken.
    pub(super) async fn send_trace(
        &self,
        project: ProjectId,
        category: &str,
        write: impl FnOnce(&str) -> (Vec<Vec<u8>>, usize),
    ) -> SentTrace {
        let sent = async {
            let dsn = self.dsn(project).await?;
            let (envelopes, steps_cut) = write(dsn.public_key());
            let mut reply = nothing();
            for envelope in envelopes {
                reply = self.post_envelope(&dsn, envelope, category).await?;
                if reply.verdict != Verdict::Taken || reply.pause_s.is_some() {
                    break;
                }
            }
            Ok::<_, NotSent>(SentTrace { reply, steps_cut })
        };
        sent.await.unwrap_or_else(|cause| SentTrace {
            reply: not_sent(cause),
            steps_cut: 0,
        })
    }

    async fn to_email(&self, delivery: &Delivery<'_>) -> Result<Reply, NotSent> {
        let unusable =
            |what: &str| NotSent::Unusable(format!("The stored {what} is damaged; enter it again"));
        let url = self.secret(delivery, SMTP_URL).await?;
        let server: SmtpServer = url.parse().map_err(|_damaged| unusable(SMTP_URL))?;
        let envelope = Envelope::of(delivery.options).ok_or_else(|| unusable("address"))?;
        Ok(email::send(
            &self.outbound,
            &server,
            &envelope,
            delivery.sending,
            delivery.messages,
        )
        .await?)
    }

    async fn to_webhook(&self, delivery: &Delivery<'_>) -> Result<Reply, NotSent> {
        let url = self.secret(delivery, URL).await?;
        let secret = self.secret(delivery, SIGNING_SECRET).await?;
        let previous = if webhook::previous_signs(delivery.options, delivery.sending.now) {
            self.secret(delivery, PREVIOUS_SIGNING_SECRET).await.ok()
        } else {
            None
        };
        let Some(message) = delivery.messages.first() else {
            return Ok(nothing());
        };
        let body = webhook::body(delivery.sending, message).to_string();
        let secrets: Vec<&str> = [Some(secret.as_str()), previous.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let signature = webhook::signature(delivery.sending.now, body.as_bytes(), &secrets);
        let signed = [(HeaderName::from_static(webhook::SIGNATURE), signature)];
        let answer = self.post(&url, body.into(), "application/json", &signed).await?;
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Ok(webhook::verdict(answer.status, retry_after, &answer.body))
    }

    async fn secret(&self, delivery: &Delivery<'_>, name: &str) -> Result<String, NotSent> {
        self.secret_of(delivery.project, delivery.channel, name).await
    }

    async fn secret_of(&self, project: ProjectId, channel: Channel, name: &str) -> Result<String, NotSent> {
        let sealed = integrations::sealed(&self.db, project, channel.as_str(), name).await?;
        let sealed = sealed
            .ok_or_else(|| NotSent::Unusable(format!("Nothing is stored as {name}; enter it again")))?;
        self.secrets
            .open(project, &field(channel, name), &sealed)
            .map_err(|cause| NotSent::Unusable(format!("The stored {name} can't be used: {cause}")))
    }

    async fn post(
        &self,
        url: &str,
        body: Bytes,
        content_type: &'static str,
        headers: &[(HeaderName, String)],
    ) -> Result<crate::outbound::Answer, NotSent> {
        let target = self.outbound.target(url).map_err(CallError::Target)?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        let own = request.headers_mut();
        own.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        own.insert(USER_AGENT, HeaderValue::from_static(CLIENT));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                own.insert(name.clone(), value);
            }
        }
        Ok(self.outbound.send(&target, request, MAX_ANSWER_BYTES).await?)
    }
}

/// What came of sending a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentTrace {
    pub(super) reply: Reply,
    /// Steps that were left out.
    pub(super) steps_cut: usize,
}

/// What it means that a message could not be sent, or was not answered.
fn not_sent(cause: NotSent) -> Reply {
    let (verdict, answer) = match cause {
        NotSent::Unusable(why) => (Verdict::Stopped, why),
        NotSent::Database(cause) => {
            tracing::warn!(error = ?cause, "an alert is not delivered yet: the database does not answer");
            let answer = "The database did not answer".to_owned();
            (Verdict::TryAgain { after_s: None }, answer)
        }
        NotSent::Call(cause) => {
            let verdict = match cause {
                CallError::Target(_) | CallError::Private { .. } => Verdict::Stopped,
                // It may have been taken: once more would show it twice.
                CallError::TooLarge { .. } => Verdict::Refused,
                CallError::TimedOut { .. }
                | CallError::Silent { .. }
                | CallError::Unreachable { .. }
                | CallError::Broken { .. } => Verdict::TryAgain { after_s: None },
            };
            (verdict, cause.to_string())
        }
    };
    Reply::new(verdict, answer)
}

fn nothing() -> Reply {
    Reply::new(Verdict::Taken, "nothing to send".to_owned())
}

/// A test, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    pub is_delivered: bool,
    pub answer: String,
    pub latency_ms: i32,
}

/// Sends a message that says nothing but that it arrives, past the outbox, and writes down what was answered. `NotFound`
/// where the channel is not connected.
pub async fn test(
    sender: &Sender,
    project: &domain::Project,
    channel: Channel,
    options: &Value,
    by: &str,
) -> storage::Result<Tested> {
    let now = clock::now();
    let content = AlertContent::Test { by: by.to_owned() };
    let message = Message {
        id: Uuid::now_v7(),
        trigger: Trigger::Test,
        created_at: now,
        last_at: now,
        occurrences: 1,
        summary: summary_of(&content),
        subject: json!({}),
        content: content.clone(),
    };
    let sending = Sending {
        slug: project.slug.clone(),
        project: project.name.clone(),
        public_url: sender.public_url.to_string(),
        now,
    };
    let delivery = Delivery {
        project: project.id,
        channel,
        options,
        sending: &sending,
        messages: std::slice::from_ref(&message),
    };
    let started = Instant::now();
    let reply = sender.deliver(&delivery).await;
    let latency_ms = elapsed_ms(started);
    let is_delivered = reply.verdict == Verdict::Taken;
    let done = clock::now();
    let record = NewAlert {
        project_id: project.id,
        trigger: Trigger::Test,
        channel,
        group_key: String::new(),
        quiet_s: 0,
        not_before: None,
        occurrences: 1,
        severity: Severity::Ok,
        summary: message.summary.clone(),
        subject: json!({}),
        content: serde_json::to_value(&content).unwrap_or_default(),
    };
    let state = if is_delivered {
        AlertState::Delivered
    } else {
        AlertState::Failed
    };
    let answer = (reply.answer.as_str(), latency_ms);
    storage::alerts::record_done(&sender.db, &record, message.id, state, answer, done).await?;
    let error = (!is_delivered).then_some(reply.answer.as_str());
    storage::alerts::note_test(&sender.db, project.id, channel, error, done).await?;
    Ok(Tested {
        is_delivered,
        answer: reply.answer,
        latency_ms,
    })
}

pub(super) fn elapsed_ms(started: Instant) -> i32 {
    i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX)
}
