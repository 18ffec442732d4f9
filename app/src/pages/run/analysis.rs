//! Why the run went wrong: by rules at once, and by a model where one is asked.

use domain::{NanoUsd, Role, WorkState, text};
use engine::analysis::{Recommendation, Report};
use engine::citations::{Cite, Dropped};
use leptos::prelude::*;

use super::Page;
use crate::api::analyses::{AnalysisView, ModelAnalysis, read_analysis};
use crate::context::use_may;
use crate::error::ApiError;
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, page_href, run_href};
use crate::ui::load::Load;
use crate::ui::time::Time;

/// How long the browser waits before it looks again at an analysis that is under way.
#[cfg(target_arch = "wasm32")]
const POLL_INTERVAL_MS: u32 = 1_500;

type Reading = Resource<Result<AnalysisView, ApiError>>;

/// The section under the drawing. Members alone have it: it quotes what a link may leave out.
#[component]
pub(super) fn Analysis(page: Page, reading: Reading) -> impl IntoView {
    look_while_it_works(reading);
    view! {
        <section class="cell" id="analysis" aria-labelledby="analysis-head" tabindex="-1">
            <div class="head">
                <h2 id="analysis-head"><Icon name="spark" class="sm"/>" Analysis"</h2>
                <span class="sub">"what failed first, how it travelled, what to change"</span>
            </div>
            <Load resource=reading what="The analysis" let:view>
                <Written page view/>
            </Load>
        </section>
    }
}

/// The reading of the section; made in the page's body, as the server builds children more than once.
pub(super) fn analysis_of(slug: Memo<String>, run_id: Memo<String>) -> Reading {
    Resource::new(
        move || (slug.get(), run_id.get()),
        |(slug, run_id)| read_analysis(slug, run_id),
    )
}

fn look_while_it_works(reading: Reading) {
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let is_open = reading.with(|view| {
            let model = view.as_ref().and_then(|view| view.as_ref().ok()?.model.as_ref());
            model.is_some_and(|model| !model.state.is_over())
        });
        if is_open {
            leptos::task::spawn_local(async move {
                gloo_timers::future::TimeoutFuture::new(POLL_INTERVAL_MS).await;
                reading.refetch();
            });
        }
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = reading;
}

#[component]
fn Written(page: Page, view: AnalysisView) -> impl IntoView {
    let slug = page.slug;
    let AnalysisView {
        rules,
        model,
        chosen,
        deploys,
    } = view;
    let done = model
        .as_ref()
        .and_then(|model| Some((model.clone(), model.report.clone()?)));
    let ask = ask_view(page, model.as_ref(), chosen);
    let state = model.as_ref().and_then(|model| state_view(model, slug));
    let by_rules = view! { <ReportView page report=rules deploys=deploys.clone()/> };
    match done {
        Some((model, report)) => view! {
            <div class="an">
                {state}
                {source_line(&model, &report)}
                <ReportView page report deploys/>
                {ask}
                <details>
                    <summary class="btn sm">"What the rules say"</summary>
                    {by_rules}
                </details>
            </div>
        }
        .into_any(),
        None => view! { <div class="an">{state}<p class="dim">"Written by rules, from this run’s conditions, times and texts; no model was asked."</p>{by_rules}{ask}</div> }.into_any(),
    }
}

/// `claude-sonnet-4-6, 41 of 5,000 steps read, $0.0284, 09:13:02`
fn source_line(model: &ModelAnalysis, report: &Report) -> impl IntoView + use<> {
    let name = model.model.clone().unwrap_or_default();
    let read = if report.steps_read < report.steps {
        format!(
            "{} of {} steps read",
            text::grouped(report.steps_read),
            text::grouped(report.steps)
        )
    } else {
        format!("{} steps read", text::grouped(report.steps))
    };
    let cost = model
        .cost
        .map_or_else(|| "cost unknown".to_owned(), |cost: NanoUsd| cost.to_string());
    let at = model.finished_at.unwrap_or(model.created_at);
    let claims = report.recommendations.len() + usize::from(report.root_cause.is_some());
    view! {
        <p class="num">
            <span class="badge">{name}</span>
            {format!(" {read}, {cost}, ")}
            <Time at/>
            {format!("; {}, each with its source", text::counted(i64::try_from(claims).unwrap_or(0), "claim"))}
        </p>
    }
}

fn state_view(model: &ModelAnalysis, slug: Memo<String>) -> Option<AnyView> {
    let error = model.error.clone().unwrap_or_default();
    match model.state {
        WorkState::Queued | WorkState::Running => Some(
            view! {
                <div class="notice" data-tone="info" role="status">
                    <Icon name="running"/>
                    <div>
                        "The model is being asked. What it says appears here; without scripts reload the page to see it."
                    </div>
                </div>
            }
            .into_any(),
        ),
        WorkState::Failed | WorkState::Refused => {
            let head = if model.state == WorkState::Refused {
                "Not asked"
            } else {
                "The model gave no analysis"
            };
            Some(
                view! {
                    <div class="notice" data-tone="bad" role="alert">
                        <Icon name="x"/>
                        <div>
                            <b>{head}". "</b>
                            {error}
                            " "
                            <a class="link" href=move || page_href(&slug.read(), "settings/providers")>"Model providers"</a>
                        </div>
                    </div>
                }
                .into_any(),
            )
        }
        WorkState::Done => None,
    }
}

