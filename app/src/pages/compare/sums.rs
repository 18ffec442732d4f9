//! The figures of both runs: as a whole, and by name of their steps.

use domain::{RunSummary, text};
use leptos::prelude::*;

use super::model::{NameSum, by_name, more_cost, more_time, percent};
use crate::api::comparison::ComparedStep;
use crate::timeline::draw::{kind_class, kind_icon};
use crate::ui::icon::Icon;

/// Names that are shown.
const SHOWN_NAMES: usize = 8;

/// `21.9 s > 38.6 s, +76 %`, for each figure of the runs.
pub(super) fn figures(a: &RunSummary, b: &RunSummary) -> impl IntoView + use<> {
    let unknown = || "unknown".to_owned();
    let cost = |run: &RunSummary| run.cost_nano_usd.map_or_else(unknown, |cost| cost.to_short());
    let tokens = |run: &RunSummary| run.tokens.total().map_or_else(unknown, text::short_count);
    let by_cost = match (a.cost_nano_usd, b.cost_nano_usd) {
        (Some(a), Some(b)) => percent(a.0 as f64, b.0 as f64),
        _ => None,
    };
    let by_tokens = match (a.tokens.total(), b.tokens.total()) {
        (Some(a), Some(b)) => percent(a as f64, b as f64),
        _ => None,
    };
    let more = |a: i64, b: i64| {
        let more = b.saturating_sub(a);
        let sign = if more < 0 { "−" } else { "+" };
        (more != 0).then(|| format!("{sign}{}", text::grouped(more.unsigned_abs())))
    };
    let score = |run: &RunSummary| {
        run.score_max
            .map_or_else(|| "–".to_owned(), |score| score.to_string())
    };
    let score_more = match (a.score_max, b.score_max) {
        (Some(a), Some(b)) => more(i64::from(a), i64::from(b)),
        _ => None,
    };
    let count = |n: i64| text::grouped(n.unsigned_abs());
    let figures = [
        (
            "Duration",
            text::duration(a.latency_ms),
            text::duration(b.latency_ms),
            percent(a.latency_ms, b.latency_ms),
        ),
        ("Cost", cost(a), cost(b), by_cost),
        ("Tokens", tokens(a), tokens(b), by_tokens),
        (
            "Steps",
            count(a.step_count),
            count(b.step_count),
            more(a.step_count, b.step_count),
        ),
        (
            "Failed",
            count(a.error_count),
            count(b.error_count),
            more(a.error_count, b.error_count),
        ),
        ("Worst score", score(a), score(b), score_more),
    ]
    .into_iter()
    .map(|(name, before, after, more)| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd>
                    <span class="dim2">{before}</span>
                    <span class="dim" aria-hidden="true">" › "</span>
                    <span class="vh">" then "</span>
                    <b>{after}</b>
                    {more.map(|more| view! { " " <small>{more}</small> })}
                </dd>
            </div>
        }
    })
    .collect_view();
    view! { <dl class="facts run-facts cmp-facts">{figures}</dl> }
}

/// Time, calls and cost by name.
pub(super) fn names(rows: &[ComparedStep]) -> impl IntoView + use<> {
    let sums = by_name(rows);
    let count = sums.len().min(SHOWN_NAMES);
    let rows = sums.into_iter().take(SHOWN_NAMES).map(name_row).collect_view();
    view! {
        <section class="cell" aria-label="By name">
            <div class="head">
                <h2>"By name"</h2>
                <span class="sub">{format!("{count} that moved most in time")}</span>
            </div>
            <div class="scroll-x" tabindex="0" role="group" aria-label="By name">
                <table class="table compact">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col" class="n">"Calls"</th>
                            <th scope="col" class="n hide-s">"Time A"</th>
                            <th scope="col" class="n hide-s">"Time B"</th>
                            <th scope="col" class="n">"Change"</th>
                            <th scope="col" class="n">"Cost"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

fn name_row(sum: NameSum) -> impl IntoView {
    let calls = if sum.calls.0 == sum.calls.1 {
        sum.calls.0.to_string()
    } else {
        format!("{} → {}", sum.calls.0, sum.calls.1)
    };
    let name = if sum.name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        sum.name
    };
    view! {
        <tr>
            <td class="main">
                <span class="status">
                    <Icon name=kind_icon(sum.kind) class=kind_class(sum.kind)/>
                    <span class="vh">{sum.kind.as_str()}" "</span>
                    {name}
                </span>
            </td>
            <td class="n">{calls}</td>
            <td class="n t hide-s">{text::duration(sum.time_ms.0)}</td>
            <td class="n t hide-s">{text::duration(sum.time_ms.1)}</td>
            <td class="n t">{more_time(sum.time_ms.0, sum.time_ms.1)}</td>
            <td class="n t">{more_cost(sum.cost.0, sum.cost.1).unwrap_or_else(|| "–".to_owned())}</td>
        </tr>
    }
}
