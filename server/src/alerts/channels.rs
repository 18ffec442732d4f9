//! Connecting a channel: what somebody typed, checked and stored with its secrets sealed.

use domain::ProjectId;
use domain::alert::{AlertLevel, Channel, TraceFormatName};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::{Value, json};
use storage::Db;
use storage::integrations::{self, Integration, NewSecret, NewSettings, ShownSecret};

use super::email::{BadSmtpUrl, MAX_RECIPIENTS, SmtpServer, mailbox, mailboxes};
use super::sentry::Dsn;
use crate::clock;
use crate::outbound::{BadTarget, Outbound};
use crate::secrets::{NoRandomness, Secrets, last_four};

/// The names of the secrets.
pub(super) const WEBHOOK_URL: &str = "webhook_url";
pub(super) const DSN: &str = "dsn";
pub(super) const SMTP_URL: &str = "smtp_url";
pub(super) const URL: &str = "url";
pub(super) const SIGNING_SECRET: &str = "signing_secret";
pub(super) const PREVIOUS_SIGNING_SECRET: &str = "previous_signing_secret";

/// Longest environment that events are given, in characters.
const MAX_ENVIRONMENT_CHARS: usize = 60;

/// What a secret is sealed for.
pub(super) fn field(channel: Channel, name: &str) -> String {
    format!("{}.{name}", channel.as_str())
}

/// The last characters of the secret by which people know a connection.
pub fn shown_secret(channel: Channel, secrets: &[ShownSecret]) -> Option<String> {
    let name = match channel {
        Channel::Slack => WEBHOOK_URL,
        Channel::Sentry => DSN,
        Channel::Email => SMTP_URL,
        Channel::Webhook => SIGNING_SECRET,
    };
    secrets
        .iter()
        .find(|secret| secret.name == name)
        .and_then(|secret| secret.shown.clone())
}

/// A text that is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// What somebody wants of a channel. What is `None` stays as it is.
#[derive(Clone, Debug)]
pub enum ChannelDraft {
    Slack {
        webhook_url: Option<SecretText>,
        is_paused: Option<bool>,
    },
    Sentry {
        dsn: Option<SecretText>,
        alert_level: Option<AlertLevel>,
        /// Of steps that say none; an empty one is none.
        environment: Option<String>,
        /// Whether runs are sent as tracing data, and how.
        tracing: Option<bool>,
        format: Option<TraceFormatName>,
        is_paused: Option<bool>,
    },
    Email {
        smtp_url: Option<SecretText>,
        from: Option<String>,
        /// Addresses, one each.
        to: Option<Vec<String>>,
        is_paused: Option<bool>,
    },
    Webhook {
        url: Option<SecretText>,
        rotate_secret: bool,
        is_paused: Option<bool>,
    },
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: &'static str,
    /// The word for programs.
    pub code: &'static str,
    /// What it has to be.
    pub message: String,
}

/// Why a channel was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{} is wrong", .0.field)]
    Wrong(Wrong),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Database(#[from] storage::Error),
}

impl ChannelDraft {
    pub fn channel(&self) -> Channel {
        match self {
            Self::Slack { .. } => Channel::Slack,
            Self::Sentry { .. } => Channel::Sentry,
            Self::Email { .. } => Channel::Email,
            Self::Webhook { .. } => Channel::Webhook,
        }
    }

    /// The same without its secrets, to be paused or to go on.
    pub fn pause(channel: Channel, is_paused: bool) -> Self {
        let is_paused = Some(is_paused);
        match channel {
            Channel::Slack => Self::Slack {
                webhook_url: None,
                is_paused,
            },
            Channel::Sentry => Self::Sentry {
                dsn: None,
                alert_level: None,
                environment: None,
                tracing: None,
                format: None,
                is_paused,
            },
            Channel::Email => Self::Email {
                smtp_url: None,
                from: None,
                to: None,
                is_paused,
            },
            Channel::Webhook => Self::Webhook {
                url: None,
                rotate_secret: false,
                is_paused,
            },
        }
    }

