//! `plumbline move-database`: everything from the private Postgres into another one.

mod plan;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::text;
use storage::relocation::{self, Move, MoveError};

use super::{Exit, output};
use crate::clock;
use crate::config::{self, Config, DEFAULT_FILE, DatabaseUrl, TargetFlags};
use crate::database::{Database, refuse_unfit};

/// How often a part that takes long says how far it is.
const SAY_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetFlags,
    /// Only say what would be moved, and what is in the way
    #[arg(long)]
    plan: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let url = arguments.target.to.address();
    let url = url.map_err(|cause| Exit::Usage(format!("--to: {cause}")))?;
    if let Some(used) = &config.database_url {
        return Err(Exit::Usage(format!(
            "this configuration uses the {used} already. This command moves the private Postgres of a data folder; another \
             one is moved with its own means"
        )));
    }
    if !private_postgres::has_database(&config.data) {
        return Err(Exit::NotFound(format!(
            "there is no private Postgres in {}; set database_url and start",
            config.data.display()
        )));
    }
    let source = Database::reach(config).await?;
    let outcome = if source.is_private() {
        Box::pin(move_to(config, &source, &url, arguments)).await
    } else {
        Err(Exit::Failed(anyhow::anyhow!(
            "a server or another command is using the private Postgres. Stop it and run this again: what came in meanwhile \
             would be left behind"
        )))
    };
    source.stop().await?;
    outcome
}

async fn move_to(
    config: &Config,
    source: &Database,
    url: &DatabaseUrl,
    arguments: &Arguments,
) -> Result<(), Exit> {
    let state = storage::migration_state(&source.options()).await?;
    refuse_unfit(state)?;
    let target = Database::at(url).await?;
    let found = relocation::target(&target.options()).await?;
    let obstacles = plan::obstacles(&found, url);
    if arguments.plan {
        let parts = relocation::parts(&source.options()).await?;
        plan::print(source, &target, &found, &parts);
        if state.applied < state.known {
            output::line("The private Postgres is brought to this version's schema first.");
        }
        for obstacle in &obstacles {
            output::line(&format!("In the way: {obstacle}"));
        }
        output::line("Nothing was changed.");
        return match obstacles.is_empty() {
            true => Ok(()),
            false => Err(Exit::FailedAsReported),
        };
    }
    if !obstacles.is_empty() {
        return Err(Exit::Failed(anyhow::anyhow!("{}", obstacles.join("; "))));
    }
    storage::migrate(&source.options()).await?;
    output::note(&format!("from {}", source.description()));
    output::note(&format!("to   {}", target.description()));
    Box::pin(copy(source, &target)).await.map_err(in_words)?;
    configure(config, arguments.target.to.as_str());
    output::note(&format!(
        "Start the server. Keep the data folder, which holds the key of secrets and the spool; delete {} when all is well",
        config.data.join("postgres").display()
    ));
    Ok(())
}

async fn copy(source: &Database, target: &Database) -> Result<(), MoveError> {
    let mut work = Box::pin(Move::begin(&source.options(), &target.options())).await?;
    let (total, missing) = (work.total(), work.missing());
    let already = total - missing.len();
    if work.begins_anew() {
        output::note("what was copied before has changed since: everything is copied again");
    } else if already > 0 {
        output::note(&format!("{already} of {total} parts are there already"));
    }
    let (mut rows, begun) = (0, Instant::now());
    for (nth, part) in missing.iter().enumerate() {
        let mut said = Instant::now();
        let copied = work
            .copy(part, |sent| {
                if said.elapsed() > SAY_INTERVAL {
                    said = Instant::now();
                    output::note(&format!("    {}: {} rows sent", part.name, text::grouped(sent)));
                }
            })
            .await?;
        rows += copied;
        output::note(&format!(
            "  {} of {total}  {}, {}",
            already + nth + 1,
            part.name,
            text::counted(copied, "row")
        ));
    }
    work.finish(clock::now()).await?;
    output::note(&format!(
        "{} copied in {} s; rows and checksums are the same on both sides",
        text::counted(rows, "row"),
        begun.elapsed().as_secs()
    ));
    Ok(())
}

/// Writes the address into the file that the server reads, or says what to write.
fn configure(config: &Config, url: &str) {
    let written = config.file.as_deref().map(|file| (file, write(file, url)));
    output::note(&match written {
        Some((file, Ok(()))) => format!("{} says database_url now", file.display()),
        Some((file, Err(cause))) => format!(
            "Write it yourself: database_url = \"…\" with the address after --to, into {} ({cause:#})",
            file.display()
        ),
        None => format!(
            "No configuration file was read: set DATABASE_URL, or database_url in {DEFAULT_FILE} (`plumbline init` writes \
             one), to the address after --to"
        ),
    });
}

fn write(file: &Path, url: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).context("it cannot be read")?;
    let text = config::with_database_url(&text, url, file).context("it has no place for that line")?;
    // In place: it stays its owner's, and closed to others.
    std::fs::write(file, text).context("it cannot be written")
}

fn in_words(cause: MoveError) -> Exit {
    let again = match &cause {
        MoveError::Database(cause) if cause.is_lock_timeout() => {
            "somebody writes to the private Postgres; end the other command and run this again"
        }
        _ => "nothing was changed here; run this again to go on with what is missing",
    };
    Exit::Failed(anyhow::Error::new(cause).context(again))
}
