//! `plumbline man`: the manual, as roff.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The page of one command, such as `man keys add` [default: plumbline itself]
    command: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, command: Command) -> Result<(), Exit> {
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let count = write_all(folder, command, "plumbline")?;
        output::note(&format!("{count} pages in {}", folder.display()));
        return Ok(());
    }
    let (mut shown, mut name) = (command, "plumbline".to_owned());
    for word in &arguments.command {
        let inner = shown.find_subcommand(word).cloned();
        shown = inner.ok_or_else(|| Exit::NotFound(format!("there is no command `{name} {word}`")))?;
        name = format!("{name} {word}");
    }
    output::write_line(String::from_utf8_lossy(&page(shown, &name)?).trim_end())?;
    Ok(())
}

/// The page of one command; its name has hyphens between its words, as pages have.
fn page(command: Command, name: &str) -> Result<Vec<u8>, Exit> {
    let mut roff = Vec::new();
    let command = command
        .bin_name(name)
        .display_name(name.replace(' ', "-"))
        .version(env!("CARGO_PKG_VERSION"));
    Man::new(command).render(&mut roff)?;
    Ok(roff)
}

fn write_all(folder: &Path, command: Command, name: &str) -> Result<usize, Exit> {
    let mut count = 1;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        if inner.get_name() != "help" {
            count += write_all(folder, inner.clone(), &format!("{name} {}", inner.get_name()))?;
        }
    }
    let path = folder.join(format!("{}.1", name.replace(' ', "-")));
    std::fs::write(&path, page(command, name)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(count)
}
