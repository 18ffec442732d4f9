//! What the figures are compared with: the window before, or the time before a deploy.

use domain::Deploy;
use leptos::prelude::*;

use crate::api::overview::OverviewView;
use crate::error::ApiError;
use crate::models::rollout_words::deploy_name;
use crate::pages::time_window::Page;
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// Deploys that the menu offers; any other can be named in the address.
const OFFERED: usize = 12;

/// The menu of what there is to compare with.
#[component]
pub(super) fn CompareMenu(page: Page, resource: Resource<Result<OverviewView, ApiError>>) -> impl IntoView {
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                let view = resource.await.ok()?;
                (!view.deploys.is_empty()).then(|| menu(page, view))
            })}
        </Transition>
    }
}

fn menu(page: Page, view: OverviewView) -> impl IntoView {
    let query = page.query;
    let since = view.since.map(|(deploy, _)| deploy);
    let mut offered: Vec<Deploy> = view
        .deploys
        .into_iter()
        .filter(|deploy| deploy.went_live() && view.span.around(deploy.at()).is_some())
        .take(OFFERED)
        .collect();
    if let Some(chosen) = &since
        && !offered.iter().any(|deploy| deploy.id == chosen.id)
    {
        offered.push(chosen.clone());
    }
    let chosen = since.as_ref().map(|deploy| deploy.id.clone());
    let word = since.map_or_else(
        || "period before".to_owned(),
        |deploy| format!("since {}", deploy.name()),
    );
    let item = move |against: Option<String>, label: String| {
        let current = (chosen == against).then_some("true");
        let href = move || {
            query
                .read()
                .with(|query| query.against = against.clone())
                .to_href()
        };
        view! { <li><a href=href aria-current=current data-noscroll><span class="menu-text">{label}</span></a></li> }
    };
    let before = item.clone()(None, "The period before".to_owned());
    let deploys = offered
        .into_iter()
        .map(|deploy| {
            item.clone()(
                Some(deploy.id.clone()),
                format!("Before {}", deploy_name(&deploy)),
            )
        })
        .collect_view();
    view! {
        <Menu summary_class="btn field-menu compare-menu" summary=move || {
            view! {
                <Icon name="sigma" class="narrow"/>
                <span class="menu-text"><span class="dim">"Compare "</span>{word}</span>
                <Icon name="down" class="sm wide"/>
            }
        }>
            <ul class="menu-list">{before}{deploys}</ul>
        </Menu>
    }
}
