//! The table of runs: newest first, older ones on demand, new ones above a divider.

use domain::{RunStatus, RunSummary, Timestamp, text};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::Page;
use super::columns::Column;
use super::query::RunsQuery;
use super::tail::{Rows, follow_tail};
use crate::api::runs::{RUNS_PER_PAGE, list_runs};
use crate::keyboard::use_keys;
use crate::pages::cells::{cost_title, layer_of, score_bar, severity_glyph};
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href, session_href, user_href};
use crate::ui::time::{Time, use_time_text};

/// A run this long fills its bar, in milliseconds. The bar's length is logarithmic: most runs take seconds, some
/// minutes.
const FULL_BAR_MS: f64 = 60_000.0;

/// The form that two ticked rows belong to.
const COMPARE_FORM: &str = "compare";

/// Rows, divider, foot.
#[component]
pub(super) fn RunsTable(
    page: Page,
    items: Vec<RunSummary>,
    next_cursor: Option<String>,
    now: Timestamp,
) -> impl IntoView {
    let Page { query, .. } = page;
    let rows = Rows::new(items, next_cursor);
    follow_tail(page, rows);
    let focused = RwSignal::new(None::<String>);
    use_list_keys(page, rows, focused);
    let columns = Memo::new(move |_| query.read().columns.clone());
    let headings = move || {
        columns.with(|columns| {
            columns
                .iter()
                .map(|(_, heading, class)| view! { <th class=class>{heading}</th> })
                .collect_view()
        })
    };
    let opened = use_time_text();
    let since = move |count: usize| {
        let runs = text::counted(count as i64, "run");
        format!("{runs} since you opened this page, {}", opened(now))
    };
    let newer = move || rows.newer.read().len();
    view! {
        <section class="runs-list" aria-label="Runs">
            <form id=COMPARE_FORM class="compare-form" method="get" action=move || page_href(&page.slug.read(), "compare")>
                <span class="dim">"Tick two runs to compare them"</span>
                <button class="btn sm" type="submit">"Compare"</button>
            </form>
            <div class="scroll-x" tabindex="0" role="group" aria-label="Runs">
                <table class="table rows bleed runs">
                    <thead>
                        <tr>
                            <th class="c-sev"><span class="vh">"Severity"</span></th>
                            <th class="c-time" aria-sort="descending">"Time "<Icon name="down" class="sm"/></th>
                            <th class="c-run">"Run"</th>
                            {headings}
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || rows.newer.get() key=row_key children=move |run| view! { <Row page run focused/> }/>
                        {move || (newer() > 0).then(|| view! {
                            <tr class="since">
                                <td colspan=move || columns.read().count().to_string()>
                                    <span role="status">{move || since(newer())}</span>
                                </td>
                            </tr>
                        })}
                        <For each=move || rows.shown.get() key=row_key children=move |run| view! { <Row page run focused/> }/>
                    </tbody>
                </table>
            </div>
            <Foot page rows/>
        </section>
    }
}

/// Identifies a row together with everything that can change while the run is running.
fn row_key(run: &RunSummary) -> String {
    format!(
        "{} {} {:?} {} {} {:?} {:?} {:?}",
        run.run_id,
        run.partition_at,
        run.status,
        run.step_count,
        run.latency_ms,
        run.cost_nano_usd,
        run.score_max,
        run.severity
    )
}

#[component]
fn Row(page: Page, run: RunSummary, focused: RwSignal<Option<String>>) -> impl IntoView {
    let Page { slug, query, .. } = page;
    let columns = Memo::new(move |_| query.read().columns.clone());
    let (icon, class, word) = severity_glyph(run.status, run.severity);
    let href = {
        let id = run.run_id.clone();
        move || run_href(&slug.read(), &id)
    };
    let is_focused = {
        let id = run.run_id.clone();
        Memo::new(move |_| focused.read().as_deref() == Some(&id))
    };
    let name = if run.name.trim().is_empty() {
        "unnamed run".to_owned()
    } else {
        run.name.clone()
    };
    let short = text::short_id(&run.run_id).to_owned();
    let (id, at) = (run.run_id.clone(), run.started_at);
    let live = (run.status == RunStatus::Running).then_some("true");
    view! {
        <tr
            class:is-focus=is_focused
            aria-selected=move || is_focused.get().then_some("true")
            data-live=live
            data-run=id.clone()
        >
            <td class="c-sev" title=word>
                <input
                    class="check"
                    type="checkbox"
                    name="run"
                    form=COMPARE_FORM
                    value=id.clone()
                    aria-label=format!("Compare {name}, {short}")
                />
                <Icon name=icon class=class/><span class="vh">{word}</span></td>
            <td class="num c-time"><Time at/></td>
            <td class="main c-run"><a href=href title=name.clone()>{name.clone()}</a>" "<span class="id" title=id.clone()>{short}</span></td>
            {move || {
                columns.with(|columns| {
                    columns.iter().map(|(column, _, class)| cell(column, class, &run, slug)).collect_view()
                })
            }}
        </tr>
    }
}

