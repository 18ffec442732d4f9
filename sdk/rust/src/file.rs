//! Traces as files, in AITrace's JSON.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::exporter::{ExportError, Exporter};
use crate::model::{Event, Span, Status, Trace, time_text};
use crate::warnings::lock;

/// Traces that wait to be written; what comes then is not.
const MAX_WAITING: usize = 1_000;
/// Of AITrace's file exporter since version 0.2, whose files say when a trace was by the clock.
const SCHEMA_VERSION: &str = "aitrace.file_export.v1";

/// Writes each trace into a file of its own, `<trace id>_<second>.json`. A thread of its own does it, and a file is there
/// only when it is whole.
pub struct FileExporter {
    jobs: SyncSender<Job>,
    /// What went wrong since somebody was told of it.
    failure: Arc<Mutex<Option<String>>>,
}

enum Job {
    Write(Arc<Trace>),
    /// Says when everything before it is written.
    Reach(SyncSender<()>),
}

impl FileExporter {
    /// Writes into `directory`, which is made when it is needed. Fails when no thread can be started.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let (jobs, taken) = sync_channel(MAX_WAITING);
        let failure = Arc::new(Mutex::new(None));
        let (directory, failures) = (directory.into(), Arc::clone(&failure));
        thread::Builder::new()
            .name("plumbline-file".to_owned())
            .spawn(move || write_all(&directory, &taken, &failures))?;
        Ok(Self { jobs, failure })
    }
}

impl Exporter for FileExporter {
    fn export(&self, trace: &Arc<Trace>) -> Result<(), ExportError> {
        match self.jobs.try_send(Job::Write(Arc::clone(trace))) {
            // Left there: whoever flushes is to hear of it too.
            Ok(()) => failed(lock(&self.failure).clone()),
            Err(TrySendError::Full(_)) => Err(ExportError::new(format!(
                "{MAX_WAITING} traces wait to be written; others are left out"
            ))),
            Err(TrySendError::Disconnected(_)) => Err(ExportError::new("traces are no longer written")),
        }
    }

    fn flush(&self, timeout: Duration) -> Result<(), ExportError> {
        let (reach, reached) = sync_channel(1);
        // A queue that is full of traces still has to be written before this is reached, so the time is not exceeded by
        // much: whoever waits for room waits for one file.
        self.jobs
            .send(Job::Reach(reach))
            .map_err(|_job| ExportError::new("traces are no longer written"))?;
        reached
            .recv_timeout(timeout)
            .map_err(|_timeout| ExportError::new(format!("traces were not written within {timeout:?}")))?;
        failed(lock(&self.failure).take())
    }
}

fn failed(reason: Option<String>) -> Result<(), ExportError> {
    reason.map_or(Ok(()), |reason| Err(ExportError::new(reason)))
}

fn write_all(directory: &Path, jobs: &Receiver<Job>, failure: &Mutex<Option<String>>) {
    for job in jobs {
        match job {
            Job::Write(trace) => {
                if let Err(cause) = write(directory, &trace) {
                    *lock(failure) = Some(format!("{}: {cause}", directory.display()));
                }
            }
            Job::Reach(reach) => {
                // Whoever asked may have lost patience.
                reach.try_send(()).ok();
            }
        }
    }
}

fn write(directory: &Path, trace: &Trace) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let ended_at = trace.spans.iter().map(Span::ended_at).max();
    let seconds = micros(ended_at.unwrap_or(trace.created_at)) / 1_000_000;
    let name = format!("{}_{seconds}.json", file_name(&trace.trace_id));
    let unfinished = directory.join(format!(".{name}.tmp"));
    let mut file = fs::File::create(&unfinished)?;
    serde_json::to_writer_pretty(&mut file, &trace_json(trace))?;
    file.write_all(b"\n")?;
    fs::rename(unfinished, directory.join(name))
}

/// An id from elsewhere must not lead out of the directory.
fn file_name(trace_id: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    trace_id
        .chars()
        .take(128)
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect()
}

fn trace_json(trace: &Trace) -> Value {
    json!({
        "exporter_schema_version": SCHEMA_VERSION,
        "trace_id": trace.trace_id,
        "metadata": trace.metadata,
        "created_at": micros(trace.created_at),
        "created_at_wall_time": time_text(trace.created_at),
        "clock_domain": { "monotonic_unit": "microsecond" },
        "spans": trace.spans.iter().map(span_json).collect::<Vec<_>>(),
    })
}

fn span_json(span: &Span) -> Value {
    let ended_at = span.ended_at();
    let (start, end) = (micros(span.started_at), micros(ended_at));
    let (status, error) = match &span.status {
        Status::Ok => ("ok", None),
        Status::Error(error) => ("error", Some(error)),
    };
    let mut attributes = span.attributes.clone();
    if let Some(error) = error {
        attributes.entry("error").or_insert_with(|| json!(error));
    }
    json!({
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "start_time": start,
        "start_wall_time": time_text(span.started_at),
        "end_time": end,
        "end_wall_time": time_text(ended_at),
        "duration_microseconds": end.saturating_sub(start),
        "attributes": attributes,
        "events": span.events.iter().map(event_json).collect::<Vec<_>>(),
        "status": status,
    })
}

fn event_json(event: &Event) -> Value {
    json!({
        "name": event.name,
        "timestamp": micros(event.at),
        "wall_time": time_text(event.at),
        "attributes": event.attributes,
    })
}

/// Microseconds on one scale for everything in a file. All times of a trace are its beginning and what a monotonic clock
/// says has passed since.
fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
