//! The page in one sentence: after which deploy something got worse; else how cost moved.

use domain::series::Metric;
use leptos::prelude::*;

use super::Page;
use crate::api::overview::{OverviewView, Worse};
use crate::models::rollout_words::{basis, deploy_name, moved, ratio};
use crate::ui::links::{deploy_href, page_href};
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
    let body = match view.worse.clone() {
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
    let text = |value: f64| engine::series::text(value, Metric::Cost.unit());
    let head = match (now, before) {
        (Some(now), Some(before)) if before > 0.0 => {
            let change = now / before - 1.0;
            if change.abs() < 0.05 {
                format!("{} in {window}, about as in the {window} before", text(now))
            } else {
                let verb = if change > 0.0 { "rose" } else { "fell" };
                let by = ratio(change);
                let by = by.trim_start_matches(['+', '−']);
                format!(
                    "Cost {verb} {by} against the {window} before: {} → {}",
                    text(before),
                    text(now)
                )
            }
        }
        (Some(now), _) => format!("{} in {window}, and nothing to compare it with", text(now)),
        (None, _) => format!("No known cost in {window}"),
    };
    let reason = match (view.deploys.len(), view.compared) {
        (0, _) => {
            "No deploy is recorded in this window. POST /api/deploys, one line in any CI, tells what ships."
                .to_owned()
        }
        (_, 0) => "None of the deploys in this window went live.".to_owned(),
        (1, _) => "Nothing got clearly worse after the one deploy in this window.".to_owned(),
        (all, compared) if compared < all => {
            format!("Nothing got clearly worse after the latest {compared} of {all} deploys in this window.")
        }
        (all, _) => format!("Nothing got clearly worse after any of the {all} deploys in this window."),
    };
    Say { head, reason }
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
