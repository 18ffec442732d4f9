//! Configuration: flags, then the environment, then `plumbline.toml`, then defaults, merged into one struct.
//!
//! The only file that reads the environment. Secrets have no flag: every user of a machine can see command lines.

mod database_url;
mod error;
mod file;
mod grpc_addr;
mod leptos;
mod log_format;
mod networks;
mod openid;
mod public_url;
mod sample;
mod secret_key;
mod source;
mod target;
mod terminal;
mod trusted_proxies;
mod upstream;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use clap::builder::BoolishValueParser;

pub use database_url::DatabaseUrl;
pub use error::ConfigError;
use file::FileConfig;
pub use file::with_database_url;
pub use grpc_addr::GrpcAddr;
pub use leptos::leptos_options;
pub use log_format::LogFormat;
pub use networks::Networks;
pub use openid::{ClientSecret, GroupRoles, OpenId, OpenIdFlags};
pub use sample::SAMPLE;
pub use secret_key::SecretKey;
pub use source::{LocalFlags, ReadKey, ServerUrl, SourceFlags};
pub use target::{TargetFlags, TargetUrl};
pub use terminal::{Colour, PrintFlags};
pub use trusted_proxies::TrustedProxies;
pub use upstream::UpstreamUrl;

/// Read from the working folder when no other file is named.
pub const DEFAULT_FILE: &str = "plumbline.toml";

/// Everything that can be configured, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub addr: SocketAddr,
    /// Where to take OpenTelemetry over gRPC.
    pub otlp_grpc_addr: GrpcAddr,
    /// The data folder: the private Postgres and the key of stored secrets.
    pub data: PathBuf,
    /// An existing Postgres; without it a private one runs in the data folder.
    pub database_url: Option<DatabaseUrl>,
    /// How people reach the server, without a slash at the end: for links, and for `Secure` cookies.
    pub public_url: Option<String>,
    /// Something in front of the server signs people in, so that it may listen beyond loopback without accounts.
    pub behind_auth_proxy: bool,
    /// Proxies in front of the server that say for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// Whether the metrics of a server with accounts are read without a key.
    pub metrics_without_key: bool,
    /// How long the audit log is kept.
    pub audit_retention_days: u32,
    /// What is logged, in the words of `tracing`'s filters.
    pub log: String,
    pub log_format: LogFormat,
    /// Steps that may wait to be written; more are refused with 503.
    pub queue_steps: usize,
    /// Bytes that may wait to be written; more are refused with 503.
    pub queue_bytes: usize,
    /// Connections to the database.
    pub db_connections: u32,
    /// Connections from outside that may be open; as many as the limit of open files allows where nothing says so.
    pub max_connections: Option<usize>,
    /// Of these, from one address; a quarter where nothing says so.
    pub max_connections_per_address: Option<usize>,
    /// Where the proxy sends calls that speak like Anthropic.
    pub upstream_anthropic: UpstreamUrl,
    /// Where the proxy sends calls that speak like OpenAI.
    pub upstream_openai: UpstreamUrl,
    /// Whether streams of OpenAI's API are asked what they used; without it, as the provider's host suggests.
    pub ask_for_usage: Option<bool>,
    /// How long a connection to them may take, in seconds.
    pub upstream_connect_timeout_s: u64,
    /// How long they may be silent, before an answer and in it, in seconds.
    pub upstream_timeout_s: u64,
    /// How much may wait on disk for the database, in bytes.
    pub spool_bytes: u64,
    /// Private addresses that integrations may call; all other addresses have to be public ones.
    pub allow_private_targets: Networks,
    /// The key of stored secrets, where the environment says it.
    pub secret_key: Option<SecretKey>,
    /// The file of that key; without either, `secret.key` in the data folder.
    pub secret_key_file: Option<PathBuf>,
    /// A provider that signs people in.
    pub openid: Option<OpenId>,
    /// Whether passwords sign in beside it.
    pub local_accounts: bool,
    /// How long a page or a server function may take. Nothing sets it but tests.
    pub page_deadline: Duration,
    /// The folder of Postgres' programs, where they are not to be searched for.
    pub postgres_bin: Option<PathBuf>,
    /// The value of PATH, where Postgres' programs are searched for.
    pub path_env: Option<OsString>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 3000)),
            otlp_grpc_addr: GrpcAddr(Some(SocketAddr::from(([127, 0, 0, 1], 4317)))),
            data: PathBuf::from("./.plumbline"),
            database_url: None,
            public_url: None,
            behind_auth_proxy: false,
            trusted_proxies: TrustedProxies::default(),
            metrics_without_key: false,
            audit_retention_days: 365,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            queue_steps: 20_000,
            queue_bytes: 64 * 1024 * 1024,
            db_connections: 12,
            max_connections: None,
            max_connections_per_address: None,
            upstream_anthropic: UpstreamUrl::anthropic(),
            upstream_openai: UpstreamUrl::openai(),
            ask_for_usage: None,
            upstream_connect_timeout_s: 10,
            upstream_timeout_s: 600,
            spool_bytes: 1024 * 1024 * 1024,
            allow_private_targets: Networks::default(),
            secret_key: None,
            secret_key_file: None,
            openid: None,
            local_accounts: true,
            page_deadline: Duration::from_secs(15),
            postgres_bin: None,
            path_env: None,
            file: None,
        }
    }
}

