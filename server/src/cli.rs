//! The command line. Data goes to stdout and everything else to stderr; exit codes are 0 done, 1 failed, 2 asked for
//! in the wrong way, 3 not authorised, 4 not found.

mod accounts;
mod analyze;
mod audit;
mod completions;
mod deploys;
mod doctor;
mod export;
mod forecast;
mod health;
mod import;
mod incidents;
mod init;
mod jobs;
mod keys;
mod man;
mod mcp;
mod members;
mod migrate;
mod move_database;
mod output;
mod prices;
mod report;
mod reprice;
mod runs;
mod secrets;
mod seed;
pub mod serve;
mod source;
mod stats;
mod sync_deploys;
mod tail;
mod users;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use domain::{Project, Timestamp};
use storage::{Db, projects};

pub use serve::{Ready, serve};

use crate::clock;
use crate::config::{self, Config, Flags, LogFormat};
use crate::database::Database;
use crate::router::openapi::OPENAPI;
use crate::secrets::{KeyPlace, Secrets};

/// How long threads may take to end after the command is done.
const THREAD_END_TIMEOUT: Duration = Duration::from_secs(2);

/// Observability for LLM applications: traces, cost and what went wrong, in one binary.
#[derive(Debug, Parser)]
#[command(name = "plumbline", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; without DATABASE_URL also a private Postgres in the data folder
    Serve,
    /// Bring the database to this version's schema, or say what that would take
    Migrate(migrate::Arguments),
    /// Copy everything from the private Postgres into another one, and use that from now on
    ///
    /// The server has to be stopped. Every part is counted and compared on both sides; the private Postgres is only read and
    /// stays as it is. A move that was interrupted goes on where it was when it is run again.
    MoveDatabase(move_database::Arguments),
    /// Check the installation and print the configuration in force
    Doctor(doctor::Arguments),
    /// Ask the server of this configuration whether it is ready; for the health checks of containers
    Health,
    /// API keys of programs
    #[command(subcommand)]
    Keys(keys::Command),
    /// Secrets of integrations
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// People of a project
    #[command(subcommand)]
    Members(members::Command),
    /// People who may sign in
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// Who did what: sign-ins, keys, members, settings, deletions
    Audit(audit::Arguments),
    /// End users of the application: export or delete everything of one
    #[command(subcommand)]
    Users(users::Command),
    /// Prices of models
    #[command(subcommand)]
    Prices(prices::Command),
    /// Work out again what every stored step costs, with the prices of today
    Reprice(reprice::Arguments),
    /// What calls cost, took and failed, by key, model, step or environment
    Stats(stats::Arguments),
    /// What shipped, and what each deploy moved
    Deploys(deploys::Arguments),
    /// What left its baseline, and what caused it
    #[command(alias = "anomalies")]
    Incidents(incidents::Arguments),
    /// The deploys behind each incident, with confidence and probability
    Correlate(incidents::Arguments),
    /// One incident in words: its cause, the others, and where the change comes from
    Explain(incidents::ExplainArguments),
    /// Let a model investigate an incident, with look-ups, and print what it finds
    Analyze(analyze::Arguments),
    /// Say each incident that opens, ends or gets another verdict
    Watch(incidents::WatchArguments),
    /// Ask GitHub now what shipped; a server does so every few minutes
    SyncDeploys(sync_deploys::Arguments),
    /// Runs, newest first, or one run with its steps
    Runs(Box<runs::Arguments>),
    /// The latest runs, and then each that comes in
    Tail(Box<tail::Arguments>),
    /// What some days cost, and which deploy raised the bill
    ///
    /// As text, as Markdown, or as one HTML file with charts that needs nothing else.
    Report(report::Arguments),
    /// How the month ends, and when budgets are used up
    Forecast(forecast::Arguments),
    /// Runs, steps or a series of a range, as JSON lines or CSV
    Export(Box<export::Arguments>),
    /// Files of spans or steps into a project
    ///
    /// OpenTelemetry's JSON (one request, or one a line, as collectors write files), a trace of AITrace, exports of
    /// Langfuse and LangSmith, or what `plumbline export steps` wrote. A file that can't be read is not stored at all;
    /// importing one again stores nothing twice, and completes an import that was interrupted.
    Import(import::Arguments),
    /// Look-ups for the model of an editor or an agent: the Model Context Protocol on stdin and stdout
    Mcp(mcp::Arguments),
    /// Work in the background: re-pricing, deletions, demo data, counting again after an upgrade
    Jobs(jobs::Arguments),
    /// Fill a project with demo data
    ///
    /// Everything in it is made up: runs of a support desk over the last 30 days, three deploys of which one
    /// raises the bill, and one run that fails, named cascade-demo. They go through the same pipeline as real steps and lie beside what the project holds already, so
    /// give them a project of their own where that matters. Seeding twice on a date stores nothing twice; --remove
    /// takes exactly the demo data away again.
    Seed(seed::Arguments),
    /// Write a commented plumbline.toml
    Init(init::Arguments),
    /// The description of the API for programs, as `GET /api/openapi.json`
    Openapi,
    /// What a shell needs to complete commands and flags
    Completions(completions::Arguments),
    /// The manual page, for `man -l -`
    Man(man::Arguments),
}

