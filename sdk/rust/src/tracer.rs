//! The entry point: `Tracer::new("pl_live_…")`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::Level;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::environment::{environment, release, variable};
use crate::exporter::Exporter;
use crate::layer::Layer;
use crate::model::Span;
use crate::recorder::{Recorder, Redact};
use crate::sender::{Sender, SenderOptions, Stats};
use crate::warnings::{Hear, Warnings};

const DEFAULT_API_URL: &str = "http://127.0.0.1:3000";
/// How long the end of a program waits for the server.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

/// Records traces, one for each program. Keep it until the program ends: when it goes, what is queued is sent, with two
/// seconds of patience.
#[must_use = "what is dropped here records nothing more"]
pub struct Tracer {
    recorder: Arc<Recorder>,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tracer")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Tracer {
    /// Sends to the server that the variable `PLUMBLINE_API_URL` names, or to this machine's.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self::builder().api_key(api_key).build()
    }

    /// A tracer with other options than the usual ones.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// To be added to a subscriber of `tracing_subscriber`.
    pub fn layer(&self) -> Layer {
        Layer::new(Arc::clone(&self.recorder))
    }

    /// Makes it the one that listens to tracing in this process. Where somebody does already, that stays, with a warning:
    /// add [`layer`](Self::layer) to what listens.
    pub fn install(self) -> Self {
        let subscriber = Registry::default().with(self.layer());
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            self.recorder.warnings.say_once(
                "install",
                "nothing is recorded: tracing has a subscriber already, to which the tracer's layer() is to be added",
            );
        }
        self
    }

    /// What became of the steps so far.
    pub fn stats(&self) -> Stats {
        self.recorder
            .sender
            .as_ref()
            .map(Sender::stats)
            .unwrap_or_default()
    }

    /// Waits until what has ended so far is sent and exported. Says whether it is.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.recorder.flush(timeout)
    }

    /// Sends what is left and records no more, for programs that end by `std::process::exit`.
    pub fn shutdown(&self, timeout: Duration) {
        self.recorder.shutdown(timeout);
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.shutdown(EXIT_PATIENCE);
    }
}

/// Options of a [`Tracer`]. What is not given is read from the environment where there is a variable for it.
pub struct Builder {
    api_key: Option<String>,
    api_url: Option<String>,
    sends: bool,
    enabled: Option<bool>,
    environment: Option<String>,
    release: Option<String>,
    labels: Map<String, Value>,
    tags: Vec<Value>,
    max_level: Level,
    max_queue_steps: usize,
    max_queue_bytes: usize,
    flush_interval: Duration,
    redact: Option<Redact>,
    exporters: Vec<Box<dyn Exporter>>,
    on_warning: Option<Hear>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Builder")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

impl Builder {
    fn new() -> Self {
        Self {
            api_key: None,
            api_url: None,
            sends: true,
            enabled: None,
            environment: None,
            release: None,
            labels: Map::new(),
            tags: Vec::new(),
            max_level: Level::INFO,
            max_queue_steps: 10_000,
            max_queue_bytes: 64 * 1024 * 1024,
            flush_interval: Duration::from_secs(1),
            redact: None,
            exporters: Vec::new(),
            on_warning: None,
        }
    }

    /// Default: `PLUMBLINE_API_KEY`. A server on this machine that has no accounts needs none.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// The server's origin. Default: `PLUMBLINE_API_URL`, or `http://127.0.0.1:3000`.
    #[must_use]
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// Whether steps go to a server. With `false` there are only exporters.
    #[must_use]
    pub fn send(mut self, sends: bool) -> Self {
        self.sends = sends;
        self
    }

    /// `false` records nothing and changes nothing else. Default: `true`, unless `PLUMBLINE_DISABLED` is set.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// `production`, `staging`, … Default: what the environment says.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The version that runs, usually a commit. Default: what the environment says.
    #[must_use]
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// A tag of every step.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(Value::String(tag.into()));
        self
    }

    /// An attribute of every step, unless its span has one of that name; `session_id` and `user_id` are such.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Spans and events of a finer level are not recorded. Default: `INFO`.
    #[must_use]
    pub fn max_level(mut self, level: Level) -> Self {
        self.max_level = level;
        self
    }

    /// Steps that wait at most; more are dropped and counted. Default: 10,000.
    #[must_use]
    pub fn max_queue_steps(mut self, steps: usize) -> Self {
        self.max_queue_steps = steps;
        self
    }

    /// Bytes that wait at most. Default: 64 MiB.
    #[must_use]
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// How long a step waits for others. Default: a second.
    #[must_use]
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Sees each span that has ended before it is sent or exported, and returns what to record in its place. `None`: it is
    /// kept back. Where it panics, nothing of the span is recorded.
    #[must_use]
    pub fn redact(mut self, redact: impl Fn(Span) -> Option<Span> + Send + Sync + 'static) -> Self {
        self.redact = Some(Box::new(redact));
        self
    }

    /// Also gives whole traces to an exporter; to be called for each.
    #[must_use]
    pub fn exporter(mut self, exporter: impl Exporter + 'static) -> Self {
        self.exporters.push(Box::new(exporter));
        self
    }

    /// Hears what goes wrong with recording, each kind once. Default: the standard error.
    #[must_use]
    pub fn on_warning(mut self, hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_warning = Some(Box::new(hear));
        self
    }

    /// Makes the tracer. Nothing is sent before there is something to send.
    pub fn build(mut self) -> Tracer {
        let warnings = Arc::new(Warnings::new(self.on_warning.take()));
        let words = [
            ("environment", self.environment.or_else(|| environment(variable))),
            ("release", self.release.or_else(|| release(variable))),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                self.labels.insert(name.to_owned(), Value::String(word));
            }
        }
        if !self.tags.is_empty() {
            self.labels.insert("tags".to_owned(), Value::Array(self.tags));
        }
        let api_url = self.api_url.or_else(|| variable("PLUMBLINE_API_URL"));
        let api_url = origin_of(api_url.as_deref().unwrap_or(DEFAULT_API_URL));
        if cfg!(not(feature = "tls")) && api_url.starts_with("https:") {
            warnings.say_once(
                "tls",
                "https needs the feature `tls` of plumbline-sdk; steps can't be sent",
            );
        }
        let options = SenderOptions {
            api_url,
            api_key: self.api_key.or_else(|| variable("PLUMBLINE_API_KEY")),
            max_queue_steps: self.max_queue_steps,
            max_queue_bytes: self.max_queue_bytes,
            flush_interval: self.flush_interval,
        };
        Tracer {
            recorder: Arc::new(Recorder {
                is_enabled: self
                    .enabled
                    .unwrap_or_else(|| variable("PLUMBLINE_DISABLED").is_none()),
                max_level: self.max_level,
                labels: self.labels,
                redact: self.redact,
                sender: self.sends.then(|| Sender::new(options, Arc::clone(&warnings))),
                exporters: self.exporters,
                warnings,
            }),
        }
    }
}

/// Without what somebody may have copied with it: slashes at the end, the path of ingest.
fn origin_of(url: &str) -> String {
    let origin = url.trim().trim_end_matches('/');
    let origin = ["/ingest/batch", "/ingest"]
        .into_iter()
        .find_map(|path| origin.strip_suffix(path))
        .unwrap_or(origin);
    origin.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_with_an_address_is_taken_off() {
        for url in [
            "http://h:1",
            " http://h:1/ ",
            "http://h:1/ingest",
            "http://h:1/ingest/batch/",
        ] {
            assert_eq!(origin_of(url), "http://h:1");
        }
    }
}
