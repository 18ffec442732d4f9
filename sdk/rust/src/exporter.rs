//! Where whole traces go, beside the server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Trace;

/// Takes traces as they end: [`ConsoleExporter`](crate::ConsoleExporter), [`FileExporter`](crate::FileExporter), or one of
/// your own. Plumbline's server is told of each span as it ends and needs none.
pub trait Exporter: Send + Sync {
    /// Takes a trace whose first span has ended. It is called on that span's thread, so what takes time belongs into
    /// another one. An error is a warning of the tracer, a panic as well.
    fn export(&self, trace: &Arc<Trace>) -> Result<(), ExportError>;

    /// Waits until what was taken is where it belongs, for no longer than it is given.
    fn flush(&self, _timeout: Duration) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Why a trace was not exported.
#[derive(Debug)]
pub struct ExportError(String);

impl ExportError {
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ExportError {}