    fn is_paused(&self) -> Option<bool> {
        match self {
            Self::Slack { is_paused, .. }
            | Self::Sentry { is_paused, .. }
            | Self::Email { is_paused, .. }
            | Self::Webhook { is_paused, .. } => *is_paused,
        }
    }
}

/// A secret that is new.
struct Fresh {
    name: &'static str,
    text: String,
    shown: Option<String>,
}

/// Stores a channel. Returns the signing secret where one was made: it is shown once.
pub async fn save_channel(
    db: &Db,
    secrets: &Secrets,
    outbound: &Outbound,
    project: ProjectId,
    draft: &ChannelDraft,
    actor: &str,
) -> Result<Option<String>, SaveError> {
    let channel = draft.channel();
    let before = integrations::get(&mut db.snapshot(project).await?, project, channel.as_str()).await?;
    let mut options = before
        .as_ref()
        .map_or_else(|| json!({}), |before| before.options.clone());
    let mut fresh: Vec<Fresh> = Vec::new();
    let mut sealed = Vec::new();
    let mut made = None;
    match draft {
        ChannelDraft::Slack { webhook_url, .. } => {
            if let Some(url) = given(webhook_url, before.as_ref(), WEBHOOK_URL)? {
                options["host"] = Value::from(checked_host(outbound, url, WEBHOOK_URL)?);
                fresh.push(Fresh {
                    name: WEBHOOK_URL,
                    text: url.to_owned(),
                    shown: last_four(url),
                });
            }
        }
        ChannelDraft::Sentry {
            dsn,
            alert_level,
            environment,
            tracing,
            format,
            ..
        } => {
            if let Some(tracing) = tracing.or(before.is_none().then_some(true)) {
                options["tracing"] = Value::from(tracing);
            }
            if let Some(format) = format.or(before.is_none().then_some(TraceFormatName::Transaction)) {
                options["format"] = Value::from(format.as_str());
            }
            if let Some(text) = given(dsn, before.as_ref(), DSN)? {
                let dsn: Dsn = text
                    .parse()
                    .map_err(|bad: super::sentry::BadDsn| wrong(DSN, bad.to_string()))?;
                checked_host(outbound, &dsn.envelope_url(), DSN)?;
                options["shown"] = Value::from(dsn.shown());
                fresh.push(Fresh {
                    name: DSN,
                    text: text.to_owned(),
                    shown: last_four(dsn.public_key()),
                });
            }
            let level =
                alert_level.map_or_else(|| options["alert_level"].clone(), |level| level.as_str().into());
            if let Some(environment) = environment {
                let environment = domain::text::first_line(environment, MAX_ENVIRONMENT_CHARS);
                options["environment"] = Value::from(environment);
            }
            options["alert_level"] = if level.is_null() {
                AlertLevel::Critical.as_str().into()
            } else {
                level
            };
        }
        ChannelDraft::Email {
            smtp_url, from, to, ..
        } => {
            if let Some(text) = given(smtp_url, before.as_ref(), SMTP_URL)? {
                let server: SmtpServer = text
                    .parse()
                    .map_err(|bad: BadSmtpUrl| wrong(SMTP_URL, bad.to_string()))?;
                checked_host(outbound, &server.as_https(), SMTP_URL)?;
                options["host"] = Value::from(server.host.clone());
                options["port"] = Value::from(server.port);
                fresh.push(Fresh {
                    name: SMTP_URL,
                    text: text.to_owned(),
                    shown: last_four(server.shown_secret()),
                });
            }
            addresses(&mut options, from.as_deref(), to.as_deref())?;
        }
        ChannelDraft::Webhook {
            url, rotate_secret, ..
        } => {
            if let Some(url) = given(url, before.as_ref(), URL)? {
                options["host"] = Value::from(checked_host(outbound, url, URL)?);
                fresh.push(Fresh {
                    name: URL,
                    text: url.to_owned(),
                    shown: last_four(url),
                });
            }
            if before.is_none() || *rotate_secret {
                if before.is_some() {
                    options["rotated_at_micros"] = Value::from(clock::now().micros());
                    let old = integrations::sealed(db, project, channel.as_str(), SIGNING_SECRET).await?;
                    let opened =
                        old.and_then(|old| secrets.open(project, &field(channel, SIGNING_SECRET), &old).ok());
                    if let Some(text) = opened {
                        fresh.push(Fresh {
                            name: PREVIOUS_SIGNING_SECRET,
                            text,
                            shown: None,
                        });
                    }
                }
                let secret = signing_secret()?;
                fresh.push(Fresh {
                    name: SIGNING_SECRET,
                    text: secret.clone(),
                    shown: last_four(&secret),
                });
                made = Some(secret);
            }
        }
    }
    for Fresh { name, text, shown } in fresh {
        sealed.push(NewSecret {
            name,
            sealed: Some(secrets.seal(project, &field(channel, name), &text)?),
            shown,
        });
    }
    let was_paused = before.as_ref().is_some_and(|before| before.paused_at.is_some());
    let new = NewSettings {
        remote: "",
        options: &options,
        is_paused: draft.is_paused().unwrap_or(was_paused),
        secrets: &sealed,
    };
    integrations::save(db, project, channel.as_str(), &new, actor, clock::now()).await?;
    storage::live::notify_settings(db, project).await?;
    Ok(made)
}

