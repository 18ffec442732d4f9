//! `plumbline seed`: fills a project with demo data.

use super::{Exit, output, project, with_database};
use crate::config::Config;
use crate::demo::{Amount, CASCADE_RUN, DAYS, RUNS_A_DAY, Seeding};
use crate::{clock, price_file};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project that gets the made-up runs [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Days of traffic, ending now
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Runs a day; a few more from the day a model is switched
    #[arg(long, default_value_t = RUNS_A_DAY, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let (slug, written) = with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        output::note(&format!(
            "Writing demo data, all of it made up, into project {}",
            project.slug
        ));
        // A database that no server has run on has no prices yet.
        price_file::load_shipped(db, clock::now()).await?;
        let amount = Amount {
            days: arguments.days,
            runs_a_day: arguments.runs,
            until: clock::now(),
        };
        let progress = |done: u32, steps: usize| {
            output::note(&format!("  {done} of {} days, {steps} steps", arguments.days));
        };
        let written = Seeding::new(db, project.id, amount).write(progress).await?;
        Ok((project.slug, written))
    })
    .await?;
    output::note(&match written.duplicate {
        0 => format!("{} steps stored", written.stored),
        known => format!("{} steps stored, {known} were there already", written.stored),
    });
    if written.deploys > 0 {
        output::note(&format!("{} deploys recorded", written.deploys));
    }
    if written.marked > 0 {
        output::note(&format!("{} conditions marked real or noise", written.marked));
    }
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", config.addr));
    output::note(&format!(
        "Which deploy raised the bill: {origin}/p/{slug}\nThe run that failed: {origin}/p/{slug}/runs/{CASCADE_RUN}"
    ));
    Ok(())
}