/// The heading of these flags in `--help`.
pub const HELP_HEADING: &str = "Configuration";

/// What the command line and the environment say; everything they don't is `None`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = HELP_HEADING)]
pub struct Flags {
    /// Configuration file [default: plumbline.toml, if there is one]
    #[arg(long, global = true, env = "PLUMBLINE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:3000]
    #[arg(long, global = true, env = "PLUMBLINE_ADDR")]
    pub addr: Option<SocketAddr>,
    /// Where to take OpenTelemetry over gRPC, or `off` [default: 127.0.0.1:4317]
    #[arg(long, global = true, env = "PLUMBLINE_OTLP_GRPC_ADDR", value_name = "ADDR")]
    pub otlp_grpc_addr: Option<GrpcAddr>,
    /// Data folder [default: ./.plumbline]
    #[arg(long, global = true, env = "PLUMBLINE_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// How people reach the server, for instance https://plumbline.example.com
    #[arg(long, global = true, env = "PLUMBLINE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Something in front of the server signs people in
    #[arg(long, global = true, env = "PLUMBLINE_BEHIND_AUTH_PROXY", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub behind_auth_proxy: Option<bool>,
    /// Proxies whose X-Forwarded-For or Forwarded is believed, for instance 127.0.0.1,10.0.0.0/8 [default: none]
    #[arg(long, global = true, env = "PLUMBLINE_TRUSTED_PROXIES", value_name = "CIDR,…")]
    pub trusted_proxies: Option<TrustedProxies>,
    /// Let the metrics of a server with accounts be read without a key
    #[arg(long, global = true, env = "PLUMBLINE_METRICS_WITHOUT_KEY", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub metrics_without_key: Option<bool>,
    /// Days that the audit log is kept [default: 365]
    #[arg(long, global = true, env = "PLUMBLINE_AUDIT_RETENTION_DAYS", value_name = "N")]
    pub audit_retention_days: Option<u32>,
    /// What is logged, for instance `info` or `warn,server=debug` [default: info]
    #[arg(long, global = true, env = "PLUMBLINE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// How it is logged [default: text]
    #[arg(long, global = true, env = "PLUMBLINE_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Steps that may wait to be written [default: 20000]
    #[arg(long, global = true, env = "PLUMBLINE_QUEUE_STEPS", value_name = "N")]
    pub queue_steps: Option<usize>,
    /// Bytes that may wait to be written [default: 67108864]
    #[arg(long, global = true, env = "PLUMBLINE_QUEUE_BYTES", value_name = "N")]
    pub queue_bytes: Option<usize>,
    /// Connections to the database [default: 12]
    #[arg(long, global = true, env = "PLUMBLINE_DB_CONNECTIONS", value_name = "N")]
    pub db_connections: Option<u32>,
    /// Connections from outside that may be open [default: as many as the limit of open files allows]
    #[arg(long, global = true, env = "PLUMBLINE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Of these, from one address [default: a quarter]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "N"
    )]
    pub max_connections_per_address: Option<usize>,
    /// Where the proxy sends Anthropic's calls [default: https://api.anthropic.com]
    #[arg(long, global = true, env = "PLUMBLINE_UPSTREAM_ANTHROPIC", value_name = "URL")]
    pub upstream_anthropic: Option<UpstreamUrl>,
    /// Where the proxy sends OpenAI's calls [default: https://api.openai.com]
    #[arg(long, global = true, env = "PLUMBLINE_UPSTREAM_OPENAI", value_name = "URL")]
    pub upstream_openai: Option<UpstreamUrl>,
    /// Ask streams of OpenAI's API what they used [default: where the provider takes the question]
    #[arg(long, global = true, env = "PLUMBLINE_ASK_FOR_USAGE", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub ask_for_usage: Option<bool>,
    /// Seconds that a connection to them may take [default: 10]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_UPSTREAM_CONNECT_TIMEOUT_S",
        value_name = "N"
    )]
    pub upstream_connect_timeout_s: Option<u64>,
    /// Seconds that they may be silent [default: 600]
    #[arg(long, global = true, env = "PLUMBLINE_UPSTREAM_TIMEOUT_S", value_name = "N")]
    pub upstream_timeout_s: Option<u64>,
    /// Bytes that may wait on disk for the database [default: 1073741824]
    #[arg(long, global = true, env = "PLUMBLINE_SPOOL_BYTES", value_name = "N")]
    pub spool_bytes: Option<u64>,
    /// Private addresses that integrations may call, for instance 10.0.0.0/8 [default: none]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_ALLOW_PRIVATE_TARGETS",
        value_name = "CIDR,…"
    )]
    pub allow_private_targets: Option<Networks>,
    /// File with the key of stored secrets [default: secret.key in the data folder]
    #[arg(long, global = true, env = "PLUMBLINE_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// Folder of Postgres' programs [default: searched for]
    #[arg(long, global = true, env = "PLUMBLINE_POSTGRES_BIN", value_name = "FOLDER")]
    pub postgres_bin: Option<PathBuf>,
    #[command(flatten)]
    pub openid: OpenIdFlags,
}

