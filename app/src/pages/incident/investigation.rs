//! What a model found out about an incident: its verdict with what holds of it, and how it got there, as it happens.

use domain::{Role, WorkState};
use leptos::prelude::*;

use crate::api::incidents::IncidentView;
use crate::api::inquiries::{ClaimView, InquiryView, VerdictView};
use crate::context::use_may;
use crate::pages::incidents::probability_text;
use crate::pages::look_ups::{LookUps, state_badge};
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, incident_href};
use crate::ui::time::Time;

/// The section of an incident's page.
#[component]
pub(super) fn Investigation(slug: String, view: IncidentView) -> impl IntoView {
    let incident_id = view.id.clone();
    match view.investigation {
        None => view! {
            <section class="cell" aria-labelledby="investigation-title">
                <div class="head">
                    <h2 id="investigation-title">"Investigation"</h2>
                    <span class="sub">"by a model, with look-ups in this project and its pull requests"</span>
                    <div class="head-actions"><Start slug id=incident_id label="Investigate"/></div>
                </div>
                <p class="dim">"Nobody has had this looked into yet. Each claim is held to what was looked up; what does not hold is dropped."</p>
            </section>
        }
        .into_any(),
        Some(inquiry) => view! { <Investigated slug id=incident_id inquiry/> }.into_any(),
    }
}

/// A form that begins one.
#[component]
fn Start(slug: String, id: String, label: &'static str) -> impl IntoView {
    let may = use_may(Role::Member);
    let action = format!("{}/investigation", incident_href(&slug, &id));
    may.get_untracked().then(|| {
        view! {
            <div class="row">
                <form method="post" action=action>
                    <button class="btn" type="submit"><Icon name="spark"/>{label}</button>
                </form>
                <a class="btn" href="?ask=1" data-noscroll><Icon name="chat"/>"Ask"</a>
            </div>
        }
    })
}

#[component]
fn Investigated(slug: String, id: String, inquiry: InquiryView) -> impl IntoView {
    let look_ups = domain::text::counted(inquiry.look_ups() as i64, "look-up");
    let rounds = domain::text::counted(i64::from(inquiry.rounds), "round");
    let error = inquiry.error.clone().map(|error| {
        view! { <p class="notice" role="status"><Icon name="warning"/>{error}</p> }
    });
    let again = inquiry.state.is_over().then(|| {
        view! { <Start slug=slug.clone() id=id.clone() label="Run again"/> }
    });
    let verdict = inquiry
        .verdict
        .clone()
        .map(|verdict| view! { <Verdict slug=slug.clone() verdict/> });
    let state = inquiry.state.as_str();
    let whole = format!("/api/incidents/{id}/investigation?project={slug}");
    let is_cut = inquiry.is_cut.then(|| {
        view! {
            <p class="hint form-note">
                "Of long texts only the beginning is shown. "
                <a class="link" rel="external" href=whole>"All of it, as JSON"</a>
            </p>
        }
    });
    view! {
        <div class="inv" data-state=state>
            <div>
                <section class="cell" aria-labelledby="investigation-title">
                    <div class="head">
                        <h2 id="investigation-title">"Investigation"</h2>
                        {state_badge(&inquiry)}
                        <div class="head-actions">{again}</div>
                    </div>
                    {error}
                    {verdict}
                </section>
                <section class="cell flush tl-cell" aria-labelledby="steps-title">
                    <div class="head">
                        <h2 id="steps-title">"How it got there"</h2>
                        <span class="sub num">{format!("{rounds}, {look_ups}")}</span>
                    </div>
                    {is_cut}
                    <LookUps slug=slug.clone() inquiry=inquiry.clone() has_anchors=true/>
                </section>
            </div>
            <div>
                <Facts inquiry id/>
            </div>
        </div>
    }
}

/// How sure that sounds.
fn sureness(confidence: f64) -> &'static str {
    if confidence >= 0.85 {
        "sure"
    } else if confidence >= 0.6 {
        "fairly sure"
    } else {
        "not sure"
    }
}

