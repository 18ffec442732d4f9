//! `plumbline deploys`: what shipped, and what it moved.

use engine::compare::{Effect, Measure};
use engine::rollout::{self, REACH_MICROS};
use engine::series::{percent, text};
use serde_json::json;
use storage::deploys::{self, DeployFilter, MAX_PAGE};

use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::Config;

const DAY_MICROS: i64 = 86_400_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Deploys that went live in so many days before now
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// The latest so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let mut snapshot = db.snapshot(project).await?;
        let now = clock::now();
        let from = now.plus_micros(-DAY_MICROS * i64::from(arguments.days));
        // Those that cut the windows of the first ones too.
        let filter = DeployFilter {
            from: Some(from.plus_micros(-REACH_MICROS)),
            ..DeployFilter::default()
        };
        let known = deploys::list(&mut snapshot, project, &filter, None, MAX_PAGE)
            .await?
            .items;
        let shown: Vec<_> = known
            .iter()
            .filter(|deploy| deploy.at() >= from)
            .take(arguments.limit as usize)
            .collect();
        let windows: Vec<_> = shown
            .iter()
            .map(|deploy| rollout::windows(deploy, &known, now))
            .collect();
        let sides: Vec<_> = windows.iter().flat_map(rollout::Windows::sides).collect();
        let rows = storage::series::windows(&mut snapshot, project, &sides).await?;
        let moved: Vec<_> = windows
            .into_iter()
            .enumerate()
            .map(|(index, windows)| {
                let of_deploy = rows.iter().filter(|row| row.window / 2 == index);
                rollout::rollout_effect(windows, of_deploy)
            })
            .collect();
        if arguments.json {
            let items: Vec<_> = shown
                .iter()
                .zip(&moved)
                .map(|(deploy, moved)| {
                    let mut item = json!(deploy);
                    item["effects"] = json!(moved.effects);
                    item["windows"] = json!(moved.windows);
                    item
                })
                .collect();
            output::json(&json!({ "items": items, "next_cursor": null }));
            return Ok(());
        }
        let table: Vec<[String; 8]> = shown
            .iter()
            .zip(&moved)
            .map(|(deploy, moved)| {
                let of = |measure: Measure| moved.effect(measure);
                let calls = of(Measure::CallsPerDay).map_or(String::new(), |effect| {
                    format!("{} -> {}", effect.n_before, effect.n_after)
                });
                [
                    deploy
                        .at()
                        .to_string()
                        .chars()
                        .take(16)
                        .collect::<String>()
                        .replace('T', " "),
                    deploy.name(),
                    deploy.short_sha().to_owned(),
                    calls,
                    change(of(Measure::CostPerCall)),
                    change(of(Measure::LatencyP95)),
                    change(of(Measure::ErrorRate)),
                    deploy.title.clone().unwrap_or_default(),
                ]
            })
            .collect();
        output::table(
            [
                "LIVE (UTC)",
                "DEPLOY",
                "SHA",
                "CALLS",
                "COST/CALL",
                "P95",
                "ERRORS",
                "TITLE",
            ],
            &table,
        );
        Ok(())
    })
    .await
}

/// `+155% *`: the change, with a star where it is hardly chance.
fn change(effect: Option<&Effect>) -> String {
    let Some((effect, change)) = effect.and_then(|effect| Some((effect, effect.change?))) else {
        return "-".to_owned();
    };
    let sure = if effect.reading == engine::compare::Reading::Unclear {
        ""
    } else {
        " *"
    };
    let unit = if effect.measure.is_share() { " pt" } else { "%" };
    format!("{:+.0}{unit}{sure}", change.estimate * 100.0)
}

/// A value of a metric in words; a dash when unknown.
pub(super) fn value(value: Option<engine::series::MetricValue>, unit: domain::series::MetricUnit) -> String {
    match (value, unit) {
        (None, _) => "-".to_owned(),
        (Some(value), domain::series::MetricUnit::Share) => percent(value.as_f64()),
        (Some(value), unit) => text(value.as_f64(), unit),
    }
}
