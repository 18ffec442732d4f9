//! Figures for Prometheus.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::ledger::Dimension;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use storage::ingest::{LedgerEntry, Outcome};

use crate::supervise::TaskFailures;

/// The media type of what [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A figure that goes up and down.
pub type Gauge = gauge::Gauge<u64, AtomicU64>;
/// Counters of one name, told apart by the value of one label.
pub type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// Upper bounds of the batch duration's buckets, in seconds.
const BATCH_BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];
const RESPONSE_CLASSES: [&str; 6] = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything `/metrics` shows. The fields are counted where things happen; the private ones are set when they are
/// shown.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Steps waiting for a transaction.
    pub queued_steps: Gauge,
    pub live_connections: Gauge,
    /// Live connections that were closed for a newer one of the same viewer.
    pub closed_live_connections: Counter,
    pub open_connections: Gauge,
    /// Connections that were closed because there were too many.
    pub refused_connections: Counter,
    /// Reads that were refused because too many were under way.
    pub refused_reads: Counter,
    pub spooled_calls: Gauge,
    pub spooled_bytes: Gauge,
    /// Records that were found damaged in the spool.
    pub damaged_records: Gauge,
    /// Calls that were not recorded.
    pub lost_calls: Counter,
    /// Responses by class: index 2 is 2xx.
    pub responses: [Counter; RESPONSE_CLASSES.len()],
    stored: Counter,
    duplicate: Counter,
    rejected: Counter,
    limited: [Counter; Dimension::ALL.len()],
    batch_seconds: Histogram,
    unfinished_calls: Gauge,
    queued_calls: Gauge,
    copied_bytes: Gauge,
    task_failures: Labelled,
    /// Chunks of jobs that failed and are tried again, by the kind of the job.
    pub job_failures: Labelled,
    db_connections: Gauge,
    db_idle_connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("plumbline");
        let steps = Labelled::default();
        registry.register("steps", "Steps received, by what became of them", steps.clone());
        let limited = Labelled::default();
        let help = "Stored steps that are counted as other in the hourly sums, by what had too many values";
        registry.register("steps_limited", help, limited.clone());
        let responses = Labelled::default();
        registry.register("http_responses", "Responses, by class", responses.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let lost_calls = counter(
            "proxy_lost_calls",
            "Calls through the proxy that were not recorded",
        );
        let closed_live_connections = counter(
            "live_connections_closed",
            "Live connections that were closed for a newer one of the same viewer",
        );
        let refused_connections = counter(
            "connections_refused",
            "Connections that were closed because there were too many",
        );
        let refused_reads = counter(
            "reads_refused",
            "Reads that were refused because too many were under way",
        );
        let task_failures = Labelled::default();
        let help = "How often a background task failed and was started again";
        registry.register("task_failures", help, task_failures.clone());
        let job_failures = Labelled::default();
        let help = "How often a chunk of a job failed, by the kind of the job";
        registry.register("job_failures", help, job_failures.clone());
        let batch_seconds = Histogram::new(BATCH_BOUNDS);
        let help = "Time to write one batch, commit included";
        registry.register("batch_seconds", help, batch_seconds.clone());
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let of = |family: &Labelled, label, value| family.get_or_create(&[(label, value)]).clone();
        Self {
            unfinished_calls: gauge(
                "proxy_unfinished_calls",
                "Calls through the proxy that are under way or not yet written",
            ),
            queued_calls: gauge(
                "proxy_queued_calls",
                "Calls through the proxy that wait to be read",
            ),
            copied_bytes: gauge("proxy_copied_bytes", "Bytes that copies of calls take in memory"),
            spooled_calls: gauge("spool_records", "Calls that wait on disk for the database"),
            spooled_bytes: gauge("spool_bytes", "Size of the spool on disk"),
            damaged_records: gauge(
                "spool_damaged_records",
                "Records that were found damaged in the spool since the start",
            ),
            queued_steps: gauge("queued_steps", "Steps waiting for a transaction"),
            live_connections: gauge("live_connections", "Open live connections"),
            open_connections: gauge("connections", "Open connections of any kind"),
            closed_live_connections,
            refused_connections,
            refused_reads,
            db_connections: gauge("db_connections", "Open database connections"),
            db_idle_connections: gauge("db_idle_connections", "Idle database connections"),
            stored: of(&steps, "outcome", "stored"),
            duplicate: of(&steps, "outcome", "duplicate"),
            rejected: of(&steps, "outcome", "rejected"),
            limited: Dimension::ALL.map(|dimension| of(&limited, "dimension", dimension.as_str())),
            responses: array::from_fn(|class| match class {
                // No response has this class; it makes the class the index.
                0 => Counter::default(),
                class => of(&responses, "class", RESPONSE_CLASSES[class]),
            }),
            lost_calls,
            task_failures,
            job_failures,
            batch_seconds,
            registry,
        }
    }
}

