//! The way to the providers: where they are, and a client that changes nothing.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::api::Provider;
use super::call::Ended;
use crate::config::{Config, UpstreamUrl};

/// How long a connection that nobody uses is kept: less than what servers and what stands before them allow.
const LONGEST_IDLE: Duration = Duration::from_secs(50);

/// Providers by a part of their host's name, for what speaks like OpenAI.
const HOSTS: &[(&str, &str)] = &[
    ("anthropic.com", "anthropic"),
    ("openai.azure.com", "azure.ai.openai"),
    ("openai.com", "openai"),
    ("deepseek.com", "deepseek"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral_ai"),
    ("openrouter.ai", "openrouter"),
    ("perplexity.ai", "perplexity"),
    ("together.xyz", "together"),
    ("x.ai", "x_ai"),
];

/// Where calls go. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    anthropic: Arc<Upstream>,
    openai: Arc<Upstream>,
    /// How long a provider may be silent, before its answer and in it.
    pub longest_silence: Duration,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams")
            .field("anthropic", &self.anthropic)
            .field("openai", &self.openai)
            .finish_non_exhaustive()
    }
}

/// One provider's address.
#[derive(Debug)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    /// What stands before the request's own path; without a slash at the end.
    path: String,
    /// The header `Host`.
    pub host: HeaderValue,
    /// Who answers there, in a word.
    pub provider: String,
}

impl Upstream {
    fn new(url: &UpstreamUrl, otherwise: &str) -> anyhow::Result<Self> {
        let uri = url.uri();
        let authority = uri.authority().context("an upstream without a host")?;
        let host = authority.host();
        let known = HOSTS
            .iter()
            .find(|(name, _)| host == *name || host.ends_with(&format!(".{name}")));
        Ok(Self {
            scheme: uri.scheme().cloned().unwrap_or(Scheme::HTTPS),
            authority: authority.clone(),
            path: uri.path().trim_end_matches('/').to_owned(),
            host: HeaderValue::from_str(authority.as_str())?,
            provider: known.map_or(otherwise, |(_, word)| word).to_owned(),
        })
    }

    /// Where a request for `uri` goes: path and query as they came.
    pub fn target(&self, uri: &Uri) -> Option<Uri> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.path))
            .build()
            .ok()
    }
}

impl Upstreams {
    /// As the configuration says.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        // A question and an answer in small pieces: none of them may wait for the acknowledgement of another.
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(config.upstream_connect_timeout_s)));
        http.set_keepalive(Some(Duration::from_secs(60)));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(LONGEST_IDLE)
            .build(connector);
        Ok(Self {
            client,
            anthropic: Arc::new(Upstream::new(&config.upstream_anthropic, "anthropic")?),
            openai: Arc::new(Upstream::new(&config.upstream_openai, "openai")?),
            longest_silence: Duration::from_secs(config.upstream_timeout_s),
        })
    }

    /// Who gets the calls that speak like `provider`.
    pub fn of(&self, provider: Provider) -> &Arc<Upstream> {
        match provider {
            Provider::Anthropic => &self.anthropic,
            Provider::OpenAi => &self.openai,
        }
    }

    /// Sends a request and waits for the head of its answer. Redirects are answers like any other.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, (Ended, Option<Error>)> {
        match timeout(self.longest_silence, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => Err((how_it_ended(&cause), Some(cause))),
            Err(_elapsed) => Err((Ended::TimedOut, None)),
        }
    }
}

fn how_it_ended(cause: &Error) -> Ended {
    if !cause.is_connect() {
        return Ended::Cut;
    }
    let mut source = cause.source();
    while let Some(inner) = source {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return Ended::TimedOut;
        }
        source = inner.source();
    }
    Ended::Unreachable
}

/// Whom to trust: the public authorities, and those this machine trusts beside them.
fn tls() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // Those that cannot be read are of no use; the public ones are there all the same.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
