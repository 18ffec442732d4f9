//! `plumbline init`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::{Exit, output};
use crate::config::{DEFAULT_FILE, SAMPLE};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Replace the file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, config: Option<&Path>) -> Result<(), Exit> {
    let path = config.unwrap_or(Path::new(DEFAULT_FILE));
    let mut options = OpenOptions::new();
    // It may get the database's password.
    options.write(true).mode(0o600);
    if arguments.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(SAMPLE.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            output::note(&format!(
                "wrote {}; `plumbline serve` reads it when started in its folder",
                path.display()
            ));
            Ok(())
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Err(Exit::Failed(anyhow::anyhow!(
            "{} exists; `plumbline init --force` replaces it",
            path.display()
        ))),
        Err(cause) => Err(Exit::Failed(
            anyhow::Error::new(cause).context(format!("cannot write {}", path.display())),
        )),
    }
}
