#![doc = include_str!("../README.md")]

mod clock;
mod console;
mod environment;
mod exporter;
mod fields;
mod file;
mod layer;
mod model;
mod open_span;
mod provider;
mod recorder;
mod sender;
mod span_ext;
mod step;
mod tracer;
mod warnings;

pub use console::ConsoleExporter;
pub use exporter::{ExportError, Exporter};
pub use file::FileExporter;
pub use layer::Layer;
pub use model::{Context, Event, Span, Status, Trace};
pub use sender::Stats;
pub use span_ext::{SpanExt, add_event, current_context, set_attributes};
pub use tracer::{Builder, Tracer};

#[doc(hidden)]
pub use tracing;

/// Begins a trace: a span without a parent, wherever it is made. Fields as in `tracing::info_span!`.
#[macro_export]
macro_rules! trace {
    ($name:expr $(, $($fields:tt)*)?) => {
        $crate::tracing::info_span!(target: "plumbline", parent: None, $name, $($($fields)*)?)
    };
}

/// A span in the one around it, or the first of a trace. Fields as in `tracing::info_span!`, which does the same.
#[macro_export]
macro_rules! span {
    ($name:expr $(, $($fields:tt)*)?) => {
        $crate::tracing::info_span!(target: "plumbline", $name, $($($fields)*)?)
    };
}
