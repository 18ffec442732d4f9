//! One finding: the sentence, the words that show it where they stand, and whether it is real.

use domain::detector::{Evidence, Finding, JudgementState};
use domain::text::short_id;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::api::detectors::{FindingView, OtherJudgement, ShownQuote, read_finding};
use crate::context::use_slug;
use crate::pages::detectors::parts::{Mark, percent, run_name};
use crate::ui::form::FormOutcome;
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{detector_href, finding_href, page_href, run_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// One finding.
#[component]
pub(crate) fn FindingPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("finding").unwrap_or_default());
    let resource = Resource::new(
        move || (slug.get(), id.get()),
        |(slug, id)| read_finding(slug, id),
    );
    let above = Signal::derive(move || ("Findings".to_owned(), page_href(&slug.read(), "findings")));
    view! {
        <Title text="Finding"/>
        <TopBar><Crumbs above title="Finding"/></TopBar>
        <main id="main" class="page page-finding" tabindex="-1">
            <FormOutcome/>
            <Load
                resource
                what="The finding"
                skeleton={|| view! { <SkeletonRows rows=12/> }}
                children={move |view: FindingView| loaded(&slug.read_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, view: FindingView) -> AnyView {
    let FindingView {
        finding,
        quotes,
        week,
        others,
        alike,
    } = view;
    let detector = detector_href(slug, &finding.detector_id.to_string());
    let name = run_name(&finding);
    let by = match &finding.model {
        Some(model) => format!("{model}, version {}", finding.version),
        None => format!("a rule, version {}", finding.version),
    };
    let cost = finding.cost_nano_usd.map(|cost| format!(", {}", cost.to_short()));
    let precise = week
        .precision()
        .map(|precision| format!("{} of {} were real", percent(precision), week.real + week.noise));
    let evidence = finding
        .evidence
        .iter()
        .zip(quotes)
        .enumerate()
        .map(|(nth, (evidence, quote))| quoted(slug, &finding, nth + 1, evidence, quote))
        .collect_view();
    let has_quote = finding.evidence.iter().any(|evidence| evidence.quote.is_some());
    let held = match (has_quote, finding.dropped_quotes) {
        (false, _) => String::new(),
        (true, 0) => "every quote occurs in the run".to_owned(),
        (true, dropped) => {
            format!("what is quoted occurs in the run; {dropped} more did not and were dropped")
        }
    };
    let data = serde_json::to_string_pretty(&finding.data).unwrap_or_default();
    let judged_in = finding.judged_in.clone().map(|run| {
        view! { <p class="dim small"><a class="link" href=run_href(slug, &run)>"The judge’s own run"</a></p> }
    });
    let id = finding.id.to_string();
    view! {
        <section class="run-head calm" aria-label="In short">
            <div class="verdict" data-tone="warn">
                <h2 class="find-say">{finding.summary.clone()}</h2>
                <p>
                    "In " <a class="link" href=run_href(slug, &finding.run_id)>{name}</a>
                    " " <span class="mono dim">{short_id(&finding.run_id).to_owned()}</span>
                    ", found " <Time at=finding.created_at/> " by "
                    <a class="link" href=detector.clone()>{finding.detector.clone()}</a>
                    {format!(" ({by}")}{cost}")"
                </p>
            </div>
            <div class="row">
                <span class="label">"Is it real?"</span>
                <Mark slug=slug.to_owned() id verdict=finding.feedback back=String::new()/>
                <span class="push dim num">{precise}</span>
            </div>
        </section>
        <div class="split" data-cols="2-1">
            <section class="cell" aria-labelledby="shows-title">
                <div class="head"><h2 id="shows-title">"What shows it"</h2><span class="sub">{held}</span></div>
                <div class="clash">{evidence}</div>
            </section>
            <section class="cell" aria-labelledby="answer-title">
                <div class="head"><h2 id="answer-title">"Data"</h2><span class="sub">{finding.template.label()}</span></div>
                <pre class="code wrap" tabindex="0" aria-label="Data of the finding">{data}</pre>
                {judged_in}
            </section>
        </div>
        <div class="split">
            {others_of(slug, others)}
            {elsewhere(slug, alike)}
        </div>
    }
    .into_any()
}

fn quoted(
    slug: &str,
    finding: &Finding,
    number: usize,
    evidence: &Evidence,
    quote: Option<ShownQuote>,
) -> impl IntoView + use<> {
    let query = domain::filter::encode_query([("step", evidence.step_id.as_str())]);
    let href = format!("{}?{query}", run_href(slug, &finding.run_id));
    let place = match (evidence.text, evidence.from_byte, evidence.to_byte) {
        (Some(text), Some(from), Some(to)) => format!(", {}, bytes {from} to {to}", text.as_str()),
        _ => String::new(),
    };
    let step = if evidence.step.trim().is_empty() {
        "step without a name".to_owned()
    } else {
        evidence.step.clone()
    };
    let words = match (quote, &evidence.quote) {
        (Some(quote), _) => {
            view! { <span class="words">{quote.before}<mark>{quote.quote}</mark>{quote.after}</span> }
                .into_any()
        }
        (None, Some(quote)) => view! { <span class="words"><mark>{quote.clone()}</mark></span> }.into_any(),
        (None, None) => ().into_any(),
    };
    view! {
        <blockquote>
            <span class="row"><b class="num">{number}</b><a class="link" href=href>{step}</a>{place}</span>
            {words}
        </blockquote>
    }
}

fn others_of(slug: &str, others: Vec<OtherJudgement>) -> impl IntoView + use<> {
    let count = others.len();
    let items = others
        .into_iter()
        .map(|other| {
            let (icon, class, words) = match other.state {
                JudgementState::Clear => ("ok", "st-ok", "nothing found"),
                JudgementState::Found => ("detectors", "st-warn", "found something"),
                JudgementState::Judging => ("running", "dim", "is judging"),
                JudgementState::Failed => ("x", "st-bad", "no answer"),
                JudgementState::Capped => ("paused", "dim", "not judged: cap reached"),
                JudgementState::Refused => ("paused", "dim", "not judged: no model or budget"),
            };
            view! {
                <li title=other.reason>
                    <Icon name=icon class=class/>
                    <span><a href=detector_href(slug, &other.detector_id)>{other.detector}</a></span>
                    <span class="push dim">{words}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="others-title">
            <div class="head"><h2 id="others-title">"Other detectors on this run"</h2><span class="sub num">{format!("{count} judged it")}</span></div>
            <ul class="judged">{items}</ul>
        </section>
    }
}

fn elsewhere(slug: &str, alike: Vec<Finding>) -> impl IntoView + use<> {
    let items = alike
        .into_iter()
        .map(|finding| {
            let said = finding.feedback.map_or("not marked", domain::Verdict::as_str);
            view! {
                <li>
                    <span><a href=finding_href(slug, &finding.id.to_string())>{finding.summary}</a></span>
                    <span class="push dim">{said}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="elsewhere-title">
            <div class="head"><h2 id="elsewhere-title">"By the same detector"</h2></div>
            <ul class="judged">{items}</ul>
        </section>
    }
}
