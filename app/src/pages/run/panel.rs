//! The selected step: what it is, what was found, what it said and what it cost.

use domain::series::SeriesBy;
use domain::{StepSummary, text};
use leptos::prelude::*;

use super::earlier::Earlier;
use super::flow::FlowSection;
use super::problems::{Problem, problems};
use super::query::RunQuery;
use super::receipt::Receipt;
use super::score::Score;
use super::texts::Texts;
use super::{OfMembers, Page, SelectedTexts};
use crate::api::runs::read_step;
use crate::context::use_page_request;
use crate::error::ApiError;
use crate::timeline::draw::{glyph, kind_class, kind_icon};
use crate::ui::copy::copy_text;
use crate::ui::icon::Icon;
use crate::ui::links::{run_href, scope_href};
use crate::ui::load::{ErrorState, SkeletonRows};
use crate::ui::time::use_attached;

/// Problems listed while no step is selected; a link shows the others.
const PROBLEMS: usize = 20;

/// The panel at the right.
#[component]
pub(super) fn StepPanel(
    page: Page,
    texts: SelectedTexts,
    /// `None` on a link's page, which shows one run and no other.
    of_members: Option<OfMembers>,
) -> impl IntoView {
    let Page { run, query, .. } = page;
    let selected = Memo::new(move |_| query.read().step.clone());
    let whole = Memo::new(move |_| query.read().full);
    // Drawn again only when the step itself changed, not with every change of a running run.
    let step = Memo::new(move |_| {
        let id = selected.get()?;
        run.read().detail(&id).cloned()
    });
    let is_long = Memo::new(move |_| run.read().view.part.is_some());
    // Of a long run most steps come without their conditions; the server renders the selected one.
    let fetched = RwSignal::new(None::<(String, Result<Option<StepSummary>, ApiError>)>);
    let again = RwSignal::new(0_u32);
    Effect::new(move |_| {
        again.track();
        let Some(id) = selected.get() else { return };
        if !is_long.get() || step.read().is_some() {
            return;
        }
        let run_id = run.read_untracked().run().run_id.clone();
        let slug = page.slug.get_untracked();
        leptos::task::spawn_local(async move {
            let answer = read_step(slug, run_id, id.clone()).await;
            fetched.try_set(Some((id, answer)));
        });
    });
    view! {
        <aside class="panel-step" aria-label="Selected step">
            {move || match selected.get() {
                None => nothing_selected(page, whole.get()),
                Some(id) => match step.get() {
                    Some(step) => step_view(page, step, texts, of_members),
                    None if is_long.get() => match fetched.get().filter(|(of, _)| *of == id) {
                        Some((_, Ok(Some(step)))) => step_view(page, step, texts, of_members),
                        Some((_, Ok(None))) => unknown_step(page, id),
                        Some((_, Err(error))) => {
                            let retry = Callback::new(move |()| again.update(|n| *n += 1));
                            view! { <ErrorState what="The step" error retry/> }.into_any()
                        }
                        None => view! { <section class="ps" aria-busy="true"><SkeletonRows rows=8/></section> }.into_any(),
                    },
                    None => unknown_step(page, id),
                },
            }}
        </aside>
    }
}

fn nothing_selected(page: Page, whole: bool) -> AnyView {
    let Page { run, query, .. } = page;
    let reading = run.read();
    let mut rows: Vec<&StepSummary> = reading.details().iter().collect();
    rows.sort_by_key(|step| reading.find(&step.step_id));
    let problems = problems(rows);
    if problems.is_empty() {
        return view! {
            <div class="state">
                <Icon name="runs"/>
                <b>"Select a step"</b>
                <p>"Its input, output, score and receipt appear here. j and k move, Esc closes."</p>
            </div>
        }
        .into_any();
    }
    let shown = if whole { usize::MAX } else { PROBLEMS };
    let more = problems.len().saturating_sub(shown);
    let links = problems
        .into_iter()
        .take(shown)
        .map(|problem| line_of(page, problem))
        .collect_view();
    let rest = (more > 0).then(|| {
        let all = move || {
            RunQuery {
                full: true,
                ..query.get()
            }
            .to_href()
        };
        view! { <p><a class="link" href=all data-noscroll>{format!("Show {more} more")}</a></p> }
    });
    let gravest = reading
        .view
        .part
        .is_some()
        .then(|| view! { <p class="dim">"The gravest of a long run; n and N visit all"</p> });
    view! {
        <section class="ps" aria-label="Problems">
            <div class="head"><h3>"Look at"</h3><span class="sub">"n and N go from one to the next"</span></div>
            <ol class="problems">{links}</ol>
            {rest}
            {gravest}
        </section>
    }
    .into_any()
}