fn cell(column: Column, class: &'static str, run: &RunSummary, slug: Memo<String>) -> AnyView {
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    let words = |value: String| {
        view! { <td class=format!("{class} clip") title=value.clone()>{value.clone()}</td> }.into_any()
    };
    match column {
        Column::Problem => problem_cell(run),
        Column::Score => score_cell(run),
        Column::Key => words(run.key_label.clone()),
        Column::Environment => words(optional(&run.environment)),
        Column::Release => words(optional(&run.release)),
        Column::Session => id_cell(class, run.session_id.clone(), slug, session_href),
        Column::User => id_cell(class, run.user_id.clone(), slug, user_href),
        Column::Tags => words(run.tags.join(", ")),
        Column::Models => words(run.models.join(", ")),
        Column::Steps => {
            view! { <td class=class>{text::grouped(run.step_count.unsigned_abs())}</td> }.into_any()
        }
        Column::Errors => {
            view! { <td class=class>{text::grouped(run.error_count.unsigned_abs())}</td> }.into_any()
        }
        Column::Duration => duration_cell(run),
        Column::Tokens => match run.tokens.total() {
            Some(total) => {
                let title = format!("{} tokens", text::grouped(total.unsigned_abs()));
                view! { <td class=class title=title>{text::short_count(total)}</td> }.into_any()
            }
            None => view! { <td class=class><span class="none">"–"</span></td> }.into_any(),
        },
        Column::Cost => cost_cell(class, run),
    }
}

/// An id of the application's, which leads to its page where an address can have it.
fn id_cell(
    class: &'static str,
    id: Option<String>,
    slug: Memo<String>,
    href: fn(&str, &str) -> Option<String>,
) -> AnyView {
    let Some(id) = id else {
        return view! { <td class=format!("{class} clip")>"–"</td> }.into_any();
    };
    let text = id.clone();
    let linked = match href("", &id) {
        Some(_) => view! { <a href=move || href(&slug.read(), &id)>{text.clone()}</a> }.into_any(),
        None => text.clone().into_any(),
    };
    view! { <td class=format!("{class} clip") title=text>{linked}</td> }.into_any()
}

fn problem_cell(run: &RunSummary) -> AnyView {
    match &run.problem {
        Some(problem) => {
            let reason = text::first_line(&problem.text, 200);
            let sentence = match problem.code {
                Some(_) => reason,
                None => format!("{}: {reason}", problem.step_name),
            };
            let code = problem
                .code
                .map(|code| view! { <span class="code-n">{code}</span>" " });
            let title = format!("{}: {}", problem.step_name, problem.text);
            view! { <td class="why clip" title=title>{code}{sentence}</td> }.into_any()
        }
        None if run.status == RunStatus::Running => {
            let steps = text::counted(run.step_count, "step");
            view! { <td class="why clip">{format!("running, {steps} so far")}</td> }.into_any()
        }
        None => view! { <td class="why clip"><span class="vh">"no condition"</span></td> }.into_any(),
    }
}

fn score_cell(run: &RunSummary) -> AnyView {
    let figure = match run.score_max {
        None => view! { <span class="none" title="Not scored">"–"</span> }.into_any(),
        Some(score) if score <= 0 => view! { <span class="none">"0"</span> }.into_any(),
        Some(score) => view! {
            <span class="score">{score_bar(&[(layer_of(run), score)], None, 44)}<span class="num">{score}</span></span>
        }
        .into_any(),
    };
    view! { <td class="c-score">{figure}</td> }.into_any()
}

fn duration_cell(run: &RunSummary) -> AnyView {
    let grow = run.status == RunStatus::Running;
    let width = format!("{:.2}%", bar_percent(run.latency_ms));
    view! {
        <td class="c-dur">
            <span class="dur-t num" class:grow=grow title=format!("{} ms", run.latency_ms)>{text::duration(run.latency_ms)}</span>
            <svg class="bar dur" height="4" aria-hidden="true">
                <rect class="track" width="100%" height="4"></rect>
                <rect class="d-fill" width=width height="4"></rect>
            </svg>
        </td>
    }
    .into_any()
}

fn cost_cell(class: &'static str, run: &RunSummary) -> AnyView {
    let title = cost_title(run.cost_nano_usd, run.unpriced_steps);
    let figure = match (run.cost_nano_usd, run.unpriced_steps) {
        (Some(cost), 0) => cost.to_short().into_any(),
        (None, 0) => view! { <span class="none">"–"</span> }.into_any(),
        _ => view! { <span class="unknown">"unknown"</span> }.into_any(),
    };
    view! { <td class=format!("{class} t") title=title>{figure}</td> }.into_any()
}

