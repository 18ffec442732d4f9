//! Where lines go: stdout, or a file.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::Exit;
use crate::cli::output::{self, Gone};

/// Lines are gathered into writes of this size.
const BUFFER_BYTES: usize = 64 * 1024;

/// A place for lines, and how many came.
pub(in crate::cli) struct Sink {
    writer: BufWriter<Box<dyn Write>>,
    name: Option<String>,
    lines: u64,
}

impl Sink {
    /// The file, or stdout without one.
    pub(in crate::cli) fn open(path: Option<&Path>) -> Result<Self, Exit> {
        let name = path.map(|path| path.display().to_string());
        let inner: Box<dyn Write> = match path {
            Some(path) => {
                let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
                Box::new(file)
            }
            None => Box::new(std::io::stdout()),
        };
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, inner),
            name,
            lines: 0,
        })
    }

    pub(in crate::cli) fn line(&mut self, line: &str) -> Result<(), Exit> {
        self.lines += 1;
        let written = self
            .writer
            .write_all(line.as_bytes())
            .and_then(|()| self.writer.write_all(b"\n"));
        self.checked(written)
    }

    /// Everything is written, or that fails.
    pub(in crate::cli) fn finish(mut self) -> Result<(), Exit> {
        let written = self.writer.flush();
        self.checked(written)?;
        let count = domain::text::grouped(self.lines);
        match &self.name {
            Some(name) => output::note(&format!("{count} lines in {name}")),
            None => output::note(&format!("{count} lines")),
        }
        Ok(())
    }

    fn checked(&self, written: std::io::Result<()>) -> Result<(), Exit> {
        match written {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Err(Gone.into()),
            Err(cause) => {
                let name = self.name.as_deref().unwrap_or("the output");
                Err(anyhow::Error::new(cause)
                    .context(format!("cannot write {name}"))
                    .into())
            }
        }
    }
}
