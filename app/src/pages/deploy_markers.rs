//! What shipped, as markers on a chart's time axis.

use domain::{Deploy, Timestamp};

use crate::chart::{Marker, group_markers, instant_text};
use crate::models::overview_query::OverviewSpan;
use crate::models::rollout_words::deploy_name;
use crate::ui::links::{deploy_href, page_href};

/// The deploys that went live; several beside each other lead to the list of the window, which `range_href` says, but
/// where one of them is the `named` one, to that. Its id is that of the deploy in the page's sentence.
pub(crate) fn deploy_markers(
    deploys: &[Deploy],
    named: Option<&str>,
    span: OverviewSpan,
    slug: &str,
    range_href: &str,
    offset: &impl Fn(Timestamp) -> i64,
) -> Vec<Marker> {
    let single = deploys
        .iter()
        .filter(|deploy| deploy.went_live())
        .map(|deploy| Marker {
            at: span.share(deploy.at()),
            label: deploy.name(),
            title: format!(
                "{}, {}, {}",
                deploy_name(deploy),
                deploy.author.as_deref().unwrap_or("author unknown"),
                instant_text(deploy.at(), offset)
            ),
            href: deploy_href(slug, &deploy.id),
            is_named: named == Some(deploy.id.as_str()),
        })
        .collect();
    let list = page_href(slug, "deploys");
    group_markers(
        single,
        |count| format!("{count} deploys"),
        |group| match group.iter().find(|marker| marker.is_named) {
            Some(marker) => marker.href.clone(),
            None => format!("{list}{range_href}"),
        },
    )
}
