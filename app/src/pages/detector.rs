//! One detector: how often it is right, what it found, what it judges, by which version.

use domain::detector::DetectorDraft;
use domain::text::{counted, grouped};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::api::detectors::{
    DAYS, DetectorView, ListedDetector, ListedVersion, TRIED_RUNS, TrialView, read_detector,
};
use crate::context::use_slug;
use crate::pages::detectors::form::DetectorForm;
use crate::pages::detectors::left_out;
use crate::pages::detectors::parts::{bars, findings_table, judges, percent, precision};
use crate::pages::settings::use_admin_lock;
use crate::ui::form::{FormOutcome, Submit};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{detector_href, page_href, run_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// One detector.
#[component]
pub(crate) fn DetectorPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.read().get("detector").unwrap_or_default());
    let try_it = Memo::new(move |_| query.read().get("try").as_deref() == Some("1"));
    let resource = Resource::new(
        move || (slug.get(), id.get(), try_it.get()),
        |(slug, id, try_it)| read_detector(slug, id, try_it),
    );
    let above = Signal::derive(move || ("Detectors".to_owned(), page_href(&slug.read(), "detectors")));
    let tried = move || format!("{}?try=1#trial", detector_href(&slug.read(), &id.read()));
    view! {
        <TopBar tools=move || view! { <a class="btn" href=tried>{format!("Try on {TRIED_RUNS} runs")}</a> }>
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    let name = match resource.await {
                        Ok(view) => view.listed.detector.name,
                        Err(_shown_below) => "Detector".to_owned(),
                    };
                    view! {
                        <Title text=name.clone()/>
                        <Crumbs above title=name/>
                    }
                })}
            </Transition>
        </TopBar>
        <main id="main" class="page page-detector" tabindex="-1">
            <FormOutcome/>
            <Load
                resource
                what="The detector"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: DetectorView| loaded(&slug.read_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, view: DetectorView) -> AnyView {
    let DetectorView {
        listed,
        versions,
        findings,
        trial,
        ..
    } = view;
    let id = listed.detector.id.to_string();
    let href = detector_href(slug, &id);
    let draft = draft(&listed);
    let version = listed.detector.version;
    let head = head(&listed, &versions);
    let words = judges(&listed.detector);
    let found = listed.week.found;
    let days = days(&listed);
    let rows = versions
        .into_iter()
        .map(|own| version_row(own, version))
        .collect_view();
    view! {
        {head}
        {trial.map(|trial| tried(slug, trial))}
        {days}
        <section class="cell flush" aria-labelledby="found-title">
            <div class="head">
                <h2 id="found-title">"Findings"</h2>
                <span class="sub num">{format!("{} in {DAYS} days", grouped(found.unsigned_abs()))}</span>
            </div>
            {findings_table(slug, findings, &id)}
        </section>
        <div class="split">
            <section class="cell" aria-labelledby="what-title">
                <div class="head"><h2 id="what-title">"What it judges"</h2><span class="sub">{words}</span></div>
                <DetectorForm draft action=href.clone() submit="Save"/>
            </section>
            <section class="cell" aria-labelledby="versions-title">
                <div class="head"><h2 id="versions-title">"Versions"</h2><span class="sub">"a run is judged once by each"</span></div>
                <div class="scroll-x" tabindex="0" role="region" aria-label="Versions of the detector">
                    <table class="table compact">
                        <thead>
                            <tr>
                                <th scope="col">"Version"</th>
                                <th scope="col">"Since"</th>
                                <th class="n" scope="col">"Judged"</th>
                                <th class="n" scope="col">"Found"</th>
                                <th scope="col">"Marked real"</th>
                                <th scope="col">"What changed"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
                <Delete href/>
            </section>
        </div>
    }
    .into_any()
}