impl Config {
    /// Reads the environment and the file and merges them with `flags`.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let (file, path) = match &flags.config {
            Some(path) => (file::read(path)?, Some(path.clone())),
            None if Path::new(DEFAULT_FILE).exists() => (
                file::read(Path::new(DEFAULT_FILE))?,
                Some(PathBuf::from(DEFAULT_FILE)),
            ),
            None => (FileConfig::default(), None),
        };
        let database_url = environment("DATABASE_URL").map(|url| url.to_string_lossy().into_owned());
        let secret_file = openid::secret_file(&flags.openid, &file);
        let mut config = merge(flags, database_url, file)?;
        if let Some(openid) = &mut config.openid {
            openid.read_secret(
                environment("PLUMBLINE_OPENID_CLIENT_SECRET"),
                secret_file.as_deref(),
            )?;
        }
        let secret_key = environment("PLUMBLINE_SECRET_KEY")
            .map(|text| SecretKey::from_str(&text.to_string_lossy()))
            .transpose()?;
        Ok(Self {
            file: path,
            secret_key,
            path_env: environment("PATH"),
            ..config
        })
    }

    /// Which database is in use, for people; without anything secret.
    pub fn database_words(&self) -> String {
        match &self.database_url {
            Some(url) => url.to_string(),
            None => "private Postgres in the data folder".to_owned(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that reads the environment"
)]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn merge(flags: Flags, database_url: Option<String>, file: FileConfig) -> Result<Config, ConfigError> {
    let default = Config::default();
    let has_public_url = flags.public_url.is_some() || file.public_url.is_some();
    let openid = openid::merge(&flags.openid, &file, has_public_url)?;
    Ok(Config {
        local_accounts: openid::local_accounts(&flags.openid, &file, openid.is_some())?,
        openid,
        addr: flags.addr.or(file.addr).unwrap_or(default.addr),
        otlp_grpc_addr: flags
            .otlp_grpc_addr
            .or(file.otlp_grpc_addr)
            .unwrap_or(default.otlp_grpc_addr),
        data: flags.data.or(file.data).unwrap_or(default.data),
        database_url: database_url
            .or(file.database_url)
            .as_deref()
            .map(DatabaseUrl::from_str)
            .transpose()?,
        public_url: flags
            .public_url
            .or(file.public_url)
            .as_deref()
            .map(public_url::parse)
            .transpose()?,
        behind_auth_proxy: flags
            .behind_auth_proxy
            .or(file.behind_auth_proxy)
            .unwrap_or_default(),
        trusted_proxies: flags.trusted_proxies.or(file.trusted_proxies).unwrap_or_default(),
        metrics_without_key: flags
            .metrics_without_key
            .or(file.metrics_without_key)
            .unwrap_or_default(),
        audit_retention_days: at_least(
            1,
            "audit_retention_days",
            flags.audit_retention_days.or(file.audit_retention_days),
            default.audit_retention_days,
        )?,
        log: check_filter(flags.log.or(file.log).unwrap_or(default.log))?,
        log_format: flags.log_format.or(file.log_format).unwrap_or(default.log_format),
        queue_steps: at_least(
            1,
            "queue_steps",
            flags.queue_steps.or(file.queue_steps),
            default.queue_steps,
        )?,
        queue_bytes: at_least(
            1,
            "queue_bytes",
            flags.queue_bytes.or(file.queue_bytes),
            default.queue_bytes,
        )?,
        // Ingest and pages each have one that writes and one that reads.
        db_connections: at_least(
            4,
            "db_connections",
            flags.db_connections.or(file.db_connections),
            default.db_connections,
        )?,
        max_connections: positive("max_connections", flags.max_connections.or(file.max_connections))?,
        max_connections_per_address: positive(
            "max_connections_per_address",
            flags
                .max_connections_per_address
                .or(file.max_connections_per_address),
        )?,
        upstream_anthropic: flags
            .upstream_anthropic
            .or(file.upstream_anthropic)
            .unwrap_or(default.upstream_anthropic),
        upstream_openai: flags
            .upstream_openai
            .or(file.upstream_openai)
            .unwrap_or(default.upstream_openai),
        ask_for_usage: flags.ask_for_usage.or(file.ask_for_usage),
        upstream_connect_timeout_s: at_least(
            1,
            "upstream_connect_timeout_s",
            flags
                .upstream_connect_timeout_s
                .or(file.upstream_connect_timeout_s),
            default.upstream_connect_timeout_s,
        )?,
        upstream_timeout_s: at_least(
            1,
            "upstream_timeout_s",
            flags.upstream_timeout_s.or(file.upstream_timeout_s),
            default.upstream_timeout_s,
        )?,
        spool_bytes: flags
            .spool_bytes
            .or(file.spool_bytes)
            .unwrap_or(default.spool_bytes),
        allow_private_targets: flags
            .allow_private_targets
            .or(file.allow_private_targets)
            .unwrap_or_default(),
        secret_key: None,
        secret_key_file: flags.secret_key_file.or(file.secret_key_file),
        postgres_bin: flags.postgres_bin.or(file.postgres_bin),
        page_deadline: default.page_deadline,
        path_env: None,
        file: None,
    })
}

fn invalid(key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key,
        problem: problem.into(),
    }
}

fn at_least<N: PartialOrd + fmt::Display>(
    least: N,
    key: &'static str,
    given: Option<N>,
    default: N,
) -> Result<N, ConfigError> {
    let value = given.unwrap_or(default);
    if value < least {
        Err(invalid(key, format!("must be at least {least}, not {value}")))
    } else {
        Ok(value)
    }
}

fn positive(key: &'static str, given: Option<usize>) -> Result<Option<usize>, ConfigError> {
    given.map(|value| at_least(1, key, Some(value), 1)).transpose()
}

fn check_filter(filter: String) -> Result<String, ConfigError> {
    match tracing_subscriber::EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(cause) => Err(invalid(
            "log",
            format!("`{filter}` is not a log filter such as `info`: {cause}"),
        )),
    }
}

#[cfg(test)]
mod tests;
