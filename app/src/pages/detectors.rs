//! The list of detectors: what judges runs, how often it is right, what it costs.

pub(crate) mod form;
pub(crate) mod parts;

use domain::NanoUsd;
use domain::detector::{DetectorDraft, Template};
use domain::text::{counted, grouped};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::form::DetectorForm;
use self::parts::{bars, findings_table, judges, list_href, percent, precision};
use crate::api::detectors::{DAYS, DetectorsView, ListedDetector, Sums, list_detectors};
use crate::context::{use_may, use_slug};
use crate::ui::form::FormOutcome;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{detector_href, page_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::menu::Menu;

/// What judges finished runs.
#[component]
pub(crate) fn DetectorsPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let new = Memo::new(move |_| query.read().get("new").as_deref().and_then(Template::parse));
    let resource = Resource::new(move || slug.get(), list_detectors);
    view! {
        <Title text="Detectors"/>
        <TopBar tools=move || view! { <NewDetector slug/> }>
            <h1>"Detectors"</h1>
        </TopBar>
        <main id="main" class="page page-detectors" tabindex="-1">
            <FormOutcome/>
            {move || new.get().map(|template| new_form(&slug.read(), template))}
            <Load
                resource
                what="The detectors"
                skeleton={|| view! { <SkeletonRows rows=12/> }}
                children={move |view: DetectorsView| loaded(&slug.read_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

/// The templates, each a link to its form.
#[component]
fn NewDetector(slug: Memo<String>) -> impl IntoView {
    let may = use_may(domain::Role::Admin);
    let links = move |is_rule: bool| {
        Template::ALL
            .iter()
            .filter(move |template| template.is_rule() == is_rule)
            .map(|template| {
                let href = move || format!("{}?new={}", list_href(&slug.read()), template.as_str());
                view! { <li><a href=href>{template.label()}</a></li> }
            })
            .collect_view()
    };
    move || {
        may.get().then(|| {
            view! {
                <Menu summary=|| view! { <Icon name="plus"/>"New detector" }>
                    <ul class="menu-list">{links(true)} {links(false)}</ul>
                </Menu>
            }
        })
    }
}

fn new_form(slug: &str, template: Template) -> impl IntoView + use<> {
    view! {
        <section class="cell" aria-labelledby="new-title">
            <div class="head">
                <h2 id="new-title">"New detector"</h2>
                <span class="sub">{template.label()}</span>
                <div class="head-actions"><a class="btn sm" href=list_href(slug)>"Cancel"</a></div>
            </div>
            <DetectorForm draft=DetectorDraft::of(template) action=list_href(slug) submit="Make detector"/>
        </section>
    }
}

fn loaded(slug: &str, view: DetectorsView) -> AnyView {
    if view.detectors.is_empty() {
        return view! {
            <div class="state">
                <Icon name="detectors"/>
                <b>"Nothing judges your runs yet"</b>
                <p>"A detector looks at every finished run: by a rule that costs nothing, or by a model with a key of yours."</p>
                <div class="row">
                    <a class="btn" href=format!("{}?new=repeated_tool", list_href(slug))>"Tool repeated"</a>
                    <a class="btn" href=format!("{}?new=swallowed_error", list_href(slug))>"Error swallowed"</a>
                    <a class="btn" href=format!("{}?new=hallucination", list_href(slug))>"Hallucination"</a>
                </div>
            </div>
        }
        .into_any();
    }
    let (head, reason) = sentence(&view.detectors);
    let count = view.detectors.len();
    let shown = view.findings.len();
    let found = view.detectors.iter().map(|listed| listed.week.found).sum::<i64>();
    let rows = view
        .detectors
        .into_iter()
        .map(|listed| row(slug, listed))
        .collect_view();
    view! {
        <section class="cell" aria-label="In short">
            <div class="verdict"><h2>{head}</h2><p>{reason}</p></div>
        </section>
        <section class="cell flush" aria-labelledby="detectors-title">
            <div class="head">
                <h2 id="detectors-title">"Detectors"</h2>
                <span class="sub num">{format!("{count}, one rule version judges a run once")}</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Detectors and what they found">
                <table class="table rows bleed dets">
                    <thead>
                        <tr>
                            <th class="dt-o" scope="col">"On"</th>
                            <th class="dt-n" scope="col">"Detector"</th>
                            <th class="dt-w" scope="col">"Judges"</th>
                            <th class="n" scope="col">"Sample"</th>
                            <th class="n dt-j" scope="col">"Judged"</th>
                            <th class="n dt-f" scope="col">"Found"</th>
                            <th class="dt-g" scope="col">{format!("{DAYS} days")}</th>
                            <th class="dt-p" scope="col">"Marked real"</th>
                            <th class="dt-g" scope="col">"Today, cap"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
        <section class="cell flush" aria-labelledby="findings-title">
            <div class="head">
                <h2 id="findings-title">"Latest findings"</h2>
                <span class="sub num">{format!("{shown} shown, {} in {DAYS} days", grouped(found.unsigned_abs()))}</span>
                <a class="head-actions link" href=page_href(slug, "findings")>"All findings"</a>
            </div>
            {findings_table(slug, view.findings, "list")}
        </section>
    }
    .into_any()
}

fn row(slug: &str, listed: ListedDetector) -> impl IntoView + use<> {
    let ListedDetector {
        detector,
        week,
        today,
        found_by_day,
        ..
    } = listed;
    let id = detector.id.to_string();
    let href = detector_href(slug, &id);
    let words = judges(&detector);
    let template = detector.definition.template;
    let model = detector
        .definition
        .model
        .as_ref()
        .map(|choice| choice.model.clone());
    let (is_on, is_off, label) = if detector.enabled {
        ("true", "false", "On")
    } else {
        ("false", "true", "Off")
    };
    let locked = crate::pages::settings::use_admin_lock();
    view! {
        <tr data-off=is_off>
            <td class="dt-o">
                <form method="post" action=format!("{href}/switch")>
                    {(!detector.enabled).then(|| view! { <input type="hidden" name="on" value="on"/> })}
                    <button class="btn sm" type="submit" aria-pressed=is_on aria-label=format!("{} on", detector.name) disabled=move || !locked.read().is_empty()>{label}</button>
                </form>
            </td>
            <td class="main dt-n">
                <a href=href>{detector.name}</a>
                <span class="dp-sub">{template.label()}{model.map(|model| view! { <span>{model}</span> })}</span>
            </td>
            <td class="dt-w" title=words.clone()>{words.clone()}</td>
            <td class="n">{format!("{} %", detector.sample.percent())}</td>
            <td class="n t dt-j">{grouped(week.judged.unsigned_abs())}</td>
            <td class="n t dt-f">{grouped(week.found.unsigned_abs())}</td>
            <td class="dt-g"><svg class="plot bars" height="22" aria-hidden="true" inner_html=bars(&found_by_day, 22.0)></svg></td>
            <td class="dt-p">{precision(&week)}</td>
            <td class="dt-g">{cap(template, detector.daily_cap, &today)}</td>
        </tr>
    }
}

/// What of the day's cap is spent, and what was not judged for it.
fn cap(template: Template, cap: Option<NanoUsd>, today: &Sums) -> AnyView {
    if template.is_rule() {
        return view! { <span class="dim">"free"</span> }.into_any();
    }
    let part = cap
        .filter(|cap| cap.0 > 0)
        .map_or(0.0, |cap| (today.cost.0 as f64 / cap.0 as f64).min(1.0));
    let class = if today.capped > 0 { "cap-full" } else { "cap-fill" };
    let bar = format!(
        r#"<rect class="track" width="100%" height="4"/><rect class="{class}" width="{:.1}%" height="4"/>"#,
        part * 100.0
    );
    let left_out = left_out(today);
    view! {
        <span class="cap num">
            <span class="row">
                <span>{today.cost.to_short()}</span>
                <span class="dim">{cap.map_or_else(|| "no cap".to_owned(), |cap| format!("of {}", cap.to_short()))}</span>
            </span>
            <svg class="capbar" height="4" aria-hidden="true" inner_html=bar></svg>
        </span>
        {left_out.map(|words| view! { <span class="dp-sub st-warn">{words}</span> })}
    }
    .into_any()
}

/// Why runs of today are not judged.
pub(crate) fn left_out(today: &Sums) -> Option<String> {
    match (today.capped, today.refused, today.failed) {
        (0, 0, 0) => None,
        (0, 0, failed) => Some(format!("{failed} without an answer")),
        (0, refused, _) => Some(format!("{refused} refused: no model or budget")),
        (capped, ..) => Some(format!("cap reached, {capped} not judged")),
    }
}

/// What they judged and found, and what was left out.
fn sentence(detectors: &[ListedDetector]) -> (String, String) {
    let week = detectors
        .iter()
        .fold(Sums::default(), |sums, listed| sums.plus(listed.week));
    let real = match week.precision() {
        Some(precision) => format!(
            "; of the {} that people marked, {} are real",
            week.real + week.noise,
            percent(precision)
        ),
        None => String::new(),
    };
    let head = format!(
        "{} judged {} in {DAYS} days and found {}{real}",
        counted(detectors.len() as i64, "detector"),
        counted(week.judged, "run"),
        grouped(week.found.unsigned_abs())
    );
    let mut reasons: Vec<String> = detectors
        .iter()
        .filter(|listed| listed.detector.enabled)
        .filter_map(|listed| {
            Some(format!(
                "{}: {} today.",
                listed.detector.name,
                left_out(&listed.today)?
            ))
        })
        .collect();
    let off = detectors.iter().filter(|listed| !listed.detector.enabled).count();
    if off > 0 {
        reasons.push(format!("{} off.", counted(off as i64, "detector")));
    }
    reasons.push(format!(
        "Judging cost {}, part of the model budget.",
        week.cost.to_short()
    ));
    (head, reasons.join(" "))
}
