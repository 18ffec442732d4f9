//! What detectors found in the run.

use domain::detector::Finding;
use leptos::prelude::*;

use super::Page;
use crate::error::ApiError;
use crate::ui::icon::Icon;
use crate::ui::links::{detector_href, finding_href};

/// The findings of a run.
pub(super) type RunFindings = Resource<Result<Vec<Finding>, ApiError>>;

/// The findings, a line each; nothing where there is none. Read again when something of the run changes.
#[component]
pub(super) fn Found(page: Page, findings: RunFindings) -> impl IntoView {
    let live = page.live;
    Effect::new(move |before: Option<()>| {
        live.last.track();
        if before.is_some() {
            findings.refetch();
        }
    });
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                let found = findings.await.unwrap_or_default();
                (!found.is_empty()).then(|| lines(&page.slug.read_untracked(), found))
            })}
        </Transition>
    }
}

fn lines(slug: &str, found: Vec<Finding>) -> impl IntoView + use<> {
    let count = domain::text::counted(found.len() as i64, "finding");
    let items = found
        .into_iter()
        .map(|finding| {
            let said = finding.feedback.map(|verdict| {
                view! { <span class="dim">{format!("marked {}", verdict.as_str())}</span> }
            });
            view! {
                <li class="found">
                    <a class="link" href=finding_href(slug, &finding.id.to_string())>{finding.summary}</a>
                    <a class="dim" href=detector_href(slug, &finding.detector_id.to_string())>{finding.detector}</a>
                    {said}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell ran" aria-labelledby="found-title">
            <div class="head">
                <h2 id="found-title"><Icon name="detectors" class="st-warn"/>{format!(" {count} of detectors")}</h2>
            </div>
            <ul>{items}</ul>
        </section>
    }
}