/// Why a command ends with another code than 0.
#[derive(Debug)]
enum Exit {
    /// 1
    Failed(anyhow::Error),
    /// 1, and everything was said already.
    FailedAsReported,
    /// 2
    Usage(String),
    /// 3
    NotAuthorised(String),
    /// 4
    NotFound(String),
}

impl<E: Into<anyhow::Error>> From<E> for Exit {
    fn from(cause: E) -> Self {
        Self::Failed(cause.into())
    }
}

impl Exit {
    /// Says why, and returns the code.
    fn report(self) -> ExitCode {
        let (text, code) = match self {
            // Whoever read the output has enough of it.
            Self::Failed(cause) if cause.is::<output::Gone>() => return ExitCode::SUCCESS,
            Self::Failed(cause) => (format!("{cause:#}"), 1),
            Self::FailedAsReported => return ExitCode::from(1),
            Self::Usage(text) => (text, 2),
            Self::NotAuthorised(text) => (text, 3),
            Self::NotFound(text) => (text, 4),
        };
        output::note(&format!("error: {text}"));
        ExitCode::from(code)
    }
}

/// The configuration that commands beside `serve` use themselves; they accept the rest, and `serve` lists it.
const CONFIGURATION_OF_EVERY_COMMAND: [&str; 3] = ["config", "data", "log"];

/// The command line, with help that lists for each command what concerns that command.
fn command_line() -> clap::Command {
    let mut command = Cli::command();
    // Only a built command has the global flags in its subcommands.
    command.build();
    command.mut_subcommands(|subcommand| match subcommand.get_name() {
        "serve" => subcommand,
        _ => without_server_flags(subcommand),
    })
}

fn without_server_flags(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let is_configuration = arg.get_help_heading() == Some(config::HELP_HEADING);
            let stays = CONFIGURATION_OF_EVERY_COMMAND.contains(&arg.get_id().as_str());
            if is_configuration && !stays {
                arg.hide(true)
            } else {
                arg
            }
        })
        .mut_subcommands(without_server_flags)
        .after_help("More configuration: plumbline serve --help")
}

/// Runs the command this process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&command_line().get_matches()).unwrap_or_else(|error| error.exit());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return Exit::Failed(cause.into()).report(),
    };
    let code = match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    };
    // A thread that hangs must not keep the process.
    runtime.shutdown_timeout(THREAD_END_TIMEOUT);
    code
}

