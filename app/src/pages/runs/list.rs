//! Everything under the filter bar: tabs, strip, table, and what stands there when no run matches.

use domain::run::RunTotals;
use domain::{RunStatus, Severity, Window, text};
use leptos::prelude::*;

use super::filter_bar::{SUGGESTIONS_ID, name_and_operator, shown_value};
use super::histogram::Histogram;
use super::query::Show;
use super::table::RunsTable;
use super::{Page, RunsQuery};
use crate::api::runs::RunsView;
use crate::models::activity::Buckets;
use crate::pages::first_step::FirstStep;
use crate::pages::settings::prices::UnpricedBanner;
use crate::ui::icon::Icon;

#[component]
pub(super) fn List(page: Page, view: RunsView) -> impl IntoView {
    let Page { query, .. } = page;
    let is_empty = view.items.is_empty() && query.read_untracked().cursor.is_none();
    if is_empty && view.ever.is_some_and(|ever| ever.runs == 0) {
        return view! { <FirstStep live=page.live/> }.into_any();
    }
    let now = view.now;
    let buckets = Buckets::of(query.read_untracked().filter.window, now);
    let suggestions = suggestions(&view)
        .into_iter()
        .map(|value| view! { <option value=value></option> })
        .collect_view();
    let not_searched = view.are_texts_encrypted.then(|| {
        view! {
            <div class="notice" data-tone="info" role="note">
                <Icon name="lock"/>
                <div>"Texts of this project are or were encrypted. Runs are not found by what prompts and answers say: only by ids, names and errors."</div>
            </div>
        }
    });
    let body = if is_empty {
        nothing_matches(page, &view).into_any()
    } else {
        view! {
            <Histogram page buckets activity=view.activity.clone()/>
            <RunsTable page items=view.items next_cursor=view.next_cursor now/>
        }
        .into_any()
    };
    view! {
        <datalist id=SUGGESTIONS_ID>{suggestions}</datalist>
        <Tabs page totals=view.totals/>
        <UnpricedBanner models=view.unpriced/>
        {not_searched}
        {body}
    }
    .into_any()
}

/// What the field offers: terms that need no value, then the values that recent runs have.
fn suggestions(view: &RunsView) -> Vec<String> {
    let mut terms: Vec<String> = [
        "critical",
        "warning",
        "failed",
        "running",
        "cost > 0.05",
        "duration > 10s",
    ]
    .map(str::to_owned)
    .to_vec();
    let facets = &view.facets;
    for (name, values) in [
        ("model", &facets.models),
        ("key", &facets.keys),
        ("environment", &facets.environments),
        ("release", &facets.releases),
        ("step", &facets.steps),
    ] {
        terms.extend(values.iter().map(|value| format!("{name}:{value}")));
    }
    terms
}

/// All, critical, warning, failed, running, each with its number; the sums at the right.
#[component]
fn Tabs(page: Page, totals: RunTotals) -> impl IntoView {
    let query = page.query;
    let or_more = totals.counted_since.map(|_| "+");
    let tab = |show: Show, icon: Option<(&'static str, &'static str)>, label: &'static str, count: i64| {
        let current = move || (query.read().show() == Some(show)).then_some("true");
        view! {
            <a href=move || query.read().showing(show).to_href() aria-current=current data-noscroll>
                {icon.map(|(name, class)| view! { <Icon name=name class=class/> })}
                {label}
                " "
                <span class="num dim">{text::grouped(count.unsigned_abs())}{or_more}</span>
            </a>
        }
    };
    view! {
        <div class="quick quick-row">
            <span class="label">"Show"</span>
            <div class="seg" role="group" aria-label="Severity">
                {tab(Show::All, None, "All", totals.runs)}
                {tab(Show::Severity(Severity::Critical), Some(("critical", "st-critical")), "Critical", totals.critical)}
                {tab(Show::Severity(Severity::Warning), Some(("warning", "st-warn")), "Warning", totals.warning)}
                {tab(Show::Status(RunStatus::Error), Some(("x", "st-bad")), "Failed", totals.failed)}
                {tab(Show::Status(RunStatus::Running), Some(("running", "st-accent")), "Running", totals.running)}
            </div>
            <span class="push dim num">{move || sums(&totals, query.read().filter.window)}</span>
        </div>
    }
}

/// `986 runs, 1,402 steps, $22.99 in 24 hours`.
fn sums(totals: &RunTotals, window: Window) -> String {
    let runs = text::counted(totals.runs, "run");
    let mut parts = vec![
        match totals.counted_since {
            Some(_) => format!("at least {runs}"),
            None => runs,
        },
        text::counted(totals.steps, "step"),
    ];
    match (totals.cost_nano_usd, totals.unpriced_steps) {
        (Some(cost), 0) => parts.push(cost.to_short()),
        (Some(cost), _) => parts.push(format!("{cost} + unknown")),
        (None, 0) => {}
        (None, _) => parts.push("cost unknown".to_owned()),
    }
    let when = match window {
        Window::LastMinutes(_) => format!("in {}", window.label()),
        Window::All => "over all time".to_owned(),
        Window::Fixed { .. } => "in this window".to_owned(),
    };
    format!("{} {when}", parts.join(", "))
}