/// The button that asks the model, or what has to be set up first.
fn ask_view(page: Page, model: Option<&ModelAnalysis>, chosen: Option<String>) -> AnyView {
    let slug = page.slug;
    let may = use_may(Role::Member);
    if model.is_some_and(|model| !model.state.is_over()) {
        return ().into_any();
    }
    let Some(chosen) = chosen else {
        return view! {
            <p class="dim">
                "A model can write it too, with a key of yours: "
                <a class="link" href=move || page_href(&slug.read(), "settings/providers")>"Model providers"</a>
                "."
            </p>
        }
        .into_any();
    };
    let action = move || {
        format!(
            "{}/analysis",
            run_href(&slug.read(), &page.run.read().run().run_id)
        )
    };
    let label = if model.is_some() {
        "Analyze again with"
    } else {
        "Analyze with"
    };
    view! {
        <form method="post" action=action>
            <button
                class="btn"
                type="submit"
                disabled=move || !may.get()
                title=move || (!may.get()).then_some("Only members of the project can ask a model")
            >
                <Icon name="spark"/>
                {format!("{label} {chosen}")}
            </button>
        </form>
    }
    .into_any()
}

/// A report, whoever wrote it.
#[component]
fn ReportView(page: Page, report: Report, deploys: Vec<(String, String)>) -> impl IntoView {
    let chips = move |cites: Vec<Cite>| cite_chips(page, cites, &deploys);
    let cause = report.root_cause.map(|cause| {
        let chips = chips(cause.cites);
        view! {
            <section aria-label="Root cause">
                <h3>"Root cause"</h3>
                <div class="root">
                    {cause.step_name.map(|name| view! { <p><b>{name}</b></p> })}
                    <p>{cause.text}</p>
                </div>
                {chips}
            </section>
        }
    });
    let advice: Vec<AnyView> = report
        .recommendations
        .into_iter()
        .map(|advice| advice_item(advice, &chips))
        .collect();
    let advice = (!advice.is_empty()).then(|| {
        view! {
            <section aria-label="What to change">
                <h3>"What to change"</h3>
                <ol class="recs">{advice}</ol>
            </section>
        }
    });
    let summary = (!report.summary.is_empty()).then(|| view! { <p>{report.summary}</p> });
    view! {
        {summary}
        {cause}
        {advice}
        {dropped_view(report.dropped)}
    }
}

fn advice_item(advice: Recommendation, chips: &impl Fn(Vec<Cite>) -> AnyView) -> AnyView {
    let chips = chips(advice.cites);
    let because = (!advice.because.is_empty()).then(|| view! { <p>{advice.because}</p> });
    view! {
        <li>
            <b>{advice.text}</b>
            <span class="gain num">{advice.saves}</span>
            {because}
            {chips}
        </li>
    }
    .into_any()
}

fn dropped_view(dropped: Vec<Dropped>) -> Option<AnyView> {
    let count = i64::try_from(dropped.len()).unwrap_or(i64::MAX);
    let items: Vec<AnyView> = dropped
        .into_iter()
        .map(|dropped| {
            view! { <li><Icon name="x"/><del>{dropped.claim.text}</del><span>{dropped.reason}</span></li> }
                .into_any()
        })
        .collect();
    (count > 0).then(|| {
        view! {
            <section aria-label="Dropped claims">
                <h3>{format!("{} dropped", text::counted(count, "claim"))}</h3>
                <p class="dim">"their source did not hold"</p>
                <ol class="dropped">{items}</ol>
            </section>
        }
        .into_any()
    })
}

/// What a claim rests on, each with where it leads.
fn cite_chips(page: Page, cites: Vec<Cite>, deploys: &[(String, String)]) -> AnyView {
    let chips: Vec<AnyView> = cites
        .into_iter()
        .map(|cite| match cite {
            Cite::Step(id) => {
                let run = page.run.read_untracked();
                let known = run.details().iter().find(|step| step.step_id == id);
                let name = known.map_or_else(|| format!("step {}", text::short_id(&id)), |step| step.name.clone());
                let query = page.query;
                view! {
                    <a class="src-chip" href=move || query.read().with_step(Some(&id)).to_href() data-noscroll>
                        <Icon name="k-other"/>
                        {name}
                    </a>
                }
                .into_any()
            }
            Cite::Code(code) => {
                let name = engine::codes::find(code).map(|code| code.name);
                view! { <span class="src-chip num" title=name><Icon name="warning"/>{code}</span> }.into_any()
            }
            Cite::Deploy(id) => {
                let name = deploys
                    .iter()
                    .find(|(known, _)| *known == id)
                    .map_or_else(|| id.clone(), |(_, name)| name.clone());
                let slug = page.slug;
                view! {
                    <a class="src-chip" href=move || deploy_href(&slug.read(), &id)><Icon name="deploys"/>{name}</a>
                }
                .into_any()
            }
            Cite::Result(id) => view! { <span class="src-chip">{id}</span> }.into_any(),
        })
        .collect();
    view! { <div class="srcs">{chips}</div> }.into_any()
}
