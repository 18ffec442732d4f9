//! Figures for Prometheus: counters and gauges by hand, because there are few and each is one line.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::ledger::Dimension;
use storage::ingest::{LedgerEntry, Outcome};

use crate::proxy::recorder::Waiting;

/// A figure that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicUsize);

impl Gauge {
    /// Sets the figure.
    pub fn set(&self, value: usize) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A figure that only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the figure.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the batch duration's buckets, in seconds.
const BATCH_BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// Everything `/metrics` shows.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Steps waiting for a transaction.
    pub queued_steps: Gauge,
    /// Open live connections.
    pub live_connections: Gauge,
    /// Calls that wait in the spool.
    pub spooled_calls: Gauge,
    /// Bytes of the spool on disk.
    pub spooled_bytes: Gauge,
    /// Records that were found damaged in the spool.
    pub damaged_records: Gauge,
    /// Calls that were not recorded.
    pub lost_calls: Counter,
    /// Responses by class: index 2 is 2xx.
    pub responses: [Counter; 6],
    stored: Counter,
    duplicate: Counter,
    rejected: Counter,
    limited: [Counter; Dimension::ALL.len()],
    batches: Counter,
    batch_micros: Counter,
    batch_buckets: [Counter; BATCH_BOUNDS.len()],
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
            counter.add(u64::try_from(entry.steps).unwrap_or(0));
        }
        self.batches.add(1);
        self.batch_micros
            .add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let seconds = took.as_secs_f64();
        for (bound, bucket) in BATCH_BOUNDS.iter().zip(&self.batch_buckets) {
            bucket.add(u64::from(seconds <= *bound));
        }
    }

    /// The text format of Prometheus, with what the recorder has `waiting`.
    pub fn render(&self, connections: (u32, usize), waiting: Waiting) -> String {
        let mut out = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| _ = writeln!(out, "{text}");
        line(format_args!(
            "# HELP plumbline_steps_total Steps received, by what became of them."
        ));
        line(format_args!("# TYPE plumbline_steps_total counter"));
        for (outcome, counter) in [
            ("stored", &self.stored),
            ("duplicate", &self.duplicate),
            ("rejected", &self.rejected),
        ] {
            line(format_args!(
                "plumbline_steps_total{{outcome=\"{outcome}\"}} {}",
                counter.get()
            ));
        }
        line(format_args!(
            "# HELP plumbline_steps_limited_total Stored steps that are counted as other in the hourly sums, by what had too many values."
        ));
        line(format_args!("# TYPE plumbline_steps_limited_total counter"));
        for (dimension, counter) in Dimension::ALL.iter().zip(&self.limited) {
            line(format_args!(
                "plumbline_steps_limited_total{{dimension=\"{}\"}} {}",
                dimension.as_str(),
                counter.get()
            ));
        }
        line(format_args!(
            "# HELP plumbline_batch_seconds Time to write one batch, commit included."
        ));
        line(format_args!("# TYPE plumbline_batch_seconds histogram"));
        for (bound, bucket) in BATCH_BOUNDS.iter().zip(&self.batch_buckets) {
            line(format_args!(
                "plumbline_batch_seconds_bucket{{le=\"{bound}\"}} {}",
                bucket.get()
            ));
        }
        line(format_args!(
            "plumbline_batch_seconds_bucket{{le=\"+Inf\"}} {}",
            self.batches.get()
        ));
        line(format_args!(
            "plumbline_batch_seconds_sum {}",
            self.batch_micros.get() as f64 / 1e6
        ));
        line(format_args!(
            "plumbline_batch_seconds_count {}",
            self.batches.get()
        ));
        line(format_args!(
            "# HELP plumbline_http_responses_total Responses, by class."
        ));
        line(format_args!("# TYPE plumbline_http_responses_total counter"));
        for (class, counter) in self.responses.iter().enumerate().skip(1) {
            line(format_args!(
                "plumbline_http_responses_total{{class=\"{class}xx\"}} {}",
                counter.get()
            ));
        }
        line(format_args!(
            "# HELP plumbline_proxy_lost_calls_total Calls through the proxy that were not recorded."
        ));
        line(format_args!("# TYPE plumbline_proxy_lost_calls_total counter"));
        line(format_args!(
            "plumbline_proxy_lost_calls_total {}",
            self.lost_calls.get()
        ));
        for (name, help, value) in [
            (
                "plumbline_proxy_unfinished_calls",
                "Calls through the proxy that are under way or not yet written.",
                waiting.unfinished_calls,
            ),
            (
                "plumbline_proxy_queued_calls",
                "Calls through the proxy that wait to be read.",
                waiting.queued_calls,
            ),
            (
                "plumbline_proxy_copied_bytes",
                "Bytes that copies of calls take in memory.",
                waiting.copied_bytes,
            ),
            (
                "plumbline_spool_records",
                "Calls that wait on disk for the database.",
                self.spooled_calls.get(),
            ),
            (
                "plumbline_spool_bytes",
                "Size of the spool on disk.",
                self.spooled_bytes.get(),
            ),
            (
                "plumbline_spool_damaged_records",
                "Records that were found damaged in the spool since the start.",
                self.damaged_records.get(),
            ),
            (
                "plumbline_queued_steps",
                "Steps waiting for a transaction.",
                self.queued_steps.get(),
            ),
            (
                "plumbline_live_connections",
                "Open live connections.",
                self.live_connections.get(),
            ),
            (
                "plumbline_db_connections",
                "Open database connections.",
                connections.0 as usize,
            ),
            (
                "plumbline_db_idle_connections",
                "Idle database connections.",
                connections.1,
            ),
        ] {
            line(format_args!(
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
            ));
        }
        out
    }
}
