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
