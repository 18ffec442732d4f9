//! `plumbline tail`: the latest runs, and then each that is new or goes on, as it comes in.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::Value;
use tokio::signal;

use super::output::{self, Cell, Column, Look};
use super::source::{Change, Changes, Pairs, Source, read, with_source};
use super::{Exit, runs};
use crate::api::runs::{Run, RunWithSteps};
use crate::config::{Config, PrintFlags, SourceFlags};

/// Runs, or steps, of which is remembered what was said of them.
const REMEMBERED: usize = 100_000;
/// Runs that are read again where news were lost: as many as a page has.
const AFTER_GAP: u32 = runs::PAGE;

/// The columns of a run with their widths.
fn run_columns() -> Vec<(Column<'static>, usize)> {
    const WIDTHS: [usize; 10] = [16, 24, 18, 7, 8, 16, 5, 8, 8, 40];
    runs::COLUMNS.into_iter().zip(WIDTHS).collect()
}

/// The columns of a step with their widths.
fn step_columns() -> Vec<(Column<'static>, usize)> {
    const WIDTHS: [usize; 8] = [10, 24, 7, 8, 7, 8, 8, 40];
    let own = [
        (Column::text("BEGAN (UTC)"), 19),
        (Column::text("RUN").cut_to(10).goes(6), 24),
        (Column::text("STEP").cut_to(10), 22),
    ];
    let figures = runs::STEP_COLUMNS.into_iter().zip(WIDTHS);
    own.into_iter().chain(figures).collect()
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Begin with the latest so many runs
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=500))]
    n: u32,
    /// A line for each step instead of each run
    #[arg(long)]
    steps: bool,
    /// Print the latest and end
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    filter: runs::FilterFlags,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let filter = arguments.filter.pairs()?;
    with_source(config, &arguments.source, async |source| {
        let mut tail = Tail {
            source,
            arguments,
            filter: &filter,
            look: Look::of(&arguments.print),
            said: Said::default(),
            has_head: false,
        };
        if arguments.no_follow {
            return tail.latest(arguments.n).await;
        }
        // Listening begins first: what comes in meanwhile is heard of.
        let mut changes = source.changes().await?;
        tail.latest(arguments.n).await?;
        tokio::select! {
            ended = Box::pin(tail.follow(&mut changes)) => ended,
            _ = signal::ctrl_c() => Ok(()),
        }
    })
    .await
}

struct Tail<'a> {
    source: &'a Source,
    arguments: &'a Arguments,
    filter: &'a Pairs<'a>,
    look: Look,
    said: Said,
    has_head: bool,
}

impl Tail<'_> {
    /// The latest runs, the oldest of them first.
    async fn latest(&mut self, count: u32) -> Result<(), Exit> {
        if count == 0 {
            return Ok(());
        }
        let (items, _) = runs::page(self.source, self.filter, None, count).await?;
        for item in items.into_iter().rev() {
            let run: Run = read(item.clone())?;
            if self.arguments.steps {
                self.run_id(&run.run_id).await?;
            } else {
                self.print_run(&run, item)?;
            }
        }
        Ok(())
    }

    /// What changes, until something fails or nobody reads it any more.
    async fn follow(&mut self, changes: &mut Changes) -> Result<(), Exit> {
        loop {
            // What comes in while others are read is read once.
            let mut changed = BTreeSet::new();
            let mut is_gap = false;
            let mut next = Some(changes.next().await?);
            while let Some(change) = next {
                match change {
                    Change::Run(run_id) => _ = changed.insert(run_id),
                    Change::Gap => is_gap = true,
                }
                next = changes.ready();
            }
            if is_gap {
                self.latest(AFTER_GAP).await?;
            }
            for run_id in changed {
                self.run_id(&run_id).await?;
            }
        }
    }

    /// Reads a run and says what is new of it, where the filter takes it.
    async fn run_id(&mut self, run_id: &str) -> Result<(), Exit> {
        let steps = if self.arguments.steps { "20000" } else { "1" };
        let pairs: Pairs<'_> = vec![("steps", steps.to_owned())];
        let answer = match self.source.value(&runs::path(run_id), &pairs).await {
            // It was deleted meanwhile.
            Err(Exit::NotFound(_)) => return Ok(()),
            answer => answer?,
        };
        let item = answer.get("run").cloned().unwrap_or_default();
        let read: RunWithSteps = read(answer)?;
        if !self.takes(&read.run).await? {
            return Ok(());
        }
        if self.arguments.steps {
            self.print_steps(&read)
        } else {
            self.print_run(&read.run, item)
        }
    }

    /// Whether the filter takes a run. Only the list knows.
    async fn takes(&self, run: &Run) -> Result<bool, Exit> {
        if self.filter.is_empty() {
            return Ok(true);
        }
        let mut pairs = self.filter.clone();
        if !pairs
            .iter()
            .any(|(name, _)| matches!(*name, "range" | "from" | "to"))
        {
            pairs.push(("from", run.started_at.to_string()));
            pairs.push(("to", run.started_at.plus_micros(1).to_string()));
        }
        let (items, _) = runs::page(self.source, &pairs, None, runs::PAGE).await?;
        Ok(items
            .iter()
            .any(|item| item.get("run_id").and_then(Value::as_str) == Some(&run.run_id)))
    }

    fn print_run(&mut self, run: &Run, item: Value) -> Result<(), Exit> {
        let state = (run.step_count, run.status.as_str(), run.ended_at.micros());
        if !self.said.is_new(&run.run_id, &format!("{state:?}")) {
            return Ok(());
        }
        if self.arguments.print.json {
            output::write_line(&item.to_string())?;
            return Ok(());
        }
        self.print_row(&run_columns(), runs::row(run))
    }

    fn print_steps(&mut self, read: &RunWithSteps) -> Result<(), Exit> {
        for step in &read.steps {
            let name = format!("{} {}", read.run.run_id, step.step_id);
            if !self.said.is_new(&name, step.status.as_str()) {
                continue;
            }
            if self.arguments.print.json {
                let mut item = serde_json::to_value(step)?;
                item["run_id"] = Value::from(read.run.run_id.as_str());
                output::write_line(&item.to_string())?;
                continue;
            }
            let began = output::second(step.started_at);
            let mut row: Vec<Cell> = vec![
                began.into(),
                read.run.run_id.clone().into(),
                step.name.clone().into(),
            ];
            row.extend(runs::step_row(step));
            self.print_row(&step_columns(), row)?;
        }
        Ok(())
    }

    /// Lines come one at a time, so that their columns have a width of their own each.
    fn print_row(&mut self, columns: &[(Column<'_>, usize)], row: Vec<Cell>) -> Result<(), Exit> {
        let lines = output::fixed_lines(self.look, columns, &row);
        if !self.has_head {
            output::write_line(&lines[0])?;
            self.has_head = true;
        }
        output::write_line(&lines[1])?;
        Ok(())
    }
}

/// What was said of each, so that it is said once.
#[derive(Debug, Default)]
struct Said {
    of: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Said {
    /// Whether something is to be said; from now on it was.
    fn is_new(&mut self, name: &str, state: &str) -> bool {
        if let Some(said) = self.of.get_mut(name) {
            let is_new = said != state;
            state.clone_into(said);
            return is_new;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
        self.of.insert(name.to_owned(), state.to_owned());
        self.order.push_back(name.to_owned());
        true
    }
}
