//! Two runs beside each other: where they part, what took longer and cost more, what was answered otherwise.

mod model;
mod steps;
mod sums;
mod texts;

use domain::{RunSummary, text};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use self::model::{CompareQuery, verdict};
use self::steps::{name_of, step_href, steps};
use self::sums::{figures, names};
use self::texts::texts;
use crate::api::comparison::{ComparedRuns, Comparison, read_comparison};
use crate::context::{use_page_request, use_slug};
use crate::error::ApiError;
use crate::pages::cells::severity_glyph;
use crate::query_string;
use crate::ui::copy::CopyButton;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

#[component]
pub(crate) fn ComparePage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        CompareQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let wish = Memo::new(move |_| query.read().wish());
    let resource = Resource::new(
        move || (slug.get(), wish.get()),
        |(slug, wish)| async move {
            if wish.second.is_empty() {
                return Ok::<_, ApiError>(None);
            }
            read_comparison(slug, wish).await.map(Some)
        },
    );
    let origin = use_page_request().origin;
    let link = Signal::derive(move || {
        let page = page_href(&slug.read(), "compare");
        format!("{origin}{page}{}", query.read().to_href())
    });
    let swap = move || {
        let here = query.get();
        let first = here.first.clone()?;
        let swapped = CompareQuery {
            first: Some(here.second.clone()),
            second: first,
            ..here
        };
        Some(view! { <a class="btn" href=swapped.to_href() data-noscroll>"Swap"</a> })
    };
    view! {
        <Title text="Compare"/>
        <TopBar tools=move || view! { {swap} <CopyButton text=link label="Copy link"/> }>
            <div class="crumbs">
                <a href=move || page_href(&slug.read(), "runs")>"Runs"</a>
                <Icon name="right" class="sm"/>
                <h1>"Compare"</h1>
            </div>
        </TopBar>
        <main id="main" class="page page-compare" tabindex="-1">
            <Load resource what="The runs" skeleton=|| view! { <SkeletonRows rows=20/> } let:found>
                {match found {
                    None => view! { <NothingChosen slug/> }.into_any(),
                    Some(Comparison::NoGoodRun(run)) => view! { <NoGoodRun slug run=*run/> }.into_any(),
                    Some(Comparison::Runs(runs)) => view! { <Compared slug query runs=*runs/> }.into_any(),
                }}
            </Load>
        </main>
    }
    .into_any()
}

#[component]
fn NothingChosen(slug: Memo<String>) -> impl IntoView {
    view! {
        <div class="state">
            <Icon name="columns"/>
            <b>"Choose two runs"</b>
            <p>"Tick two in the list of runs, or compare a run with the last good one from its own page."</p>
            <a class="btn" href=move || page_href(&slug.read(), "runs")>"To the runs"</a>
        </div>
    }
}

#[component]
fn NoGoodRun(slug: Memo<String>, run: RunSummary) -> impl IntoView {
    let href = move || run_href(&slug.read(), &run.run_id);
    view! {
        <div class="state">
            <Icon name="columns"/>
            <b>{format!("No good run of {} came before this one", run.name)}</b>
            <p>"A good run completed without anything critical. Among the latest runs there is none of that name."</p>
            <a class="btn" href=href>"Back to the run"</a>
        </div>
    }
}

#[component]
fn Compared(slug: Memo<String>, query: Memo<CompareQuery>, runs: ComparedRuns) -> impl IntoView {
    let said = verdict(&runs);
    let named = said.parts_at.and_then(|index| runs.rows.get(index)).map(|row| {
        let href = step_href(query, row);
        let name = name_of(row);
        view! { "They part at " <a class="link" href=href data-noscroll>{name}</a> ": " }
    });
    let changed = runs.rows.iter().filter(|row| !row.changes.is_empty()).count();
    let all = runs.rows.len();
    let show = move |only_changed: bool| {
        let href = move || {
            CompareQuery {
                only_changed,
                ..query.get()
            }
            .to_href()
        };
        let current = move || (query.read().only_changed == only_changed).then_some("true");
        let words = if only_changed {
            format!("Changed {changed}")
        } else {
            format!("All {all}")
        };
        view! { <a href=href aria-current=current data-noscroll>{words}</a> }
    };
    let cut = runs.is_cut.then(|| {
        view! {
            <div class="notice" data-tone="warn">
                <Icon name="warning"/>
                <div>"Only the first 5,000 steps of each run are compared; the figures above count all."</div>
            </div>
        }
    });
    let no_answers = (!runs.compares_answers).then(|| {
        view! { <span class="dim">"Answers are compared in runs of up to 1,000 steps"</span> }
    });
    let figures = figures(&runs.first, &runs.second);
    let (first, second) = (runs.first.clone(), runs.second.clone());
    let texts = texts(query, &runs);
    let names = names(&runs.rows);
    let runs = StoredValue::new(runs);
    view! {
        <section class="run-head" data-tone=said.tone aria-label="Result">
            <div class="cmp-head">
                <div class="verdict" data-tone=said.tone>
                    <div class="say">{named}{said.says}</div>
                    <p>{said.details}</p>
                </div>
                <ol class="cmp-runs" aria-label="The two runs">
                    <OneRun slug run=first letter="A"/>
                    <OneRun slug run=second letter="B"/>
                </ol>
            </div>
            {figures}
            {cut}
        </section>
        <div class="wf-tools">
            <div class="seg sm" role="group" aria-label="Show">{show(false)}{show(true)}</div>
            {no_answers}
            <span class="push row dim cmp-legend">
                <span class="row"><i class="cmp-key-a"></i>"A"</span>
                <span class="row"><i class="cmp-key-b"></i>"B, by kind"</span>
            </span>
        </div>
        {move || runs.with_value(|runs| steps(query, runs))}
        <div class="split" data-cols="2">
            {names}
            {texts}
        </div>
    }
}

#[component]
fn OneRun(slug: Memo<String>, run: RunSummary, letter: &'static str) -> impl IntoView {
    let (icon, class, word) = severity_glyph(run.status, run.severity);
    let short = text::short_id(&run.run_id).to_owned();
    let (name, at) = (run.name.clone(), run.started_at);
    let href = move || run_href(&slug.read(), &run.run_id);
    view! {
        <li>
            <span class="badge" data-tone="line">{letter}</span>
            <span class="status"><Icon name=icon class=class/><span class="vh">{word}</span></span>
            <a class="link" href=href>{name}</a>
            <span class="mono dim">{short}</span>
            <span class="num dim"><Time at/></span>
            <span class="dim">{word}</span>
        </li>
    }
}
