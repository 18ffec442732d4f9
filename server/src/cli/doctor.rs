//! `plumbline doctor`: what is wrong, and what to do about it. Changes nothing.

mod checks;
mod recount;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Exit, output};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also count every step again and compare run totals and rollups with it; reads everything that is stored
    #[arg(long)]
    recount: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            message: message.into(),
            advice: None,
        }
    }

    fn warn(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Warn,
            message: message.into(),
            advice: Some(advice.into()),
        }
    }

    fn fail(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Fail,
            message: message.into(),
            advice: Some(advice.into()),
        }
    }
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let checks = Box::pin(checks::all(config)).await;
    let counted = match arguments.recount {
        true => Some(Box::pin(recount::all(config)).await?),
        false => None,
    };
    let shown = effective(config);
    if arguments.json {
        let mut report = json!({ "version": env!("CARGO_PKG_VERSION"), "checks": checks, "config": shown });
        if let Some(counted) = &counted {
            report["recount"] = json!(counted);
        }
        output::json(&report);
    } else {
        print(&checks, &shown);
        if let Some(counted) = &counted {
            recount::print(counted);
        }
    }
    let agrees = counted.iter().flatten().all(recount::Counted::agrees);
    if !agrees || checks.iter().any(|check| check.status == Status::Fail) {
        Err(Exit::FailedAsReported)
    } else {
        Ok(())
    }
}

fn print(checks: &[Check], config: &Value) {
    output::line(&format!("Plumbline {}", env!("CARGO_PKG_VERSION")));
    for check in checks {
        let word = match check.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        output::line(&format!("  {word}  {:<10}  {}", check.name, check.message));
        if let Some(advice) = &check.advice {
            output::line(&format!("                    → {advice}"));
        }
    }
    output::line("\nConfiguration in force");
    for (key, value) in config.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => "not set".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        output::line(&format!("  {key:<26}  {text}"));
    }
}

/// The configuration without its secrets.
fn effective(config: &Config) -> Value {
    let mut shown = json!({
        "file": config.file,
        "addr": config.addr,
        "otlp_grpc_addr": config.otlp_grpc_addr.to_string(),
        "data": config.data,
        "database_url": config.database_url.as_ref().map(|url| format!("set: {url}")),
        "public_url": config.public_url,
        "behind_auth_proxy": config.behind_auth_proxy,
        "trusted_proxies": config.trusted_proxies.to_string(),
        "metrics_without_key": config.metrics_without_key,
        "audit_retention_days": config.audit_retention_days,
        "log": config.log,
        "log_format": config.log_format,
        "queue_steps": config.queue_steps,
        "queue_bytes": config.queue_bytes,
        "db_connections": config.db_connections,
        "max_connections": config.max_connections,
        "max_connections_per_address": config.max_connections_per_address,
        "upstream_anthropic": config.upstream_anthropic,
        "upstream_openai": config.upstream_openai,
        "ask_for_usage": config.ask_for_usage,
        "upstream_connect_timeout_s": config.upstream_connect_timeout_s,
        "upstream_timeout_s": config.upstream_timeout_s,
        "spool_bytes": config.spool_bytes,
        "allow_private_targets": config.allow_private_targets.to_string(),
        "secret_key": config.secret_key.as_ref().map(|_| "set"),
        "secret_key_file": config.secret_key_file,
        "postgres_bin": config.postgres_bin,
    });
    if let (Some(shown), Value::Object(of_sign_in)) = (shown.as_object_mut(), sign_in(config)) {
        shown.extend(of_sign_in);
    }
    shown
}

/// How people sign in.
fn sign_in(config: &Config) -> Value {
    let openid = config.openid.as_ref();
    let secret = openid.and_then(|openid| openid.client_secret.as_ref());
    json!({
        "openid_issuer": openid.map(|openid| &openid.issuer),
        "openid_client_id": openid.map(|openid| &openid.client_id),
        "openid_client_secret": secret.map(|_| "set"),
        "openid_name": openid.map(|openid| &openid.name),
        "openid_scopes": openid.map(|openid| openid.scopes.join(" ")),
        "openid_groups_claim": openid.map(|openid| &openid.groups_claim),
        "openid_groups": openid.map(|openid| openid.groups.to_string()),
        "openid_email_domains": openid.map(|openid| openid.email_domains.join(", ")),
        "openid_trust_email": openid.map(|openid| openid.trust_email),
        "openid_session_hours": openid.map(|openid| openid.session_hours),
        "local_accounts": config.local_accounts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SAMPLE;

    #[test]
    fn every_key_of_the_configuration_is_shown() {
        let shown = effective(&Config::default());
        for line in SAMPLE.lines() {
            let Some((key, _)) = line.trim_start_matches('#').split_once(" = ") else {
                continue;
            };
            let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            // What a file holds is shown under the name of what it says.
            let named = [key, key.trim_end_matches("_file")];
            assert!(
                !is_key || named.iter().any(|key| shown.get(key).is_some()),
                "{key} is not among what is in force"
            );
        }
        assert_eq!(shown["otlp_grpc_addr"], "127.0.0.1:4317");
    }
}