/// How often it is right, and the figures.
fn head(listed: &ListedDetector, versions: &[ListedVersion]) -> impl IntoView + use<> {
    let ListedDetector {
        detector,
        week,
        today,
        ..
    } = listed;
    let before = versions
        .iter()
        .find(|other| other.version < detector.version && other.sums.precision().is_some())
        .map(|other| {
            format!(
                "; version {} managed {} of {}",
                other.version,
                other.sums.real,
                other.sums.real + other.sums.noise
            )
        });
    let marked = week.real + week.noise;
    let (say, tone) = match week.precision() {
        None => (format!("Nobody has marked a finding of {DAYS} days yet"), None),
        Some(precision) => (
            format!(
                "{} of the {} that people marked in {DAYS} days {} real{}",
                week.real,
                counted(marked, "finding"),
                if week.real == 1 { "is" } else { "are" },
                before.unwrap_or_default()
            ),
            (precision >= 0.5).then_some("ok"),
        ),
    };
    let is_rule = detector.definition.template.is_rule();
    let cost = if is_rule {
        "It is a rule: judging costs nothing.".to_owned()
    } else {
        format!("Judging cost {}.", week.cost.to_short())
    };
    let reason = format!(
        "It judged {} and found {}. {cost} {} not marked yet.{}",
        counted(week.judged, "run"),
        grouped(week.found.unsigned_abs()),
        counted(week.unmarked, "finding"),
        left_out(today)
            .map(|words| format!(" Today: {words}."))
            .unwrap_or_default()
    );
    let share = (week.judged > 0).then(|| percent(week.found as f64 / week.judged as f64));
    let model = match (&detector.definition.model, is_rule) {
        (_, true) => "none, a rule".to_owned(),
        (Some(choice), false) => choice.model.clone(),
        (None, false) => "as set for detectors".to_owned(),
    };
    let of_cap = detector
        .daily_cap
        .map_or_else(|| "no cap".to_owned(), |cap| format!("of {}", cap.to_short()));
    let state = if detector.enabled { "on" } else { "off" };
    view! {
        <section class="run-head calm" aria-label="In short">
            <div class="verdict" data-tone=tone><h2>{say}</h2><p>{reason}</p></div>
            <dl class="facts run-facts">
                <div><dt>"State"</dt><dd>{state} <small>{format!(" version {}", detector.version)}</small></dd></div>
                <div><dt>"Looks for"</dt><dd>{detector.definition.template.label()}</dd></div>
                <div><dt>"Judged"</dt><dd>{grouped(week.judged.unsigned_abs())} <small>{format!(" {DAYS} days, {} % of matching", detector.sample.percent())}</small></dd></div>
                <div><dt>"Found"</dt><dd>{grouped(week.found.unsigned_abs())} <small>" "{share}</small></dd></div>
                <div><dt>"Precision"</dt><dd>{week.precision().map_or_else(|| "–".to_owned(), percent)} <small>{format!(" of {marked} marked")}</small></dd></div>
                <div><dt>"Model"</dt><dd>{model}</dd></div>
                <div><dt>"Today"</dt><dd>{today.cost.to_short()} <small>" "{of_cap}</small></dd></div>
                <div><dt>"Not judged"</dt><dd>{week.capped + week.refused} <small>" cap or budget"</small></dd></div>
                <div><dt>"Wrong form"</dt><dd>{week.retried} <small>{format!(" repaired or not, {} failed", week.failed)}</small></dd></div>
                <div><dt>"Quotes dropped"</dt><dd>{week.dropped_quotes}</dd></div>
            </dl>
        </section>
    }
}

fn days(listed: &ListedDetector) -> impl IntoView + use<> {
    let sum = |values: &[i64]| {
        let words: Vec<String> = values.iter().map(ToString::to_string).collect();
        words.join(", ")
    };
    let (found, judged) = (&listed.found_by_day, &listed.judged_by_day);
    let drawn = |label: &str, values: &[i64]| {
        view! {
            <section class="cell">
                <div class="head"><h2>{label.to_owned()}</h2><span class="sub num">{format!("{DAYS} days, today last")}</span></div>
                <svg class="plot bars" height="64" role="img" aria-label=format!("{label}: {}", sum(values)) inner_html=bars(values, 64.0)></svg>
            </section>
        }
    };
    view! {
        <div class="split">
            {drawn("Findings a day", found)}
            {drawn("Runs judged a day", judged)}
        </div>
    }
}

/// What it would have found.
fn tried(slug: &str, trial: TrialView) -> impl IntoView + use<> {
    let words = match &trial.found {
        Some(found) => format!(
            "It would have found {} in the last {}",
            found.len(),
            counted(trial.runs.into(), "run")
        ),
        None => format!(
            "It would have asked the model about {} of the last {}; trying that costs, so it is done by POST /api/detectors/…/try only",
            trial.sampled,
            counted(trial.runs.into(), "run")
        ),
    };
    let note = format!("{} match, {} in the sample", trial.matching, trial.sampled);
    let items = trial
        .found
        .unwrap_or_default()
        .into_iter()
        .map(|found| {
            view! { <li><a class="link" href=run_href(slug, &found.run_id)>{found.summary}</a></li> }
        })
        .collect_view();
    view! {
        <section class="cell" id="trial" aria-labelledby="trial-title">
            <div class="head"><h2 id="trial-title">{words}</h2><span class="sub num">{note}</span></div>
            <ul class="trial">{items}</ul>
        </section>
    }
}

fn version_row(own: ListedVersion, in_force: i32) -> impl IntoView {
    let is_it = own.version == in_force;
    view! {
        <tr aria-current=is_it.then_some("true")>
            <td class="main">
                {format!("v{} ", own.version)}
                {is_it.then(|| view! { <span class="badge" data-tone="accent">"in force"</span> })}
            </td>
            <td class="num"><Time at=own.since/></td>
            <td class="n">{grouped(own.sums.judged.unsigned_abs())}</td>
            <td class="n">{grouped(own.sums.found.unsigned_abs())}</td>
            <td>{precision(&own.sums)}</td>
            <td>{own.changed}</td>
        </tr>
    }
}

#[component]
fn Delete(href: String) -> impl IntoView {
    let locked = use_admin_lock();
    view! {
        <form class="form" method="post" action=format!("{href}/delete")>
            <p class="notice"><Icon name="info"/>"Deleting it deletes its findings and what people said of them."</p>
            <Submit label="Delete detector" variant="danger" locked/>
        </form>
    }
}

fn draft(listed: &ListedDetector) -> DetectorDraft {
    let detector = listed.detector.clone();
    DetectorDraft {
        name: detector.name,
        enabled: detector.enabled,
        every_run: detector.definition.conditions.is_empty(),
        definition: detector.definition,
        sample: detector.sample,
        daily_cap: detector.daily_cap,
    }
}