/// Who sends and who gets e-mails: what was typed, or what is stored already.
fn addresses(options: &mut Value, from: Option<&str>, to: Option<&[String]>) -> Result<(), SaveError> {
    if let Some(from) = from {
        let mailbox = mailbox(from).ok_or_else(|| {
            wrong(
                "from",
                "from must be an address such as Plumbline <alerts@acme.dev>".to_owned(),
            )
        })?;
        options["from"] = Value::from(mailbox.to_string());
    }
    if let Some(to) = to {
        let mailboxes = mailboxes(to).ok_or_else(|| {
            wrong(
                "to",
                format!("to must be 1 to {MAX_RECIPIENTS} addresses such as ops@acme.dev"),
            )
        })?;
        options["to"] = mailboxes.iter().map(ToString::to_string).collect();
    }
    for name in ["from", "to"] {
        if options[name].is_null() {
            return Err(wrong(name, format!("{name} is missing")));
        }
    }
    Ok(())
}

/// A secret that was typed; `None` where the stored one stays. There has to be one.
fn given<'a>(
    typed: &'a Option<SecretText>,
    before: Option<&Integration>,
    name: &'static str,
) -> Result<Option<&'a str>, SaveError> {
    let typed = typed
        .as_ref()
        .map(|text| text.0.trim())
        .filter(|text| !text.is_empty());
    if typed.is_none() && before.is_none() {
        return Err(wrong(name, format!("{name} is missing")));
    }
    Ok(typed)
}

/// The host of an address that may be called.
fn checked_host(outbound: &Outbound, url: &str, name: &'static str) -> Result<String, SaveError> {
    let target = outbound.target(url).map_err(|bad| {
        let code = match bad {
            BadTarget::Private => "private_target",
            BadTarget::Malformed | BadTarget::NotHttps => "invalid_field",
        };
        SaveError::Wrong(Wrong {
            field: name,
            code,
            message: bad.to_string(),
        })
    })?;
    Ok(target.host().to_owned())
}

fn wrong(field: &'static str, message: String) -> SaveError {
    SaveError::Wrong(Wrong {
        field,
        code: "invalid_field",
        message,
    })
}

fn signing_secret() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_none| NoRandomness)?;
    Ok(format!("whsec_{}", hex::encode(bytes)))
}
