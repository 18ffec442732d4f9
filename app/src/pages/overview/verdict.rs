//! The page in one sentence: the incident that is open, with its cause; else after which deploy something got worse; else
//! how cost moved.

use domain::series::Metric;
use domain::{CauseAnswer, IncidentStatus};
use engine::incidents::attribution::VerdictKind;
use leptos::prelude::*;

use super::Page;
use crate::api::incidents::ListedIncident;
use crate::api::overview::{OverviewView, Worse};
use crate::models::cost_words::{Compared, cost_moved, nothing_worse};
use crate::models::rollout_words::{basis, deploy_name, moved};
use crate::pages::incidents::{cause_badge, figures, probability_text};
use crate::ui::links::{deploy_href, incident_href, page_href};
use crate::ui::time::use_time_text;

/// What the sentence says when no deploy is named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Say {
    head: String,
    reason: String,
}

/// The sentence above the data.
#[component]
pub(super) fn VerdictSentence(page: Page, view: OverviewView) -> impl IntoView {
    let said = worth_saying(&view.incidents);
    let body = match view.worse.clone() {
        _ if !said.is_empty() => incidents(page, said).into_any(),
        Some(worse) => named(page, worse, view.compared).into_any(),
        None => {
            let say = say(&view, &page.query.read_untracked().range.label());
            let slug = page.slug;
            let list = (!view.deploys.is_empty()).then(|| {
                view! { " "<a class="link" href=move || page_href(&slug.read(), "deploys")>"All deploys"</a> }
            });
            view! {
                <div class="verdict">
                    <h2>{say.head}</h2>
                    <p>{say.reason}{list}</p>
                </div>
            }
            .into_any()
        }
    };
    view! { <section class="cell" aria-label="In short">{body}</section> }
}

/// What is open; else what a deploy caused in the window and became normal.
fn worth_saying(incidents: &[ListedIncident]) -> Vec<ListedIncident> {
    let open = incidents
        .iter()
        .filter(|incident| incident.status == IncidentStatus::Open);
    let open: Vec<ListedIncident> = open.cloned().collect();
    if !open.is_empty() {
        return open;
    }
    let by_deploy = incidents.iter().filter(|incident| {
        incident.status == IncidentStatus::Accepted
            && matches!(incident.verdict, VerdictKind::Deploy | VerdictKind::Probably)
            && incident.answer != Some(CauseAnswer::Refused)
    });
    by_deploy.take(1).cloned().collect()
}

/// An incident has a cause, which a comparison around a deploy has not.
fn incidents(page: Page, said: Vec<ListedIncident>) -> impl IntoView + use<> {
    let time = use_time_text();
    let slug = page.slug.get_untracked();
    let count = said.len();
    let is_open = said
        .iter()
        .any(|incident| incident.status == IncidentStatus::Open);
    let mut said = said.into_iter();
    let first = said.next().map(|incident| {
        let href = incident_href(&slug, &incident.id);
        let (onset, badge) = (incident.onset, cause_badge(&slug, &incident));
        let state = if is_open {
            format!("{}, this one since ", domain::text::counted(count as i64, "open incident"))
        } else {
            "Normal by now: seven stable days. It began ".to_owned()
        };
        view! {
            <h2><a href=href>{incident.sentence.clone()}</a></h2>
            <p>
                {state}
                {move || time(onset)}
                ". Cause: "
                {badge}
                {format!(" {}, probability {}. ", incident.cause_note, probability_text(incident.probability))}
                <a class="link" href=page_href(&slug, "incidents")>"All incidents"</a>
            </p>
        }
    });
    let others = said
        .map(|incident| {
            let badge = cause_badge(&slug, &incident);
            view! {
                <li><a class="link" href=incident_href(&slug, &incident.id)>{incident.name.clone()}</a>" "{badge}" "<span class="dim num">{figures(&incident)}</span></li>
            }
        })
        .collect_view();
    view! {
        <div class="verdict" data-tone=is_open.then_some("critical")>
            {first}
            <ul class="open-incs">{others}</ul>
        </div>
    }
}

