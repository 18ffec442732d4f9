//! What tests share of a program: a tracer, what it warns of, and a subscriber for the length of a block.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plumbline_sdk::{Builder, Tracer};
use tracing_subscriber::prelude::*;

use crate::ingest_server::IngestServer;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Warnings = Arc<Mutex<Vec<String>>>;

/// A tracer's options, without what the machine's own environment says.
pub(crate) fn options(server: &IngestServer) -> (Builder, Warnings) {
    let warnings = Warnings::default();
    let heard = Arc::clone(&warnings);
    let builder = Tracer::builder()
        .api_key("pl_live_test")
        .api_url(&server.url)
        .environment("test")
        .release("abc")
        .enabled(true)
        .on_warning(move |message| heard.lock().unwrap().push(message.to_owned()));
    (builder, warnings)
}

/// Runs `program` with nothing but the tracer listening.
pub(crate) fn traced<R>(tracer: &Tracer, program: impl FnOnce() -> R) -> R {
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, program)
}

pub(crate) fn said(warnings: &Warnings) -> Vec<String> {
    warnings.lock().unwrap().clone()
}
