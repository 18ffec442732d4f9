//! The latest critical runs of the window.

use domain::{RunSummary, text};
use leptos::prelude::*;

use super::Page;
use crate::api::overview::OverviewView;
use crate::models::overview_query::Range;
use crate::pages::cells::{cost_view, layer_of, score_bar, severity_glyph};
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href};
use crate::ui::time::Time;

/// The longest "what went wrong" of a row, in characters.
const WHY_CHARS: usize = 80;

/// A few of them, and the way to all.
#[component]
pub(super) fn CriticalRuns(page: Page, view: OverviewView) -> impl IntoView {
    let slug = page.slug;
    let query = page.query;
    let all = move || {
        let query = query.read();
        let mut pairs = vec![("severity", "critical".to_owned())];
        match query.range {
            Range::Last(minutes) => pairs.extend(
                domain::Window::CHOICES
                    .iter()
                    .find(|choice| choice.2 == minutes)
                    .map(|choice| ("range", choice.0.to_owned())),
            ),
            Range::Between(from, to) => {
                pairs.push(("from", from.to_string()));
                pairs.push(("to", to.to_string()));
            }
        }
        pairs.extend(query.chips().into_iter().map(|(by, value)| (by.as_str(), value)));
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        format!(
            "{}?{}",
            page_href(&slug.read(), "runs"),
            domain::filter::encode_query(pairs)
        )
    };
    let is_empty = view.critical.is_empty();
    let rows = view
        .critical
        .into_iter()
        .map(|run| row(&slug.read_untracked(), run))
        .collect_view();
    let body = if is_empty {
        view! { <p class="dim">"No critical run in this window."</p> }.into_any()
    } else {
        view! {
            <table class="table rows crit">
                <thead>
                    <tr>
                        <th class="w-time" scope="col">"Time"</th>
                        <th class="cr-run" scope="col">"Run"</th>
                        <th class="hide-s" scope="col">"What went wrong"</th>
                        <th class="n cr-cost" scope="col">"Cost"</th>
                        <th class="w-score" scope="col">"Score"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    view! {
        <section class="cell" aria-labelledby="critical-title">
            <div class="head">
                <h2 id="critical-title">"Recent critical runs"</h2>
                <a class="head-actions link" href=all>"All critical runs"</a>
            </div>
            {body}
        </section>
    }
}

fn row(slug: &str, run: RunSummary) -> impl IntoView + use<> {
    let (icon, class, word) = severity_glyph(run.status, run.severity);
    let why = run
        .problem
        .as_ref()
        .map_or(String::new(), |problem| match &problem.step_name {
            step if step.is_empty() => text::first_line(&problem.text, WHY_CHARS),
            step => format!("{step}: {}", text::first_line(&problem.text, WHY_CHARS)),
        });
    let title = why.clone();
    let name = if run.name.trim().is_empty() {
        run.run_id.clone()
    } else {
        run.name.clone()
    };
    let score = run.score_max.unwrap_or(0);
    let segments = [(layer_of(&run), score)];
    view! {
        <tr>
            <td class="num"><Time at=run.started_at/></td>
            <td class="main clip">
                <a class="status" href=run_href(slug, &run.run_id)>
                    <Icon name=icon class=class/>
                    <span class="vh">{word}", "</span>
                    {name}
                </a>
            </td>
            <td class="clip hide-s" title=title>{why}</td>
            <td class="n">{cost_view(run.cost_nano_usd, run.unpriced_steps)}</td>
            <td><span class="score">{score_bar(&segments, None, 44)}{score}</span></td>
        </tr>
    }
}