async fn run(cli: Cli) -> Result<(), Exit> {
    let command = match cli.command {
        // The way out of a broken configuration must not need one.
        Command::Init(arguments) => return init::run(&arguments, cli.flags.config.as_deref()),
        Command::Completions(arguments) => return completions::run(&arguments, command_line()),
        Command::Man(arguments) => return man::run(&arguments, command_line()),
        Command::Openapi => {
            output::write_line(&OPENAPI)?;
            return Ok(());
        }
        other => other,
    };
    let filter_given = cli.flags.log.is_some();
    let config = Config::load(cli.flags).map_err(|cause| Exit::Usage(cause.to_string()))?;
    // Between the lines of a command's own answer only trouble is worth a log line.
    let quiet = !filter_given && !matches!(command, Command::Serve);
    start_logging(if quiet { "warn" } else { &config.log }, config.log_format)?;
    match command {
        Command::Serve => Box::pin(serve::command(config)).await,
        Command::Migrate(arguments) => migrate::run(&config, &arguments).await,
        Command::MoveDatabase(arguments) => Box::pin(move_database::run(&config, &arguments)).await,
        Command::Doctor(arguments) => doctor::run(&config, &arguments).await,
        Command::Health => health::run(&config).await,
        Command::Keys(command) => keys::run(&config, command).await,
        Command::Secrets(command) => secrets::run(&config, command).await,
        Command::Members(command) => members::run(&config, command).await,
        Command::Accounts(command) => accounts::run(&config, command).await,
        Command::Audit(arguments) => audit::run(&config, &arguments).await,
        Command::Users(command) => Box::pin(users::run(&config, &command)).await,
        Command::Prices(command) => prices::run(&config, command).await,
        Command::Reprice(arguments) => reprice::run(&config, &arguments).await,
        Command::Stats(arguments) => stats::run(&config, &arguments).await,
        Command::Deploys(arguments) => deploys::run(&config, &arguments).await,
        Command::Incidents(arguments) => incidents::run(&config, &arguments).await,
        Command::Correlate(arguments) => incidents::correlate(&config, &arguments).await,
        Command::Explain(arguments) => incidents::explain(&config, &arguments).await,
        Command::Analyze(arguments) => Box::pin(analyze::run(&config, &arguments)).await,
        Command::Watch(arguments) => incidents::watch(&config, &arguments).await,
        Command::SyncDeploys(arguments) => Box::pin(sync_deploys::run(&config, &arguments)).await,
        Command::Runs(arguments) => runs::run(&config, &arguments).await,
        Command::Tail(arguments) => tail::run(&config, &arguments).await,
        Command::Report(arguments) => Box::pin(report::run(&config, &arguments)).await,
        Command::Forecast(arguments) => forecast::run(&config, &arguments).await,
        Command::Export(arguments) => export::run(&config, &arguments).await,
        Command::Import(arguments) => Box::pin(import::run(&config, &arguments)).await,
        Command::Mcp(arguments) => Box::pin(mcp::run(&config, &arguments)).await,
        Command::Jobs(arguments) => jobs::run(&config, &arguments).await,
        Command::Seed(arguments) => Box::pin(seed::run(&config, &arguments)).await,
        // Done above.
        Command::Init(_) | Command::Completions(_) | Command::Man(_) | Command::Openapi => Ok(()),
    }
}

fn start_logging(filter: &str, format: LogFormat) -> Result<(), Exit> {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_new(filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|cause| Exit::Failed(anyhow::anyhow!("cannot start logging: {cause}")))
}

/// Opens the database, does `work` with it and closes it again, however the work ended.
async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Db) -> Result<T, Exit>,
) -> Result<T, Exit> {
    let database = Database::open(config).await?;
    let db = opening_payloads(Db::connect_lazy(database.options(), 2), config);
    let outcome = work(&db).await;
    db.close().await;
    database.stop().await?;
    outcome
}

/// The database as one that opens sealed texts, where the server's key can be read; most commands need none.
fn opening_payloads(db: Db, config: &Config) -> Db {
    match KeyPlace::of(config) {
        KeyPlace::DataFolder(path) if !path.exists() => db,
        _ => match Secrets::of(config) {
            Ok(secrets) => db.opening_payloads(Arc::new(secrets)),
            Err(_said_where_it_is_needed) => db,
        },
    }
}

/// The project called `slug`; without a name the one that requests without a key act on, made when there is none.
async fn project(db: &Db, slug: Option<&str>) -> Result<Project, Exit> {
    let default = projects::ensure_default(db, clock::now()).await?;
    match slug {
        None => Ok(default),
        Some(slug) => projects::by_slug(db, slug).await.map_err(|cause| match cause {
            storage::Error::NotFound => Exit::NotFound(format!("there is no project `{slug}`")),
            other => other.into(),
        }),
    }
}

/// A date, or an RFC 3339 time.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "must be a date or an RFC 3339 time".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    /// Every command that can be run, with the words that lead to it.
    fn commands(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
        for subcommand in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let words = format!("{words} {}", subcommand.get_name());
            found.push((words.trim().to_owned(), subcommand.clone()));
            commands(subcommand, &words, found);
        }
    }

    #[test]
    fn help_lists_what_concerns_the_command() {
        let mut all = Vec::new();
        commands(&super::command_line(), "", &mut all);
        let help_of = |wanted: &str| {
            let found = all.iter().find(|(words, _)| words == wanted);
            found.unwrap().1.clone().render_long_help().to_string()
        };
        for (words, mut command) in all.clone() {
            let help = command.render_long_help().to_string();
            for server_flag in ["--addr", "--upstream-anthropic", "--queue-steps", "--public-url"] {
                assert_eq!(help.contains(server_flag), words == "serve", "{words}: {help}");
            }
            for flag_of_all in ["--config", "--data", "--log "] {
                assert!(help.contains(flag_of_all), "{words}: {help}");
            }
        }
        assert!(help_of("seed").contains("--days"));
        assert!(help_of("keys add").contains("--scope"));
    }

    #[test]
    fn flags_that_help_hides_are_still_accepted() {
        let words = ["plumbline", "seed", "--addr", "127.0.0.1:1", "--days", "2"];
        super::command_line().try_get_matches_from(words).unwrap();
    }
}