/// A step, how often it is as wrong as this, and why.
fn line_of(page: Page, problem: Problem<'_>) -> impl IntoView + use<> {
    let query = page.query;
    let step = problem.step;
    let id = step.step_id.clone();
    let name = if step.name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        step.name.clone()
    };
    let (icon, class, word) = glyph(step.status, step.severity).unwrap_or(("ok", "st-ok", "ok"));
    let times =
        (problem.count > 1).then(|| view! { " " <span class="num">{format!("×{}", problem.count)}</span> });
    view! {
        <li>
            <Icon name=icon class=class/>
            <span class="vh">{word}" "</span>
            <span>
                <a class="link" href=move || query.read().with_step(Some(&id)).to_href() data-noscroll>{name}</a>
                {times}
                {problem.reason().map(|reason| view! { " " <span class="dim2">{reason}</span> })}
            </span>
        </li>
    }
}

fn unknown_step(page: Page, id: String) -> AnyView {
    let query = page.query;
    view! {
        <div class="state">
            <Icon name="search"/>
            <b>"This run has no such step"</b>
            <p class="mono">{id}</p>
            <a class="btn" href=move || query.read().with_step(None).to_href() data-noscroll>"Close"</a>
        </div>
    }
    .into_any()
}

fn step_view(page: Page, step: StepSummary, texts: SelectedTexts, of_members: Option<OfMembers>) -> AnyView {
    let error = step.error.clone().map(|error| {
        view! {
            <section class="ps" aria-label="Error">
                <div class="head"><h3>"Error"</h3></div>
                <pre class="code wrap" tabindex="0" role="group" aria-label="Error text">{error}</pre>
            </section>
        }
    });
    view! {
        <Head page step=step.clone()/>
        {error}
        <Score page step=step.clone()/>
        <FlowSection page step_id=step.step_id.clone()/>
        <Texts page step=step.clone() texts places=of_members.map(|read| read.places)/>
        {of_members.map(|read| view! { <Earlier page step=step.clone() calls=read.calls/> })}
        <Receipt page step texts/>
    }
    .into_any()
}

/// Name, kind, badges, and the step's figures in one line.
#[component]
fn Head(page: Page, step: StepSummary) -> impl IntoView {
    let Page { run, query, .. } = page;
    let here = step.step_id.clone();
    let problem = move |forward: bool| {
        let run = run.read();
        let row = run.find(&here);
        let next = run.next_problem(row, forward).filter(|next| Some(*next) != row)?;
        Some(query.read().with_step(Some(run.id_of(next))).to_href())
    };
    let before = Signal::derive({
        let problem = problem.clone();
        move || problem(false)
    });
    let after = Signal::derive(move || problem(true));
    let close = Signal::derive(move || Some(query.read().with_step(None).to_href()));
    let name = if step.name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        step.name.clone()
    };
    let badge = glyph(step.status, step.severity).map(|(icon, _, word)| {
        let tone = match word {
            "critical" | "failed" => "bad",
            "warning" => "warn",
            "running" => "accent",
            _ => "",
        };
        view! { <span class="badge" data-tone=tone><Icon name=icon/>{word}</span> }
    });
    let line = line(&step, run.read_untracked().view.now);
    let asked = step
        .request_model
        .clone()
        .filter(|asked| step.model.as_ref() != Some(asked))
        .map(|asked| format!("requested {asked}"));
    view! {
        <header class="ps-head">
            <div class="row">
                <Icon name=kind_icon(step.kind) class=kind_class(step.kind)/>
                <h2 title=name.clone()>{name.clone()}</h2>
                <span class="badge">{step.kind.as_str()}</span>
                {badge}
                <span class="push row">
                    <CopyLink page step_id=step.step_id.clone()/>
                    <HeadLink href=before icon="up" label="Previous problem (N)"/>
                    <HeadLink href=after icon="down" label="Next problem (n)"/>
                    <HeadLink href=close icon="x" label="Close (Esc)"/>
                </span>
            </div>
            <p class="dim2 num ps-sub">{line}</p>
            {pages_of(page, &step)}
            {asked.map(|asked| view! { <p class="dim num ps-sub">{asked}</p> })}
            <p class="dim mono ps-sub">{step.step_id.clone()}</p>
        </header>
    }
}

