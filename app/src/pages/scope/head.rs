//! The page in one sentence, and the figures of the window.

use domain::series::{Metric, SeriesBy};
use leptos::prelude::*;

use super::name_of;
use crate::api::overview::Cell;
use crate::api::scope::{ScopeView, ScopeWorse};
use crate::models::rollout_words::{basis, deploy_name, moved, ratio};
use crate::pages::time_window::Page;
use crate::ui::links::deploy_href;
use crate::ui::time::{Time, use_time_text};

/// Verdict and figures.
#[component]
pub(super) fn Head(page: Page, view: ScopeView) -> impl IntoView {
    let window = page.query.read_untracked().range.label();
    let tone = view.worse.is_some().then_some("critical");
    let verdict = match view.worse.clone() {
        Some(worse) => named(page, &view, worse).into_any(),
        None => {
            let (head, reason) = say(&view, &window);
            view! { <div class="verdict"><h2>{head}</h2><p>{reason}</p></div> }.into_any()
        }
    };
    let facts = view
        .cells
        .iter()
        .map(|cell| fact(cell, view.unpriced))
        .collect_view();
    let seen = view
        .first_seen
        .map(|at| view! { <div><dt>"First seen"</dt><dd><Time at/></dd></div> });
    view! {
        <section class="run-head" data-tone=tone aria-label="In short">
            {verdict}
            <dl class="facts run-facts">
                {facts}
                {seen}
            </dl>
        </section>
    }
}

fn named(page: Page, view: &ScopeView, worse: ScopeWorse) -> impl IntoView + use<> {
    let time = use_time_text();
    let ScopeWorse {
        deploy,
        effect,
        switched,
    } = worse;
    let href = deploy_href(&page.slug.read_untracked(), &deploy.id);
    let of = name_of(Some(&view.name), view.by);
    let head = format!("After {} {}", deploy.name(), moved(&of, &effect));
    let live_at = deploy.at();
    let switched = switched.map(|switched| format!(" Since then {switched}."));
    view! {
        <div class="verdict" data-tone="critical">
            <h2><a href=href.clone()>{head}</a></h2>
            <p>
                <a class="link" href=href>{deploy_name(&deploy)}</a>
                ", live since "
                {move || time(live_at)}
                ": "
                {basis(&effect)}
                "."
                {switched}
            </p>
        </div>
    }
}

/// Without a deploy to name: how its cost, or where nothing costs its calls, moved.
fn say(view: &ScopeView, window: &str) -> (String, String) {
    let of = name_of(Some(&view.name), view.by);
    let cell = |metric: Metric| view.cells.iter().find(|cell| cell.metric == metric);
    let known = |metric: Metric| {
        let cell = cell(metric)?;
        Some((metric, cell.now.filter(|now| *now > 0.0)?, cell.before))
    };
    let head = match known(Metric::Cost).or_else(|| known(Metric::Calls)) {
        Some((metric, now, before)) => {
            let text = |value: f64| engine::series::text(value, metric.unit());
            let subject = if metric == Metric::Cost {
                "cost"
            } else {
                "was called"
            };
            let times = if metric == Metric::Cost { "" } else { " times" };
            match before.filter(|before| *before > 0.0) {
                Some(before) if (now / before - 1.0).abs() < 0.05 => {
                    format!(
                        "{of} {subject} {}{times} in {window}, about as in the {window} before",
                        text(now)
                    )
                }
                Some(before) => format!(
                    "{of} {subject} {}{times} in {window}, {} against the {window} before",
                    text(now),
                    ratio(now / before - 1.0)
                ),
                None => format!(
                    "{of} {subject} {}{times} in {window}, and there is nothing to compare it with",
                    text(now)
                ),
            }
        }
        None => format!("{of} has no known cost in {window}"),
    };
    let reason = match (view.deploys.len(), view.compared) {
        (0, _) => "No deploy is recorded in this window.".to_owned(),
        (_, 0) => "None of the deploys in this window went live.".to_owned(),
        (1, _) => "Nothing of it got clearly worse after the one deploy in this window.".to_owned(),
        (all, compared) if compared < all => {
            format!(
                "Nothing of it got clearly worse after the latest {compared} of {all} deploys in this window."
            )
        }
        (all, _) => format!("Nothing of it got clearly worse after any of the {all} deploys in this window."),
    };
    let what = match view.by {
        SeriesBy::Step => " All steps of this name are counted.",
        _ => "",
    };
    (head, format!("{reason}{what}"))
}

/// A figure with what it was before.
fn fact(cell: &Cell, unpriced: i64) -> impl IntoView + use<> {
    let text = |value: f64| engine::series::text(value, cell.metric.unit());
    let value = cell.now.map_or_else(|| "–".to_owned(), text);
    let is_money = matches!(cell.metric, Metric::Cost | Metric::CostPerCall);
    let missing = (unpriced > 0 && is_money).then(|| {
        let title = format!(
            "Nobody has a price for {}",
            domain::text::counted(unpriced, "step")
        );
        view! { <span title=title>" + "<span class="unknown">"unknown"</span></span> }
    });
    let was = cell
        .now
        .and(cell.before)
        .map(|before| view! { " "<small>{format!("was {}", text(before))}</small> });
    view! { <div><dt>{cell.metric.label()}</dt><dd>{value}{missing}{was}</dd></div> }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use domain::series::Bucket;

    use super::*;
    use crate::models::overview_query::OverviewSpan;

    fn view(cells: Vec<(Metric, Option<f64>, Option<f64>)>) -> ScopeView {
        let at = Timestamp::from_micros(0);
        ScopeView {
            now: at,
            span: OverviewSpan {
                before_from: at,
                from: at,
                to: at,
                bucket: Bucket::Day,
            },
            by: SeriesBy::Step,
            name: "parse".to_owned(),
            cells: cells
                .into_iter()
                .map(|(metric, now, before)| Cell {
                    metric,
                    now,
                    before,
                    buckets: Vec::new(),
                })
                .collect(),
            drawn: Vec::new(),
            layers: Vec::new(),
            parts: Vec::new(),
            deploys: Vec::new(),
            compared: 0,
            latest: None,
            worse: None,
            first_seen: None,
            steps: None,
            unpriced: 0,
            facets: domain::run::Facets::default(),
        }
    }

    #[test]
    fn the_sentence_is_about_cost_or_where_nothing_costs_about_calls() {
        let check = |cells: Vec<(Metric, Option<f64>, Option<f64>)>, expected: &str| {
            assert_eq!(say(&view(cells), "30 days").0, expected);
        };
        check(
            vec![(Metric::Cost, Some(2.91e9), Some(1.455e9))],
            "parse cost $2.91 in 30 days, ×2.0 against the 30 days before",
        );
        check(
            vec![(Metric::Cost, Some(2.91e9), Some(2.9e9))],
            "parse cost $2.91 in 30 days, about as in the 30 days before",
        );
        check(
            vec![(Metric::Cost, None, None), (Metric::Calls, Some(1_753.0), None)],
            "parse was called 1,753 times in 30 days, and there is nothing to compare it with",
        );
        check(vec![], "parse has no known cost in 30 days");
    }
}
