//! The latest steps with conditions among the page's calls.

use domain::filter::encode_query;
use domain::series::SeriesBy;
use leptos::prelude::*;

use crate::api::scope::ScopeView;
use crate::pages::anomalies::steps_table;
use crate::pages::time_window::Page;
use crate::ui::links::page_href;

/// A few of them, and the way to all.
#[component]
pub(super) fn Latest(page: Page, view: ScopeView) -> impl IntoView {
    let Some(steps) = view.steps else {
        return ().into_any();
    };
    let query = page.query.get_untracked();
    let mut pairs: Vec<(&str, String)> = vec![(view.by.as_str(), view.name.clone())];
    pairs.extend(query.chips().into_iter().map(|(by, value)| (by.as_str(), value)));
    pairs.push(("range", "30d".to_owned()));
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let href = format!(
        "{}?{}",
        page_href(&page.slug.read_untracked(), "anomalies"),
        encode_query(pairs)
    );
    let of = if view.by == SeriesBy::Step { "" } else { " steps" };
    let body = if steps.items.is_empty() {
        view! { <p class="dim empty-line">"None in this window."</p> }.into_any()
    } else {
        steps_table(page.slug, steps.items, None).into_any()
    };
    view! {
        <section class="cell flush" aria-labelledby="latest-title">
            <div class="head">
                <h2 id="latest-title">{format!("Latest{of} with conditions")}</h2>
                <span class="sub">"by when the step began"</span>
                <a class="head-actions link" href=href>"Its anomalies"</a>
            </div>
            {body}
        </section>
    }
    .into_any()
}
