//! `plumbline runs`: runs, newest first, or one with its steps.

use domain::series::MetricUnit;
use domain::{RunFilter, RunStatus, Severity, StepStatus};
use engine::series::text;
use serde_json::{Value, json};

use super::Exit;
use super::output::{self, Cell, Column, Look, Tone};
use super::source::{Pairs, Source, read, with_source};
use crate::api::runs::{Run, RunWithSteps, Step};
use crate::config::{Config, PrintFlags, SourceFlags};

/// The most runs of one answer.
pub(super) const PAGE: u32 = storage::runs::MAX_PAGE;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of a run: the run with its steps
    run_id: Option<String>,
    #[command(flatten)]
    filter: FilterFlags,
    /// How many runs, the newest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// The runs after those of an earlier answer, as `next_cursor` of --json says
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

/// What narrows a list of runs: the parameters of the API and of the page's URL.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which runs")]
pub(super) struct FilterFlags {
    /// ok, error or running
    #[arg(long)]
    status: Option<String>,
    /// The worst severity of its steps: ok, warning or critical
    #[arg(long)]
    severity: Option<String>,
    /// A step was answered by this model
    #[arg(long)]
    model: Option<String>,
    /// Label of the key that sent it
    #[arg(long)]
    label: Option<String>,
    /// A step has this name
    #[arg(long)]
    step: Option<String>,
    #[arg(long)]
    environment: Option<String>,
    /// The release, or the beginning of its sha
    #[arg(long)]
    release: Option<String>,
    /// Session id
    #[arg(long)]
    session: Option<String>,
    /// User id
    #[arg(long)]
    user: Option<String>,
    /// One of the run's tags
    #[arg(long)]
    tag: Option<String>,
    /// An attribute of a step
    #[arg(long, value_name = "KEY=VALUE")]
    attribute: Option<String>,
    /// Text in id, name or problem
    #[arg(long, short, value_name = "TEXT")]
    q: Option<String>,
    /// Dollars, such as 0.05
    #[arg(long, value_name = "USD")]
    cost_min: Option<String>,
    /// Dollars, such as 0.05
    #[arg(long, value_name = "USD")]
    cost_max: Option<String>,
    /// Milliseconds
    #[arg(long, value_name = "MS")]
    latency_min: Option<String>,
    /// Milliseconds
    #[arg(long, value_name = "MS")]
    latency_max: Option<String>,
    #[arg(long, value_name = "N")]
    tokens_min: Option<String>,
    #[arg(long, value_name = "N")]
    tokens_max: Option<String>,
    /// 1h, 6h, 24h, 7d, 30d, 90d or all
    #[arg(long)]
    range: Option<String>,
    /// Begun then or later, such as 2026-11-21 or 2026-11-21T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = super::parse_time)]
    from: Option<domain::Timestamp>,
    /// Begun before
    #[arg(long, value_name = "TIME", value_parser = super::parse_time)]
    to: Option<domain::Timestamp>,
}

impl FilterFlags {
    /// As the API takes them. What it would refuse is refused here, and called by its flag.
    pub(super) fn pairs(&self) -> Result<Pairs<'static>, Exit> {
        let given = [
            ("status", &self.status),
            ("severity", &self.severity),
            ("model", &self.model),
            ("key", &self.label),
            ("step", &self.step),
            ("environment", &self.environment),
            ("release", &self.release),
            ("session", &self.session),
            ("user", &self.user),
            ("tag", &self.tag),
            ("attribute", &self.attribute),
            ("q", &self.q),
            ("cost_min", &self.cost_min),
            ("cost_max", &self.cost_max),
            ("latency_min", &self.latency_min),
            ("latency_max", &self.latency_max),
            ("tokens_min", &self.tokens_min),
            ("tokens_max", &self.tokens_max),
            ("range", &self.range),
        ];
        let mut pairs: Pairs<'static> = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect();
        pairs.extend(self.from.map(|at| ("from", at.to_string())));
        pairs.extend(self.to.map(|at| ("to", at.to_string())));
        RunFilter::from_query(pairs.iter().map(|(name, value)| (*name, value.as_str()))).map_err(
            |wrong| {
                let flag = match wrong.field.as_str() {
                    "key" => "label".to_owned(),
                    field => field.replace('_', "-"),
                };
                Exit::Usage(format!("--{flag} {}", wrong.message))
            },
        )?;
        Ok(pairs)
    }
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let filter = arguments.filter.pairs()?;
    with_source(config, &arguments.source, async |source| {
        match &arguments.run_id {
            Some(run_id) => one(source, run_id, &arguments.print).await,
            None => list(source, &filter, arguments).await,
        }
    })
    .await
}

