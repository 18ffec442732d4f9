//! What is in a file, or what is wrong with it and where.

use std::path::Path;

use clap::ValueEnum;
use domain::{NewStep, Timestamp};
use otlp::wire;
use sha2::{Digest as _, Sha256};

use super::{aitrace, langfuse, langsmith, records};
use crate::ingest::{step_of_json, step_of_span};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As its first line says
    Auto,
    /// Requests of OpenTelemetry's exporters as JSON: one, or one a line
    Otlp,
    /// A trace as AITrace's file exporter writes it
    Aitrace,
    /// Traces and observations of Langfuse, from its API, its page, or its export to blob storage
    Langfuse,
    /// Runs of LangSmith, from its SDKs, its API, or its bulk export
    Langsmith,
    /// What `plumbline export steps` writes: a step a line, as `POST /ingest` takes it
    Plumbline,
}

/// The steps of a file.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) steps: Vec<NewStep>,
    /// They are spans, which may say again what others below them used.
    pub(super) may_repeat_usage: bool,
}

/// Reads a file whole; what is wrong in words, with the line.
pub(super) fn read(path: &Path, format: Format, now: Timestamp) -> Result<Contents, String> {
    let bytes = std::fs::read(path).map_err(|cause| format!("it can't be read: {cause}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_other| "it is no text in UTF-8".to_owned())?;
    let is_otlp = match format {
        Format::Otlp => true,
        Format::Plumbline | Format::Aitrace | Format::Langfuse | Format::Langsmith => false,
        Format::Auto => {
            let beginning = &text[..text.floor_char_boundary(4_096)];
            beginning.contains("\"resourceSpans\"")
        }
    };
    if format == Format::Aitrace || (format == Format::Auto && !is_otlp && aitrace::is_trace(text)) {
        return Ok(Contents {
            steps: aitrace::steps(text, written_at(path, now))?,
            may_repeat_usage: false,
        });
    }
    let foreign = match format {
        Format::Langfuse | Format::Langsmith => Some(format),
        Format::Auto if !is_otlp => records::first(text).and_then(|record| foreign_format(&record)),
        _ => None,
    };
    if let Some(foreign) = foreign {
        let steps = if foreign == Format::Langsmith {
            langsmith::steps(text)?
        } else {
            langfuse::steps(text)?
        };
        return Ok(Contents {
            steps,
            may_repeat_usage: true,
        });
    }
    // One request is often printed over many lines.
    if is_otlp && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Ok(Contents {
            steps: of_otlp(text, now)?,
            may_repeat_usage: true,
        });
    }
    let mut steps = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let at = |problem: String| format!("line {}: {problem}", index + 1);
        if is_otlp {
            steps.extend(of_otlp(line, now).map_err(at)?);
        } else {
            steps.push(step_of_json(line.as_bytes(), now, &id_of(line)).map_err(at)?);
        }
    }
    if steps.is_empty() {
        return Err("there are no steps in it".to_owned());
    }
    Ok(Contents {
        steps,
        may_repeat_usage: is_otlp,
    })
}

/// Whose object this is, if another tool's that is known.
fn foreign_format(record: &records::Record) -> Option<Format> {
    if langsmith::is_record(record) {
        Some(Format::Langsmith)
    } else if langfuse::is_record(record) {
        Some(Format::Langfuse)
    } else {
        None
    }
}

/// When a file was written: AITrace names it `<trace id>_<seconds>.json`; of another name its time of change.
fn written_at(path: &Path, now: Timestamp) -> Timestamp {
    let named = path.file_stem().and_then(|stem| {
        let (_, seconds) = stem.to_str()?.rsplit_once('_')?;
        seconds.parse::<i64>().ok()?.checked_mul(1_000_000)
    });
    let changed = || {
        let at = std::fs::metadata(path).and_then(|file| file.modified()).ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok()
    };
    named.or_else(changed).map_or(now, Timestamp::from_micros)
}

fn of_otlp(json: &str, now: Timestamp) -> Result<Vec<NewStep>, String> {
    let data = wire::of_json(json.as_bytes()).map_err(|malformed| match malformed {
        wire::Malformed::TooManyValues => format!("it has more than {} values; cut it", wire::MAX_VALUES),
        wire::Malformed::Logs => "these are logs and no traces".to_owned(),
        wire::Malformed::Metrics => "these are metrics and no traces".to_owned(),
        wire::Malformed::Unreadable(cause) => format!("it is no request of OpenTelemetry: {cause}"),
    })?;
    let read = otlp::read(data, now);
    if read.without_ids > 0 {
        return Err(format!(
            "{} spans have no valid traceId and spanId",
            read.without_ids
        ));
    }
    Ok(read.spans.into_iter().map(step_of_span).collect())
}

/// The id of a step that has none: the same when the file is imported again.
fn id_of(line: &str) -> String {
    let hash = Sha256::digest(line.as_bytes());
    format!("im-{}", hex::encode(&hash[..16]))
}
