//! `plumbline.toml`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, GroupRoles, GrpcAddr, LogFormat, Networks, TrustedProxies, UpstreamUrl};

/// What the file says; everything it doesn't is `None`. Keys are called like the fields of `Config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) addr: Option<SocketAddr>,
    pub(super) otlp_grpc_addr: Option<GrpcAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) database_url: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) behind_auth_proxy: Option<bool>,
    pub(super) trusted_proxies: Option<TrustedProxies>,
    pub(super) metrics_without_key: Option<bool>,
    pub(super) audit_retention_days: Option<u32>,
    pub(super) log: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) queue_steps: Option<usize>,
    pub(super) queue_bytes: Option<usize>,
    pub(super) db_connections: Option<u32>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_connections_per_address: Option<usize>,
    pub(super) upstream_anthropic: Option<UpstreamUrl>,
    pub(super) upstream_openai: Option<UpstreamUrl>,
    pub(super) ask_for_usage: Option<bool>,
    pub(super) upstream_connect_timeout_s: Option<u64>,
    pub(super) upstream_timeout_s: Option<u64>,
    pub(super) spool_bytes: Option<u64>,
    pub(super) allow_private_targets: Option<Networks>,
    pub(super) secret_key_file: Option<PathBuf>,
    pub(super) openid_issuer: Option<String>,
    pub(super) openid_client_id: Option<String>,
    pub(super) openid_client_secret: Option<String>,
    pub(super) openid_client_secret_file: Option<PathBuf>,
    pub(super) openid_name: Option<String>,
    pub(super) openid_scopes: Option<String>,
    pub(super) openid_groups_claim: Option<String>,
    pub(super) openid_groups: Option<GroupRoles>,
    pub(super) openid_email_domains: Option<Vec<String>>,
    pub(super) openid_trust_email: Option<bool>,
    pub(super) openid_session_hours: Option<u32>,
    pub(super) local_accounts: Option<bool>,
    pub(super) postgres_bin: Option<PathBuf>,
}

pub(super) fn read(path: &Path) -> Result<FileConfig, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    parse(&text, path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<FileConfig, ConfigError> {
    toml::from_str(text).map_err(|cause| {
        let before = cause
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        ConfigError::Malformed {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: cause.message().to_owned(),
        }
    })
}

/// The text of a file with `database_url` in it, where the sample has its line or else at the top; `None` where that would
/// not be read as what it is.
pub fn with_database_url(text: &str, url: &str, path: &Path) -> Option<String> {
    let line = format!("database_url = {}", toml::Value::String(url.to_owned()));
    let is_place = |line: &&str| {
        let key = line.trim_start_matches('#').trim_start();
        key.strip_prefix("database_url")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let edited = match text.lines().find(is_place) {
        Some(place) => text.replacen(place, &line, 1),
        None => format!("{line}\n{text}"),
    };
    let read = parse(&edited, path).ok()?;
    (read.database_url.as_deref() == Some(url)).then_some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_database_gets_its_line() {
        let check = |text: &str, expected: Option<&str>| {
            let edited = with_database_url(text, "postgres://u:p@h/d", Path::new("plumbline.toml"));
            assert_eq!(edited.as_deref(), expected, "{text}");
        };
        let line = "database_url = \"postgres://u:p@h/d\"\n";
        check("", Some(line));
        check(
            "#database_url = \"x\"\nlog = \"warn\"\n",
            Some(&format!("{line}log = \"warn\"\n")),
        );
        check("log = \"warn\"\n", Some(&format!("{line}log = \"warn\"\n")));
        check("nonsense = 1\n", None);
        let sample = with_database_url(
            crate::config::SAMPLE,
            "postgres://h/d",
            Path::new("plumbline.toml"),
        );
        let sample = sample.unwrap();
        assert!(
            sample.contains("\ndatabase_url = \"postgres://h/d\"\n"),
            "{sample}"
        );
        assert_eq!(sample.lines().count(), crate::config::SAMPLE.lines().count());
    }
}