/// Where one run is read.
pub(super) fn path(run_id: &str) -> String {
    format!("/api/runs/{}", domain::filter::percent_encode(run_id))
}

/// A page of runs as it is answered, and the cursor of the next.
pub(super) async fn page(
    source: &Source,
    filter: &Pairs<'_>,
    cursor: Option<String>,
    limit: u32,
) -> Result<(Vec<Value>, Option<String>), Exit> {
    let mut pairs = filter.clone();
    pairs.push(("limit", limit.to_string()));
    pairs.extend(cursor.map(|cursor| ("cursor", cursor)));
    let mut answer = source.value("/api/runs", &pairs).await?;
    let items = match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let next = answer.get("next_cursor").and_then(Value::as_str);
    Ok((items, next.map(str::to_owned)))
}

async fn list(source: &Source, filter: &Pairs<'_>, arguments: &Arguments) -> Result<(), Exit> {
    let mut found = Vec::new();
    let mut cursor = arguments.cursor.clone();
    loop {
        let left = arguments.limit - u32::try_from(found.len()).unwrap_or(arguments.limit);
        let (items, next) = page(source, filter, cursor, left.min(PAGE)).await?;
        found.extend(items);
        cursor = next;
        if cursor.is_none() || found.len() >= arguments.limit as usize {
            break;
        }
    }
    if arguments.print.json {
        output::json(&json!({ "items": found, "next_cursor": cursor }));
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = found
        .into_iter()
        .map(|item| read::<Run>(item).map(|run| row(&run)))
        .collect::<Result<_, _>>()?;
    if rows.is_empty() {
        output::note("no runs");
        return Ok(());
    }
    output::print_table(Look::of(&arguments.print), &COLUMNS, &rows)?;
    if cursor.is_some() {
        output::note(&format!(
            "the newest {}; --limit shows more",
            domain::text::counted(i64::from(arguments.limit), "run")
        ));
    }
    Ok(())
}

/// The columns of a run.
pub(super) const COLUMNS: [Column<'_>; 10] = [
    Column::text("BEGAN (UTC)"),
    Column::text("RUN").cut_to(10),
    Column::text("NAME").cut_to(8).goes(3),
    Column::text("STATUS"),
    Column::text("SEVERITY").goes(1),
    Column::text("KEY").cut_to(8).goes(4),
    Column::number("STEPS").goes(5),
    Column::number("COST"),
    Column::number("TOOK").goes(2),
    Column::text("PROBLEM").cut_to(12).goes(6),
];

/// A run in words.
pub(super) fn row(run: &Run) -> Vec<Cell> {
    let problem = run.problem.as_ref();
    let problem = problem.map(|problem| domain::text::first_line(&problem.text, 80));
    vec![
        output::minute(run.started_at).into(),
        run.run_id.clone().into(),
        run.name.clone().into(),
        status(run.status),
        severity(run.severity),
        Cell::new(run.key.clone(), Tone::Faint),
        run.step_count.to_string().into(),
        run.cost_nano_usd
            .map_or_else(|| "-".to_owned(), |cost| cost.to_short())
            .into(),
        text(run.latency_ms, MetricUnit::Ms).into(),
        problem.unwrap_or_default().into(),
    ]
}

fn status(status: RunStatus) -> Cell {
    let tone = match status {
        RunStatus::Ok => Tone::Good,
        RunStatus::Error => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::new(status.as_str(), tone)
}

fn severity(severity: Severity) -> Cell {
    let tone = match severity {
        Severity::Ok => Tone::Faint,
        Severity::Warning => Tone::Warning,
        Severity::Critical => Tone::Bad,
    };
    Cell::new(severity.as_str(), tone)
}

/// One run: its figures, then its steps, those within another one indented.
async fn one(source: &Source, run_id: &str, print: &PrintFlags) -> Result<(), Exit> {
    let answer = source.value(&path(run_id), &Vec::new()).await?;
    if print.json {
        output::json(&answer);
        return Ok(());
    }
    let RunWithSteps { run, steps } = read(answer)?;
    let look = Look::of(print);
    output::print_table(look, &COLUMNS, &[row(&run)])?;
    if let Some(problem) = &run.problem {
        let text = format!("\n{}: {}", problem.step_name, problem.text);
        for line in text.lines() {
            output::write_line(&look.toned(&output::printable(line), Tone::Bad))?;
        }
    }
    output::write_line("")?;
    let depths = depths(&steps);
    let rows: Vec<Vec<Cell>> = steps
        .iter()
        .zip(depths)
        .map(|(step, depth)| {
            let mut row = step_row(step);
            row.insert(0, format!("{}{}", "  ".repeat(depth), step.name).into());
            row
        })
        .collect();
    let columns: Vec<Column<'_>> = std::iter::once(Column::text("STEP").cut_to(12))
        .chain(STEP_COLUMNS)
        .collect();
    output::print_table(look, &columns, &rows)?;
    if run.step_count > i64::try_from(steps.len()).unwrap_or(i64::MAX) {
        output::note(&format!("the first {} of {} steps", steps.len(), run.step_count));
    }
    Ok(())
}

/// The columns of a step, without its name.
pub(super) const STEP_COLUMNS: [Column<'_>; 8] = [
    Column::text("KIND").goes(3),
    Column::text("MODEL").cut_to(10).goes(2),
    Column::text("STATUS"),
    Column::text("SEVERITY").goes(1),
    Column::number("TOKENS").goes(4),
    Column::number("COST"),
    Column::number("TOOK"),
    Column::text("ERROR").cut_to(10).goes(5),
];

/// A step in words, without its name.
pub(super) fn step_row(step: &Step) -> Vec<Cell> {
    let tone = match step.status {
        StepStatus::Ok => Tone::Good,
        StepStatus::Error => Tone::Bad,
        _ => Tone::Plain,
    };
    let dash = || "-".to_owned();
    let tokens = step.tokens.total().map_or_else(dash, domain::text::short_count);
    let error = step
        .error
        .as_deref()
        .map(|error| domain::text::first_line(error, 80));
    vec![
        Cell::new(step.kind.as_str(), Tone::Faint),
        step.model.clone().unwrap_or_default().into(),
        Cell::new(step.status.as_str(), tone),
        severity(step.severity),
        tokens.into(),
        step.cost_nano_usd
            .map_or_else(dash, |cost| cost.to_short())
            .into(),
        step.latency_ms
            .map_or_else(dash, |latency_ms| text(latency_ms, MetricUnit::Ms))
            .into(),
        error.unwrap_or_default().into(),
    ]
}

/// How deep each step lies in others. A circle of parents, which a program may send, ends.
fn depths(steps: &[Step]) -> Vec<usize> {
    const DEEPEST: usize = 12;
    let parents: std::collections::HashMap<&str, Option<&str>> = steps
        .iter()
        .map(|step| (step.step_id.as_str(), step.parent_step_id.as_deref()))
        .collect();
    steps
        .iter()
        .map(|step| {
            let mut at = step.parent_step_id.as_deref();
            let mut depth = 0;
            while let Some(parent) = at.and_then(|id| parents.get(id)) {
                depth += 1;
                if depth == DEEPEST {
                    break;
                }
                at = *parent;
            }
            depth
        })
        .collect()
}