#[component]
fn Verdict(slug: String, verdict: VerdictView) -> impl IntoView {
    let is_of_model = verdict.source == "model";
    let rubric = verdict
        .ledger
        .confidence
        .map_or_else(String::new, |confidence| format!(", rubric {confidence:.2}"));
    let ledger = format!(
        "the ledger’s own probability is {}{rubric}",
        probability_text(verdict.ledger.probability)
    );
    let second = if !is_of_model {
        format!("This is what the ledger concludes without a model; {ledger}.")
    } else if verdict.agrees {
        format!(
            "The model is {}; {ledger}. They agree.",
            sureness(verdict.confidence)
        )
    } else {
        format!(
            "The model is {}; {ledger}. They disagree: the ledger says “{}”",
            sureness(verdict.confidence),
            verdict.ledger.sentence
        )
    };
    let split = (!verdict.split.of.is_empty()).then(|| {
        let split = &verdict.split;
        let words = format!(
            "Of {} {}, {} is price per call and {} is volume.",
            split.of, split.per, split.price, split.volume
        );
        view! { <p class="num">{words}</p> }
    });
    let deploy = verdict.deploy_id.as_deref().map(|deploy_id| {
        let name = verdict.deploy.clone().unwrap_or_else(|| deploy_id.to_owned());
        view! { <p><a class="link" href=deploy_href(&slug, deploy_id)>{format!("What {name} moved")}</a></p> }
    });
    let claims = domain::text::counted(verdict.evidence.len() as i64, "claim");
    let dropped = (!verdict.dropped.is_empty()).then(|| {
        let rows = verdict
            .dropped
            .iter()
            .map(|one| view! { <li>{one.text.clone()}<span class="dp-sub">{one.reason.clone()}</span></li> })
            .collect_view();
        view! {
            <details class="numbers">
                <summary>{format!("{} dropped, because they do not hold", domain::text::counted(i64::from(verdict.dropped_claims), "claim"))}</summary>
                <ul class="similar">{rows}</ul>
            </details>
        }
    });
    view! {
        <div class="verdict" data-tone="critical">
            <div class="say">{verdict.cause.clone()}</div>
            <p>{second}</p>
            {split}
            {deploy}
        </div>
        <div class="inv-v">
            <div>
                <div class="head">
                    <h2>"Evidence"</h2>
                    <span class="sub num">{format!("{claims}, {} dropped", verdict.dropped_claims)}</span>
                </div>
                <ol class="evid">
                    {verdict
                        .evidence
                        .iter()
                        .map(|claim| {
                            view! {
                                <li>
                                    <Icon name="check" class="st-accent"/>
                                    <span>{claim.text.clone()}" "{cites(&slug, claim)}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ol>
                {dropped}
            </div>
            <div>
                <div class="head"><h2>"Recommendation"</h2></div>
                <ol class="inv-advice">
                    {verdict
                        .recommendations
                        .iter()
                        .map(|claim| view! { <li>{claim.text.clone()}" "{cites(&slug, claim)}</li> })
                        .collect_view()}
                </ol>
            </div>
        </div>
    }
}

/// What a claim rests on, as links.
fn cites(slug: &str, claim: &ClaimView) -> impl IntoView + use<> {
    claim
        .cites
        .iter()
        .filter_map(|cite| match (cite.look_up, &cite.deploy_id) {
            (Some(number), _) => {
                let label = format!("Look-up {number}");
                Some(view! { <a class="cite num" href=format!("#look-up-{number}") aria-label=label>{number}</a> }.into_any())
            }
            (None, Some(deploy_id)) => Some(
                view! {
                    <a class="cite" href=deploy_href(slug, deploy_id) aria-label=format!("Deploy {deploy_id}")><Icon name="deploys" class="sm"/></a>
                }
                .into_any(),
            ),
            (None, None) => None,
        })
        .collect_view()
}

#[component]
fn Facts(inquiry: InquiryView, id: String) -> impl IntoView {
    let cost = match (inquiry.cost, &inquiry.model) {
        (Some(cost), _) => cost.to_short(),
        (None, Some(_)) => "unknown".to_owned(),
        (None, None) => "nothing".to_owned(),
    };
    let has_ended = matches!(
        inquiry.state,
        WorkState::Done | WorkState::Failed | WorkState::Refused
    );
    let ended = inquiry.finished_at.filter(|_| has_ended);
    view! {
        <section class="cell" aria-labelledby="facts-title">
            <div class="head"><h2 id="facts-title">"This investigation"</h2></div>
            <dl class="kv">
                <dt>"Started"</dt>
                <dd>{format!("by {}, ", inquiry.asked_by)}<Time at=inquiry.asked_at/></dd>
                {ended.map(|at| view! { <dt>"Ended"</dt><dd><Time at/></dd> })}
                <dt>"Model"</dt>
                <dd>{inquiry.model.clone().unwrap_or_else(|| "none".to_owned())}</dd>
                <dt>"Cost"</dt>
                <dd class="num">{cost}</dd>
                <dt>"Rounds"</dt>
                <dd class="num">{format!("{} of 14", inquiry.rounds)}</dd>
                <dt>"Terminal"</dt>
                <dd><code class="inline">{format!("plumbline analyze {id}")}</code></dd>
            </dl>
        </section>
        <section class="cell" aria-labelledby="may-title">
            <div class="head"><h2 id="may-title">"What it may do"</h2></div>
            <ul class="may">
                <li><Icon name="check" class="st-ok"/>"read the ledger, deploys, templates"</li>
                <li><Icon name="check" class="st-ok"/>"read pull requests and files of the connected repository"</li>
                <li><Icon name="x" class="dim"/>"change anything, read other projects"</li>
                <li><Icon name="info" class="dim"/>"a fix is drafted apart, and pushed by you alone"</li>
            </ul>
        </section>
    }
}