/// Where its name and its model are looked at over time.
fn pages_of(page: Page, step: &StepSummary) -> impl IntoView + use<> {
    if page.shared.is_some() {
        return None;
    }
    let slug = page.slug;
    let links: Vec<_> = [
        (SeriesBy::Step, Some(step.name.clone()), "All steps of this name"),
        (SeriesBy::Model, step.model.clone(), "Its model"),
    ]
    .into_iter()
    .filter_map(|(by, name, label)| {
        let name = name.filter(|name| scope_href("", by, name).is_some())?;
        let href = move || scope_href(&slug.read(), by, &name);
        Some(view! { <a class="link" href=href>{label}</a> })
    })
    .collect();
    (!links.is_empty()).then(|| view! { <p class="row ps-sub">{links}</p> })
}

/// `claude-haiku-4-5, 1.36 s, first token 412 ms, $0.0017`.
fn line(step: &StepSummary, now: domain::Timestamp) -> String {
    let mut parts: Vec<String> = Vec::new();
    let named = |name: &Option<String>| name.clone().filter(|n| !n.trim().is_empty());
    parts.extend(named(&step.model).or_else(|| named(&step.tool_name)));
    let ms = step.latency_ms.unwrap_or_else(|| {
        let end = step.ended_at.unwrap_or(now).max(step.started_at);
        end.ms_since(step.started_at)
    });
    parts.push(text::duration(ms));
    parts.extend(
        step.ttft_ms
            .map(|ms| format!("first token {}", text::duration(ms))),
    );
    match step.cost_nano_usd {
        Some(cost) => parts.push(cost.to_short()),
        None if step.kind.is_billable() => parts.push("cost unknown".to_owned()),
        None => {}
    }
    parts.join(", ")
}

#[component]
fn HeadLink(href: Signal<Option<String>>, icon: &'static str, label: &'static str) -> impl IntoView {
    move || {
        href.get().map(|href| {
            view! {
                <a class="btn icon" data-variant="quiet" href=href title=label aria-label=label data-noscroll>
                    <Icon name=icon/>
                </a>
            }
        })
    }
}

/// Copies the address that opens this step.
#[component]
fn CopyLink(page: Page, step_id: String) -> impl IntoView {
    let attached = use_attached();
    let copied = RwSignal::new(false);
    let origin = use_page_request().origin;
    let Page {
        slug,
        run,
        query,
        shared,
        ..
    } = page;
    let copy = move |_| {
        let path = run_href(&slug.read_untracked(), &run.read_untracked().run().run_id);
        let query = query.read_untracked().with_step(Some(&step_id));
        copy_text(format!("{origin}{path}{}", query.to_href()), copied);
    };
    view! {
        <button
            class="btn icon"
            data-variant="quiet"
            type="button"
            title="Copy link to this step"
            aria-label="Copy link to this step"
            hidden=move || !attached.get() || shared.is_some()
            on:click=copy
        >
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "link" })/>
        </button>
    }
}
