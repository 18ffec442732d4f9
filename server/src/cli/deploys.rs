//! `plumbline deploys`: what shipped, and what it moved.

use domain::{Deploy, Timestamp};
use engine::compare::{Effect, Measure, Reading};
use engine::rollout::RolloutEffect;
use serde_json::json;

use super::Exit;
use super::output::{self, Cell, Column, Look, Tone};
use super::source::{Pairs, Source, read, with_source};
use crate::api::deploys::{DeployAnswer, DeployList};
use crate::clock;
use crate::config::{Config, PrintFlags, SourceFlags};

const DAY_MICROS: i64 = 86_400_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of a deploy: all that is known of it, and what it moved by key
    id: Option<String>,
    /// Deploys that went live in so many days before now
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// The latest so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_source(config, &arguments.source, async |source| match &arguments.id {
        Some(id) => one(source, id, &arguments.print).await,
        None => list(source, arguments).await,
    })
    .await
}

/// The latest deploys since `from` that reached the end of their rollout, or did not.
pub(super) async fn latest(source: &Source, from: Timestamp, limit: u32) -> Result<Vec<Deploy>, Exit> {
    let pairs: Pairs<'_> = vec![("from", from.to_string()), ("limit", limit.to_string())];
    Ok(source.get::<DeployList>("/api/deploys", &pairs).await?.items)
}

/// Where one deploy is read.
pub(super) fn path(id: &str) -> String {
    format!("/api/deploys/{}", domain::filter::percent_encode(id))
}

async fn list(source: &Source, arguments: &Arguments) -> Result<(), Exit> {
    let from = clock::now().plus_micros(-DAY_MICROS * i64::from(arguments.days));
    let mut items = Vec::new();
    for deploy in latest(source, from, arguments.limit).await? {
        let moved: DeployAnswer = source.get(&path(&deploy.id), &Vec::new()).await?;
        items.push((deploy, moved.effect));
    }
    if arguments.print.json {
        let items: Vec<_> = items
            .iter()
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
    let rows: Vec<Vec<Cell>> = items.iter().map(|(deploy, moved)| row(deploy, moved)).collect();
    output::print_table(Look::of(&arguments.print), &COLUMNS, &rows)?;
    Ok(())
}

const COLUMNS: [Column<'_>; 8] = [
    Column::text("LIVE (UTC)"),
    Column::text("DEPLOY").cut_to(10),
    Column::text("SHA").goes(4),
    Column::text("CALLS").goes(5),
    Column::number("COST/CALL"),
    Column::number("P95").goes(2),
    Column::number("ERRORS").goes(1),
    Column::text("TITLE").cut_to(12).goes(3),
];

fn row(deploy: &Deploy, moved: &RolloutEffect) -> Vec<Cell> {
    let of = |measure: Measure| moved.effect(measure);
    let calls = of(Measure::CallsPerDay).map_or(String::new(), |effect| {
        format!("{} -> {}", effect.n_before, effect.n_after)
    });
    vec![
        output::minute(deploy.at()).into(),
        deploy.name().into(),
        Cell::new(deploy.short_sha(), Tone::Faint),
        calls.into(),
        change(of(Measure::CostPerCall)),
        change(of(Measure::LatencyP95)),
        change(of(Measure::ErrorRate)),
        deploy.title.clone().unwrap_or_default().into(),
    ]
}

/// `+155% *`: the change, with a star where it is hardly chance.
fn change(effect: Option<&Effect>) -> Cell {
    let Some((effect, change)) = effect.and_then(|effect| Some((effect, effect.change?))) else {
        return Cell::new("-", Tone::Faint);
    };
    let (sure, tone) = match effect.reading {
        Reading::Unclear => ("  ", Tone::Faint),
        Reading::Worse => (" *", Tone::Bad),
        Reading::Better => (" *", Tone::Good),
        Reading::Other => (" *", Tone::Plain),
    };
    let unit = if effect.measure.is_share() { " pt" } else { "%" };
    Cell::new(format!("{:+.0}{unit}{sure}", change.estimate * 100.0), tone)
}

/// Everything of one deploy.
async fn one(source: &Source, id: &str, print: &PrintFlags) -> Result<(), Exit> {
    let answer = source.value(&path(id), &Vec::new()).await?;
    if print.json {
        output::json(&answer);
        return Ok(());
    }
    let DeployAnswer { deploy, effect, .. } = read(answer)?;
    let look = Look::of(print);
    let title = deploy.title.clone().unwrap_or_else(|| deploy.name());
    output::write_line(&look.toned(&output::printable(&title), Tone::Strong))?;
    let facts = [
        Some(deploy.name()),
        Some(format!("sha {}", deploy.short_sha())),
        Some(deploy.status.as_str().replace('_', " ")),
        deploy.author.clone().map(|author| format!("by {author}")),
        deploy.environment.clone(),
        Some(format!("live {} UTC", output::minute(deploy.at()))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    output::write_line(&output::printable(&facts.join(", ")))?;
    let windows = effect.windows;
    output::write_line(&format!(
        "before {} to {}, after to {} (UTC)\n",
        output::minute(windows.before_from),
        output::minute(windows.before_to),
        output::minute(windows.after_to)
    ))?;
    let mut rows = Vec::new();
    let parts = std::iter::once(("all", &effect.effects))
        .chain(effect.keys.iter().map(|part| (part.key.as_str(), &part.effects)));
    for (name, effects) in parts {
        for effect in effects
            .iter()
            .filter(|effect| effect.n_before + effect.n_after > 0)
        {
            let value = |value: Option<engine::series::MetricValue>| {
                value.map_or_else(
                    || "-".to_owned(),
                    |value| engine::series::text(value.as_f64(), effect.unit),
                )
            };
            rows.push(vec![
                Cell::from(name),
                effect.measure.label().into(),
                value(effect.before).into(),
                value(effect.after).into(),
                change(Some(effect)),
                format!("{} -> {}", effect.n_before, effect.n_after).into(),
            ]);
        }
    }
    let columns = [
        Column::text("KEY").cut_to(8),
        Column::text("MEASURE").cut_to(10),
        Column::number("BEFORE"),
        Column::number("AFTER"),
        Column::number("CHANGE"),
        Column::text("CALLS").goes(1),
    ];
    output::print_table(look, &columns, &rows)?;
    output::note("* hardly chance");
    Ok(())
}
