//! `plumbline completions`: what a shell needs to complete commands and flags.

use clap_complete::Shell;

use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> Result<(), Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "plumbline", &mut script);
    output::write_line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
