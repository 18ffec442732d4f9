//! One session as a conversation over its runs, with what it has cost so far.

mod chart;

use domain::{RunStatus, Severity, text};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use self::chart::cost_chart;
use super::groups::{glyph, status_of};
use crate::api::groups::{MAX_SESSION_RUNS, SessionView, Turn, read_session};
use crate::context::use_slug;
use crate::pages::cells::{cost_view, layer_of, score_bar, severity_glyph};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href, user_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// What the customer said, and what came of it.
#[component]
pub(crate) fn SessionPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.read().get("session").unwrap_or_default());
    let page = Memo::new(move |_| {
        let page = query.read().get("page").and_then(|page| page.parse().ok());
        page.unwrap_or(1_u32)
    });
    let resource = Resource::new(
        move || (slug.get(), id.get(), page.get()),
        |(slug, id, page)| read_session(slug, id, page),
    );
    let above = Signal::derive(move || ("Sessions".to_owned(), page_href(&slug.read(), "sessions")));
    let title = Signal::derive(move || text::first_line(&id.read(), 60));
    let runs = move || {
        let query = domain::filter::encode_query([("session", id.read().as_str()), ("range", "all")]);
        format!("{}?{query}", page_href(&slug.read(), "runs"))
    };
    view! {
        <Title text=move || format!("Session {}", title.get())/>
        <TopBar tools=move || view! { <a class="btn" href=runs>"All its runs"</a> }>
            <Crumbs above title/>
        </TopBar>
        <main id="main" class="page page-session" tabindex="-1">
            <Load
                resource
                what="The session"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: SessionView| loaded(&slug.read_untracked(), &view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, view: &SessionView) -> AnyView {
    let whole = view.group.cost_nano_usd.map_or(0, |cost| cost.0);
    let turns = view
        .turns
        .iter()
        .map(|turn| turn_view(slug, turn, whole))
        .collect_view();
    let known = i64::try_from(view.beats.len()).unwrap_or(i64::MAX);
    let rest = (view.group.runs > known && view.beats.len() >= MAX_SESSION_RUNS as usize).then(|| {
        format!(
            "Only the first {} are shown here; the list of runs has all.",
            text::counted(known, "run")
        )
    });
    let notices = [
        rest,
        view.is_cut
            .then(|| "The later texts of this page are left out: open a run to read them.".to_owned()),
    ];
    let notices = notices
        .into_iter()
        .flatten()
        .map(|words| view! { <div class="notice" data-tone="info"><Icon name="info"/><div>{words}</div></div> })
        .collect_view();
    view! {
        {head(slug, view)}
        <div class="split" data-cols="2-1">
            <section class="cell" aria-labelledby="so-far-title">
                <div class="head">
                    <h2 id="so-far-title">"Cost so far"</h2>
                    <span class="sub num">{text::counted(known, "run")}</span>
                </div>
                {cost_chart(&view.beats)}
            </section>
            {spent_on(view)}
        </div>
        <section class="cell flush" aria-labelledby="conversation-title">
            <div class="head">
                <h2 id="conversation-title">"Conversation"</h2>
                <span class="sub">"runs in the order they started"</span>
            </div>
            {notices}
            <ol class="convo">{turns}</ol>
            {pages(view)}
        </section>
    }
    .into_any()
}

/// The verdict and the figures.
fn head(slug: &str, view: &SessionView) -> impl IntoView + use<> {
    let group = &view.group;
    let runs = text::counted(group.runs, "run");
    let (tone, headline) = match (status_of(group), group.severity) {
        (RunStatus::Running, _) => ("plain", format!("Going on: {runs} so far")),
        (RunStatus::Error, _) => {
            let failed = text::grouped(group.failed_runs.unsigned_abs());
            ("critical", format!("{failed} of {runs} failed"))
        }
        (RunStatus::Ok, Severity::Critical) => (
            "critical",
            format!("All of {runs} completed, one with a critical step"),
        ),
        (RunStatus::Ok, Severity::Warning) => {
            ("warning", format!("All of {runs} completed, one with a warning"))
        }
        (RunStatus::Ok, Severity::Ok) => ("ok", format!("All of {runs} completed without a problem")),
    };
    let worst = view.worst.as_ref().and_then(|run| {
        let problem = run.problem.as_ref()?;
        let href = run_href(slug, &run.run_id);
        let words = format!(": {}", text::first_line(&problem.text, 200));
        Some(view! { <p>"Worst: "<a class="link" href=href>{named(&run.name)}</a>{words}</p> })
    });
    let user = group.user_id.as_ref().map(|user| {
        let name = text::first_line(user, 40);
        let value = match user_href(slug, user) {
            Some(href) => view! { <a class="link mono" href=href>{name}</a> }.into_any(),
            None => view! { <span class="mono">{name}</span> }.into_any(),
        };
        view! { <div><dt>"User"</dt><dd>{value}</dd></div> }
    });
    let failed =
        (group.failed_runs > 0).then(|| view! { <small>{format!(" {} failed", group.failed_runs)}</small> });
    let tokens = group
        .tokens
        .total()
        .map_or_else(|| "none reported".to_owned(), text::short_count);
    view! {
        <section class="run-head" data-tone=tone aria-label="Result">
            <div class="verdict" data-tone=tone>
                <div class="say">{glyph(group)}" "{headline}</div>
                {worst}
            </div>
            <dl class="facts run-facts">
                {user}
                <div><dt>"Runs"</dt><dd>{text::grouped(group.runs.unsigned_abs())}{failed}</dd></div>
                <div><dt>"Calls"</dt><dd>{text::grouped(group.calls.unsigned_abs())}</dd></div>
                <div><dt>"Tokens"</dt><dd>{tokens}</dd></div>
                <div><dt>"Cost"</dt><dd>{cost_view(group.cost_nano_usd, group.unpriced_steps)}</dd></div>
                <div><dt>"Lasted"</dt><dd>{text::duration(group.last_seen_at.ms_since(group.first_seen_at))}</dd></div>
                <div><dt>"First seen"</dt><dd><Time at=group.first_seen_at/></dd></div>
                <div><dt>"Last seen"</dt><dd><Time at=group.last_seen_at/></dd></div>
                <div><dt>"Key"</dt><dd>{group.key_label.clone()}</dd></div>
            </dl>
        </section>
    }
}

fn named(name: &str) -> String {
    if name.trim().is_empty() {
        "unnamed run".to_owned()
    } else {
        text::first_line(name, 80)
    }
}

/// What each model cost.
fn spent_on(view: &SessionView) -> impl IntoView + use<> {
    let highest = view
        .spent_on
        .iter()
        .filter_map(|spent| spent.cost)
        .map(|cost| cost.0)
        .max()
        .unwrap_or(0);
    let rows = view
        .spent_on
        .iter()
        .map(|spent| {
            let model = spent.model.clone().filter(|name| !name.trim().is_empty());
            let width = match spent.cost {
                Some(cost) if highest > 0 => format!("{:.2}%", cost.0.max(0) as f64 / highest as f64 * 100.0),
                _ => "0%".to_owned(),
            };
            view! {
                <tr>
                    <td class="main clip">{model.unwrap_or_else(|| "not reported".to_owned())}</td>
                    <td class="n">{text::counted(spent.calls, "call")}</td>
                    <td class="w-bar">
                        <svg class="bar" height="6" aria-hidden="true">
                            <rect class="track" width="100%" height="6"></rect>
                            <rect class="c1" width=width height="6"></rect>
                        </svg>
                    </td>
                    <td class="n t">{cost_view(spent.cost, i64::from(spent.cost.is_none()))}</td>
                </tr>
            }
        })
        .collect_view();
    let nothing = view
        .spent_on
        .is_empty()
        .then(|| view! { <p class="dim">"No model was called."</p> });
    view! {
        <section class="cell" aria-labelledby="spent-title">
            <div class="head">
                <h2 id="spent-title">"What was spent on"</h2>
                <span class="sub">"by model"</span>
            </div>
            <table class="table compact">
                <thead class="vh">
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col">"Calls"</th>
                        <th scope="col">"Cost as a bar"</th>
                        <th scope="col">"Cost"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {nothing}
        </section>
    }
}

/// One run: what was said, and what it took.
fn turn_view(slug: &str, turn: &Turn, whole: i64) -> impl IntoView + use<> {
    let run = &turn.run;
    let (icon, class, word) = severity_glyph(run.status, run.severity);
    let asked = turn.asked.clone().map(|text| {
        view! { <div class="said" data-r="user"><span class="role">"user"</span><p>{text}</p></div> }
    });
    let answer = match (&turn.answered, run.status) {
        (_, RunStatus::Error) => {
            view! { <p class="fail"><Icon name="x" class="sm"/>"no answer, the run failed"</p> }.into_any()
        }
        (Some(text), _) => view! { <p>{text.clone()}</p> }.into_any(),
        (None, RunStatus::Running) => view! { <p class="dim">"not yet, the run goes on"</p> }.into_any(),
        (None, RunStatus::Ok) if turn.is_long => {
            view! { <p class="dim">"too many steps to be read here: open the run"</p> }.into_any()
        }
        (None, RunStatus::Ok) => view! { <p class="dim">"no text was recorded"</p> }.into_any(),
    };
    let problem = run.problem.as_ref().map(|problem| {
        let code = problem
            .code
            .map(|code| view! { <span class="code-n">{code}</span>" " });
        view! { <span class="why">{code}{text::first_line(&problem.text, 200)}</span> }
    });
    let score = run.score_max.filter(|score| *score > 0).map(|score| {
        view! {
            <span class="push score">{score_bar(&[(layer_of(run), score)], None, 44)}<span class="num">{score}</span></span>
        }
    });
    let mut figures = vec![
        text::counted(run.step_count, "step"),
        text::duration(run.latency_ms),
    ];
    figures.extend(
        run.tokens
            .total()
            .map(|total| format!("{} tok", text::short_count(total))),
    );
    let so_far = turn.cost_so_far.map(|sum| {
        let own = run.cost_nano_usd.map_or(0, |cost| cost.0.max(0));
        let percent = |part: i64| {
            if whole > 0 {
                (part.max(0) as f64 / whole as f64 * 100.0).min(100.0)
            } else {
                0.0
            }
        };
        let (was, now) = (percent(sum.0.saturating_sub(own)), percent(own));
        view! {
            <span class="sofar">
                <svg class="bar" height="6" aria-hidden="true">
                    <rect class="track" width="100%" height="6"></rect>
                    <rect class="was" width=format!("{was:.2}%") height="6"></rect>
                    <rect class="now" x=format!("{was:.2}%") width=format!("{now:.2}%") height="6"></rect>
                </svg>
                <span class="num">
                    <b>{cost_view(run.cost_nano_usd, run.unpriced_steps)}</b>
                    " "
                    <span class="dim">{format!("of {} so far", sum.to_short())}</span>
                </span>
            </span>
        }
    });
    let is_bad = run.severity == Severity::Critical || run.status == RunStatus::Error;
    view! {
        <li class="turn" data-sev=is_bad.then_some("critical")>
            <span class="turn-at num"><Time at=run.started_at/></span>
            <div class="turn-text">
                {asked}
                <div class="said" data-r="app"><span class="role">"assistant"</span>{answer}</div>
            </div>
            <div class="turn-run">
                <span class="row">
                    <Icon name=icon class=class/>
                    <span class="vh">{word}</span>
                    <a class="strong" href=run_href(slug, &run.run_id)>{named(&run.name)}</a>
                    <span class="id mono dim" title=run.run_id.clone()>{text::short_id(&run.run_id).to_owned()}</span>
                    {score}
                </span>
                {problem}
                <span class="row dim num">{figures.join(", ")}</span>
                {so_far}
            </div>
        </li>
    }
}

/// The way to earlier and later turns.
fn pages(view: &SessionView) -> Option<impl IntoView + use<>> {
    (view.pages > 1).then(|| {
        let link = |page: u32, label: &'static str| {
            view! { <a class="link" href=format!("?page={page}")>{label}</a> }
        };
        let earlier = (view.page > 1).then(|| link(view.page - 1, "Earlier runs"));
        let later = (view.page < view.pages).then(|| link(view.page + 1, "Later runs"));
        view! {
            <div class="list-foot">
                <span class="dim num">{format!("Page {} of {}", view.page, view.pages)}</span>
                {earlier}
                {later}
            </div>
        }
    })
}