/// Length of a duration's bar, in percent.
fn bar_percent(ms: f64) -> f64 {
    let ms = if ms.is_finite() { ms.max(0.0) } else { 0.0 };
    ((1.0 + ms / 1_000.0).ln() / (1.0 + FULL_BAR_MS / 1_000.0).ln() * 100.0).min(100.0)
}

/// How much is shown, and the way to older runs.
#[component]
fn Foot(page: Page, rows: Rows) -> impl IntoView {
    let Page { slug, query, .. } = page;
    let loading = RwSignal::new(false);
    let failed = RwSignal::new(None::<String>);
    let older = move || {
        let cursor = rows.next_cursor.get()?;
        Some(
            RunsQuery {
                cursor: Some(cursor),
                ..query.get()
            }
            .to_href(),
        )
    };
    let append = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        let Some(cursor) = rows.next_cursor.get_untracked() else {
            return;
        };
        if loading.get_untracked() {
            return;
        }
        loading.set(true);
        let (slug, filter) = (slug.get_untracked(), query.read_untracked().filter.clone());
        leptos::task::spawn_local(async move {
            match list_runs(slug, filter, Some(cursor)).await {
                Ok(page) => {
                    failed.try_set(None);
                    rows.append(page);
                }
                Err(error) => {
                    failed.try_set(Some(error.advice()));
                }
            }
            loading.try_set(false);
        });
    };
    let newest = move || {
        query.read().cursor.is_some().then(|| {
            let href = RunsQuery {
                cursor: None,
                ..query.get()
            }
            .to_href();
            view! { <a class="link" href=href>"Back to the newest"</a> }
        })
    };
    let shown = move || {
        let count = rows.count();
        let more = if rows.next_cursor.read().is_some() {
            ", more below"
        } else {
            ""
        };
        format!("{} shown{more}", text::grouped(count as u64))
    };
    view! {
        <div class="list-foot">
            <span class="dim num">{shown}</span>
            {newest}
            {move || older().map(|href| view! {
                <a class="link" href=href aria-busy=move || loading.get().then_some("true") on:click=append>
                    {format!("Load {RUNS_PER_PAGE} older")}
                </a>
            })}
            {move || failed.get().map(|why| view! { <span class="field-err" role="alert">{why}</span> })}
            <span class="push row dim keysline" aria-hidden="true">
                <kbd>"j"</kbd><kbd>"k"</kbd>" move "<kbd>"↵"</kbd>" open "<kbd>"?"</kbd>" all keys"
            </span>
        </div>
    }
}

/// j and k move the focused row, Enter opens it, Esc lets go, l switches the live tail.
fn use_list_keys(page: Page, rows: Rows, focused: RwSignal<Option<String>>) {
    let Page { slug, query, go, .. } = page;
    let navigate = use_navigate();
    use_keys(move |key| match key {
        "j" | "k" => {
            let ids = rows.ids();
            let at = focused
                .read_untracked()
                .as_ref()
                .and_then(|id| ids.iter().position(|i| i == id));
            let next = match (at, key) {
                (None, _) => ids.first(),
                (Some(at), "j") => ids.get(at + 1),
                (Some(at), _) => at.checked_sub(1).and_then(|at| ids.get(at)),
            };
            if let Some(id) = next {
                focused.set(Some(id.clone()));
                scroll_to_focused();
            }
            true
        }
        "Enter" if !focus_is_on_link() => match focused.get_untracked() {
            Some(id) => {
                navigate(&run_href(&slug.read_untracked(), &id), Default::default());
                true
            }
            None => false,
        },
        "Escape" => focused.try_update(|f| f.take()).flatten().is_some(),
        "l" => {
            let here = query.get_untracked();
            go.run(RunsQuery {
                live: !here.live,
                cursor: None,
                ..here
            });
            true
        }
        _ => false,
    });
}

fn scroll_to_focused() {
    #[cfg(target_arch = "wasm32")]
    request_animation_frame(|| {
        if let Ok(Some(row)) = document().query_selector("tr.is-focus") {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            row.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
}

fn focus_is_on_link() -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        document().active_element().is_some_and(|active| {
            active
                .closest("a, button, summary")
                .is_ok_and(|found| found.is_some())
        })
    }
    #[cfg(not(target_arch = "wasm32"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_bars() {
        let check = |ms: f64, expected: f64| assert!((bar_percent(ms) - expected).abs() < 1.0, "{ms}");
        check(0.0, 0.0);
        check(f64::NAN, 0.0);
        check(-5.0, 0.0);
        check(4_000.0, 39.0);
        check(60_000.0, 100.0);
        check(9e9, 100.0);
    }
}
