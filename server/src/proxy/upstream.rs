//! The way to the providers: where they are, and a client that changes nothing.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderValue, Request, Response, Uri};
use domain::Timestamp;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::MAX_HEADERS;
use super::api::Provider;
use super::exchange::Ended;
use crate::config::{Config, UpstreamUrl};
use crate::tls;

/// How long an idle connection is kept: less than what servers and what stands before them allow.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Providers by a part of their host's name, for what speaks like OpenAI, and whether their streams are asked what they
/// used: some refuse the question, and say it unasked.
const HOSTS: &[(&str, &str, bool)] = &[
    ("anthropic.com", "anthropic", true),
    ("openai.azure.com", "azure.ai.openai", true),
    ("openai.com", "openai", true),
    ("deepseek.com", "deepseek", true),
    ("bigmodel.cn", "zai", true),
    ("cerebras.ai", "cerebras", true),
    ("cohere.ai", "cohere", true),
    ("cohere.com", "cohere", true),
    ("fireworks.ai", "fireworks", true),
    ("generativelanguage.googleapis.com", "google", true),
    ("groq.com", "groq", true),
    ("minimax.io", "minimax", true),
    ("minimaxi.com", "minimax", true),
    ("mistral.ai", "mistral_ai", false),
    ("moonshot.ai", "moonshotai", true),
    ("moonshot.cn", "moonshotai", true),
    // It says so in every stream.
    ("openrouter.ai", "openrouter", false),
    ("perplexity.ai", "perplexity", false),
    ("together.ai", "together", true),
    ("together.xyz", "together", true),
    ("voyageai.com", "voyageai", true),
    ("x.ai", "x_ai", true),
    ("z.ai", "zai", true),
];

/// Where calls go. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    anthropic: Arc<Upstream>,
    openai: Arc<Upstream>,
    /// How long a provider may be silent, before its answer and in it.
    pub idle_timeout: Duration,
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
    pub host: HeaderValue,
    /// Who answers there, in a word.
    pub provider: String,
    asks_for_usage: AtomicBool,
    /// When the last call was sent there, in microseconds; 0 where none was since the start.
    last_call_micros: AtomicI64,
}

impl Upstream {
    fn new(url: &UpstreamUrl, otherwise: &str, asks_for_usage: Option<bool>) -> anyhow::Result<Self> {
        let uri = url.uri();
        let authority = uri.authority().context("an upstream without a host")?;
        let host = authority.host();
        let known = HOSTS
            .iter()
            .find(|(name, ..)| host == *name || host.ends_with(&format!(".{name}")));
        // What one runs oneself takes the question; what does not is found out at its first refusal.
        let asks = asks_for_usage.unwrap_or(known.is_none_or(|(.., asks)| *asks));
        Ok(Self {
            scheme: uri.scheme().cloned().unwrap_or(Scheme::HTTPS),
            authority: authority.clone(),
            path: uri.path().trim_end_matches('/').to_owned(),
            host: HeaderValue::from_str(authority.as_str())?,
            provider: known.map_or(otherwise, |(_, word, _)| word).to_owned(),
            asks_for_usage: AtomicBool::new(asks),
            last_call_micros: AtomicI64::new(0),
        })
    }

    /// A call is sent there.
    pub fn note_call(&self, now: Timestamp) {
        self.last_call_micros.store(now.micros(), Ordering::Relaxed);
    }