/// What of the proxy's calls is not in the database yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderStats {
    /// Calls under way, and those that are neither in the database nor in the spool nor lost.
    pub unfinished_calls: usize,
    /// Those of them that wait to be read.
    pub queued_calls: usize,
    /// What their copies take.
    pub copied_bytes: usize,
}

impl Metrics {
    /// Counts a committed batch by what it added to the ledger.
    pub fn batch_written(&self, took: Duration, entries: &[LedgerEntry<'_>]) {
        for entry in entries {
            let counter = match entry.outcome {
                Outcome::Stored => &self.stored,
                Outcome::Duplicate => &self.duplicate,
                Outcome::Rejected(_) => &self.rejected,
                Outcome::Limited(dimension) => &self.limited[dimension as usize],
            };
            counter.inc_by(u64::try_from(entry.steps).unwrap_or(0));
        }
        self.batch_seconds.observe(took.as_secs_f64());
    }

    /// All of it as OpenMetrics text, with what the recorder has `waiting` and how often tasks failed.
    pub fn render(
        &self,
        connections: (u32, usize),
        waiting: RecorderStats,
        failures: &[TaskFailures],
    ) -> String {
        let (open, idle) = connections;
        self.db_connections.set(u64::from(open));
        self.db_idle_connections.set(idle as u64);
        self.unfinished_calls.set(waiting.unfinished_calls as u64);
        self.queued_calls.set(waiting.queued_calls as u64);
        self.copied_bytes.set(waiting.copied_bytes as u64);
        for task in failures {
            let counter = self.task_failures.get_or_create(&[("task", task.name)]);
            counter.inner().store(task.failures, Ordering::Relaxed);
        }
        let mut text = String::new();
        // A string takes whatever is written to it.
        encode(&mut text, &self.registry).ok();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_dashboards_ask_for() {
        let metrics = Metrics::default();
        metrics.responses[2].inc();
        metrics.job_failures.get_or_create(&[("kind", "reprice")]).inc();
        let duplicate = LedgerEntry {
            project_id: domain::ProjectId(uuid::Uuid::nil()),
            minute: domain::Timestamp::default(),
            key_label: "default",
            outcome: Outcome::Duplicate,
            steps: 1,
        };
        metrics.batch_written(Duration::from_millis(3), &[duplicate]);
        let failed = TaskFailures {
            name: "maintenance",
            failures: 2,
        };
        let waiting = RecorderStats {
            unfinished_calls: 1,
            queued_calls: 2,
            copied_bytes: 3,
        };
        let text = metrics.render((4, 2), waiting, &[failed]);
        for line in [
            "# TYPE plumbline_steps counter",
            "plumbline_steps_total{outcome=\"stored\"} 0",
            "plumbline_steps_total{outcome=\"duplicate\"} 1",
            "plumbline_steps_limited_total{dimension=\"model\"} 0",
            "plumbline_http_responses_total{class=\"2xx\"} 1",
            "plumbline_http_responses_total{class=\"5xx\"} 0",
            "plumbline_proxy_lost_calls_total 0",
            "plumbline_connections_refused_total 0",
            "plumbline_reads_refused_total 0",
            "plumbline_live_connections_closed_total 0",
            "plumbline_connections 0",
            "plumbline_task_failures_total{task=\"maintenance\"} 2",
            "plumbline_job_failures_total{kind=\"reprice\"} 1",
            "plumbline_batch_seconds_bucket{le=\"0.0025\"} 0",
            "plumbline_batch_seconds_bucket{le=\"0.005\"} 1",
            "plumbline_batch_seconds_count 1",
            "plumbline_proxy_unfinished_calls 1",
            "plumbline_proxy_queued_calls 2",
            "plumbline_proxy_copied_bytes 3",
            "plumbline_db_connections 4",
            "plumbline_db_idle_connections 2",
            "plumbline_spool_records 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