fn named(page: Page, worse: Worse, compared: usize) -> impl IntoView + use<> {
    let time = use_time_text();
    let href = deploy_href(&page.slug.read_untracked(), &worse.deploy.id);
    let Worse {
        deploy,
        key,
        effect,
        switched,
    } = worse;
    let live_at = deploy.at();
    let head = format!("After {} {}", deploy.name(), moved(&key, &effect));
    let switched = switched.map(|switched| format!(" On {key}, {switched}."));
    let others = match compared.saturating_sub(1) {
        0 => String::new(),
        1 => " One other deploy was compared with what was before it.".to_owned(),
        n => format!(" {n} other deploys were compared with what was before them."),
    };
    view! {
        <div class="verdict" data-tone="critical">
            <h2><a href=href.clone()>{head}</a></h2>
            <p>
                <a class="link" href=href>{deploy_name(&deploy)}</a>
                ", live since "
                {move || time(live_at)}
                ": "
                {basis(&effect)}
                "."
                {switched}
                {others}
            </p>
        </div>
    }
}

fn say(view: &OverviewView, window: &str) -> Say {
    let cost = view.cells.iter().find(|cell| cell.metric == Metric::Cost);
    let (now, before) = cost.map_or((None, None), |cell| (cell.now, cell.before));
    let compared = match &view.since {
        Some((deploy, _)) => Compared::since(&deploy.name()),
        None => Compared::with_before(window),
    };
    Say {
        head: cost_moved(now, before, &compared),
        reason: nothing_worse(view.deploys.len(), view.compared),
    }
}

#[cfg(test)]
mod tests {
    use domain::series::Bucket;
    use domain::{DeployRecord, Timestamp};

    use super::*;
    use crate::api::overview::Cell;
    use crate::models::overview_query::OverviewSpan;

    fn view(now: Option<f64>, before: Option<f64>, deploys: usize, compared: usize) -> OverviewView {
        let at = Timestamp::from_micros(0);
        let deploy = DeployRecord {
            sha: "c4e2117".to_owned(),
            ..DeployRecord::default()
        };
        OverviewView {
            now: at,
            span: OverviewSpan {
                before_from: at,
                from: at,
                to: at,
                bucket: Bucket::Day,
            },
            cells: vec![Cell {
                metric: Metric::Cost,
                now,
                before,
                buckets: Vec::new(),
            }],
            parts: Vec::new(),
            deploys: vec![deploy.applied_to(None, at); deploys],
            compared,
            worse: None,
            since: None,
            incidents: Vec::new(),
            movers: Vec::new(),
            movers_of_halves: false,
            critical: Vec::new(),
            facets: domain::run::Facets::default(),
            unpriced: 0,
            any_run: true,
        }
    }

    #[test]
    fn without_a_deploy_to_name_the_sentence_is_about_cost() {
        let check = |view: OverviewView, head: &str, reason: &str| {
            let said = say(&view, "30 days");
            assert_eq!(said.head, head);
            assert!(said.reason.starts_with(reason), "{}", said.reason);
        };
        check(
            view(Some(21.87e9), Some(8.66e9), 0, 0),
            "Cost rose ×2.5 against the 30 days before: $8.66 → $21.87",
            "No deploy is recorded",
        );
        check(
            view(Some(8.0e9), Some(10.0e9), 1, 1),
            "Cost fell 20 % against the 30 days before: $10.00 → $8.00",
            "Nothing got clearly worse after the one deploy",
        );
        check(
            view(Some(8.66e9), Some(8.5e9), 12, 8),
            "$8.66 in 30 days, about as in the 30 days before",
            "Nothing got clearly worse after the latest 8 of 12",
        );
        check(
            view(Some(8.66e9), None, 2, 2),
            "$8.66 in 30 days, and nothing to compare it with",
            "Nothing got",
        );
        check(
            view(None, None, 1, 0),
            "No known cost in 30 days",
            "None of the deploys",
        );
    }
}