    /// When the last call was sent there, since this process started.
    pub fn last_call(&self) -> Option<Timestamp> {
        let micros = self.last_call_micros.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_micros(micros))
    }

    /// Whether its streams are asked what they used.
    pub fn asks_for_usage(&self) -> bool {
        self.asks_for_usage.load(Ordering::Relaxed)
    }

    /// It refuses to be asked.
    pub fn stop_asking(&self) {
        if self.asks_for_usage.swap(false, Ordering::Relaxed) {
            tracing::info!(
                host = ?self.host,
                "the provider refuses stream_options.include_usage and is not asked again; `ask_for_usage = false` says so from the start"
            );
        }
    }

    /// Where a request for `uri` goes: path and query as they came. `None` where that would be no URL, or one outside
    /// of the folder that the configuration names.
    pub fn target(&self, uri: &Uri) -> Option<Uri> {
        if climbs(uri.path()) {
            return None;
        }
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
        // A question and an answer in small chunks: none of them may wait for the acknowledgement of another.
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(config.upstream_connect_timeout_s)));
        http.set_keepalive(Some(Duration::from_secs(60)));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http1_max_headers(MAX_HEADERS)
            .build(connector);
        Ok(Self {
            client,
            anthropic: Arc::new(Upstream::new(
                &config.upstream_anthropic,
                "anthropic",
                config.ask_for_usage,
            )?),
            openai: Arc::new(Upstream::new(
                &config.upstream_openai,
                "openai",
                config.ask_for_usage,
            )?),
            idle_timeout: Duration::from_secs(config.upstream_timeout_s),
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
        match timeout(self.idle_timeout, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => Err((how_it_ended(&cause), Some(cause))),
            Err(_elapsed) => Err((Ended::TimedOut, None)),
        }
    }
}

/// Whether a path has a segment `.` or `..`, also where its dots or slashes are encoded, once or again: servers
/// resolve them, and not all in the same way.
fn climbs(path: &str) -> bool {
    if !path.contains("/.") && !path.contains(['%', '\\']) {
        return false;
    }
    let mut plain = path.to_ascii_lowercase();
    for _ in 0..3 {
        plain = plain
            .replace("%25", "%")
            .replace("%2e", ".")
            .replace("%2f", "/")
            .replace("%5c", "\\");
    }
    plain
        .split(['/', '\\'])
        // Some servers know parameters of segments.
        .any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn how_it_ended(cause: &Error) -> Ended {
    let mut source = cause.source();
    if !cause.is_connect() {
        let is_malformed = source
            .and_then(|source| source.downcast_ref::<hyper::Error>())
            .is_some_and(hyper::Error::is_parse);
        return if is_malformed {
            Ended::Malformed
        } else {
            Ended::Cut
        };
    }
    while let Some(inner) = source {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return Ended::TimedOut;
        }
        source = inner.source();
    }
    Ended::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(url: &str, asks: Option<bool>) -> Upstream {
        Upstream::new(&url.parse().unwrap(), "openai", asks).unwrap()
    }

    #[test]
    fn no_path_leaves_the_folder_of_the_upstream() {
        let upstream = upstream("https://api.example.com/openai/", None);
        let check = |path: &str, expected: Option<&str>| {
            let target = upstream.target(&path.parse().unwrap());
            let expected = expected.map(|path| format!("https://api.example.com/openai{path}"));
            assert_eq!(target.map(|uri| uri.to_string()), expected, "{path}");
        };
        for path in [
            "/v1/models/gpt-5.2",
            "/v1/models/ft:gpt..x",
            "/v1/models/.hidden",
            "/v1/models/org%2Fmodel?x=/../",
            "/v1/models/a%20b%C3%A9",
        ] {
            check(path, Some(path));
        }
        for path in [
            "/v1/models/..",
            "/v1/models/.",
            "/v1/models/..%2f..%2f..%2fadmin",
            "/v1/models/%2e%2E/x",
            "/v1/models/.%2e",
            "/v1/models/..%5cadmin",
            "/v1/models/x%2F..",
            "/v1/models/%252e%252e%252fadmin",
            "/v1/models/..;x=1/y",
            "/v1/responses/../cancel",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn who_is_asked_what_a_stream_used() {
        let check = |url: &str, asks: Option<bool>, provider: &str, expected: bool| {
            let upstream = upstream(url, asks);
            assert_eq!(
                (upstream.provider.as_str(), upstream.asks_for_usage()),
                (provider, expected),
                "{url} {asks:?}"
            );
        };
        check("https://api.openai.com", None, "openai", true);
        check("https://api.mistral.ai", None, "mistral_ai", false);
        check("https://api.mistral.ai", Some(true), "mistral_ai", true);
        check("https://api.openai.com", Some(false), "openai", false);
        check("http://127.0.0.1:8000", None, "openai", true);
        let refuses = upstream("http://127.0.0.1:8000", None);
        refuses.stop_asking();
        assert!(!refuses.asks_for_usage());
    }
}
