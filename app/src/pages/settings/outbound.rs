//! Settings: what leaves this machine.

use leptos::prelude::*;

use super::SettingsPage;
use crate::api::outbound::{TargetView, read_targets};
use crate::context::use_slug;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// Every target, and that there is no other.
#[component]
pub(crate) fn OutboundPage() -> impl IntoView {
    let slug = use_slug();
    let targets = Resource::new(move || slug.get(), read_targets);
    view! {
        <SettingsPage name="What leaves">
            <section class="cell" aria-labelledby="outbound-none">
                <div class="head"><h2 id="outbound-none">"What leaves this machine"</h2></div>
                <div class="notice" data-tone="info">
                    <Icon name="lock"/>
                    <div>
                        "No telemetry, no check for updates, no price list from elsewhere; pages load nothing from other hosts. What goes out goes to the targets below, and to the database."
                    </div>
                </div>
            </section>
            <section class="cell flush">
                <div class="head">
                    <h2 id="outbound-targets">"Targets"</h2>
                    <span class="sub">"of this server and project; calls of the proxy since the server started"</span>
                </div>
                <Load resource=targets what="The targets" skeleton=|| view! { <SkeletonRows rows=3/> } let:targets>
                    <Targets targets/>
                </Load>
            </section>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Targets(targets: Vec<TargetView>) -> impl IntoView {
    let rows = targets
        .into_iter()
        .map(|target| {
            let last = match target.last_call_at {
                Some(at) => view! { <Time at/> }.into_any(),
                None => view! { <span class="dim">"never"</span> }.into_any(),
            };
            view! {
                <tr>
                    <td class="main">{target.name}</td>
                    <td class="mono">{target.address}</td>
                    <td>{target.when}</td>
                    <td class="num">{last}</td>
                    <td>{target.last_error}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-labelledby="outbound-targets">
            <table class="table bleed">
                <caption class="vh">"Targets of outgoing calls"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Target"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"When"</th>
                        <th scope="col">"Last call"</th>
                        <th scope="col">"Last error"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
