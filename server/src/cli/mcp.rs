//! `plumbline mcp`: the Model Context Protocol over stdin and stdout, a message a line.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::{Config, LocalFlags};
use crate::mcp::answer_text;
use crate::outbound::Outbound;
use crate::secrets::Secrets;
use crate::tools::Toolbox;

/// The longest line.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    #[command(flatten)]
    local: LocalFlags,
}

/// Answers until stdin ends.
pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    let secrets = Secrets::of(config)?;
    let outbound = Outbound::new(config.allow_private_targets.clone())?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let toolbox = Toolbox {
            db: db.clone(),
            secrets: secrets.clone(),
            outbound: outbound.clone(),
        };
        let mut lines = BufReader::new(tokio::io::stdin());
        loop {
            let mut line = Vec::new();
            let read = (&mut lines)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
                .await?;
            if read == 0 {
                return Ok(());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if let Some(answer) = answer_text(&toolbox, project, &line, clock::now()).await {
                output::write_line(&answer.to_string())?;
            }
        }
    })
    .await
}