/// Which filter hides the runs, how many there are without it, and the way out.
fn nothing_matches(page: Page, view: &RunsView) -> impl IntoView + use<> {
    let query = page.query;
    let here = query.get_untracked();
    let in_window = view.in_window.map_or(0, |totals| totals.runs);
    let ever = view.ever.map_or(0, |totals| totals.runs);
    let (reason, action, href) = way_out(&here, in_window, ever);
    let each = here.filter.chips();
    let single = (each.len() > 1 && in_window > 0).then(|| {
        each.into_iter()
            .map(|(name, value)| {
                let (label, operator) = name_and_operator(name);
                let text = format!("Without {label} {operator} {}", shown_value(name, value));
                view! { <a class="btn" href=here.without(name).to_href() data-noscroll>{text}</a> }
            })
            .collect_view()
    });
    view! {
        <div class="state">
            <Icon name="filter"/>
            <b>"No run matches"</b>
            <p>{reason}</p>
            <a class="btn" data-variant="primary" href=href data-noscroll>{action}</a>
            {single.map(|single| view! { <div class="row">{single}</div> })}
        </div>
    }
}

/// Why nothing is shown, what to do, and where that leads.
fn way_out(here: &RunsQuery, in_window: i64, ever: i64) -> (String, &'static str, String) {
    let window = match here.filter.window {
        Window::LastMinutes(_) => format!("the last {}", here.filter.window.label()),
        Window::Fixed { .. } => "this window".to_owned(),
        Window::All => "all time".to_owned(),
    };
    if in_window > 0 {
        let chips: Vec<String> = here
            .filter
            .chips()
            .into_iter()
            .map(|(name, value)| {
                let (label, operator) = name_and_operator(name);
                format!("{label} {operator} {}", shown_value(name, value))
            })
            .collect();
        let runs = text::counted(in_window, "run");
        let hides = if chips.len() == 1 { "hides" } else { "hide" };
        let reason = format!("{} {hides} all {runs} of {window}", chips.join(", "));
        let action = if chips.len() == 1 {
            "Clear this filter"
        } else {
            "Clear these filters"
        };
        return (reason, action, here.without_chips().to_href());
    }
    let runs = text::counted(ever, "run");
    let reason = format!("No run started in {window}; {runs} over all time");
    (
        reason,
        "Show all time",
        here.without_chips().with_window(Window::All).to_href(),
    )
}

#[cfg(test)]
mod tests {
    use domain::NanoUsd;

    use super::*;

    #[test]
    fn sums_read_as_a_sentence() {
        let totals = RunTotals {
            runs: 986,
            steps: 1_402,
            cost_nano_usd: Some(NanoUsd(22_990_000_000)),
            ..RunTotals::default()
        };
        let check = |totals: RunTotals, window: Window, expected: &str| {
            assert_eq!(sums(&totals, window), expected);
        };
        check(
            totals,
            Window::LastMinutes(1_440),
            "986 runs, 1,402 steps, $22.99 in 24 hours",
        );
        let many = RunTotals {
            counted_since: Some(domain::Timestamp::from_micros(1)),
            ..totals
        };
        check(
            many,
            Window::LastMinutes(1_440),
            "at least 986 runs, 1,402 steps, $22.99 in 24 hours",
        );
        let partly = RunTotals {
            unpriced_steps: 3,
            ..totals
        };
        check(
            partly,
            Window::All,
            "986 runs, 1,402 steps, $22.99 + unknown over all time",
        );
        let unknown = RunTotals {
            runs: 1,
            steps: 1,
            cost_nano_usd: None,
            ..partly
        };
        check(
            unknown,
            Window::LastMinutes(60),
            "1 run, 1 step, cost unknown in 1 hour",
        );
    }

    #[test]
    fn the_filter_that_hides_is_named() {
        let check = |pairs: &[(&str, &str)], in_window: i64, expected: (&str, &str, &str)| {
            let here = RunsQuery::from_pairs(pairs.iter().copied());
            let (reason, action, href) = way_out(&here, in_window, 986);
            assert_eq!((reason.as_str(), action, href.as_str()), expected);
        };
        check(
            &[("model", "m")],
            41,
            (
                "model is m hides all 41 runs of the last 24 hours",
                "Clear this filter",
                "?",
            ),
        );
        check(
            &[("model", "m"), ("status", "error"), ("range", "all")],
            41,
            (
                "status is failed, model is m hide all 41 runs of all time",
                "Clear these filters",
                "?range=all",
            ),
        );
        check(
            &[("model", "m"), ("range", "1h")],
            0,
            (
                "No run started in the last 1 hour; 986 runs over all time",
                "Show all time",
                "?range=all",
            ),
        );
    }
}
