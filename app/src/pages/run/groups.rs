//! Time, tokens and cost by step name and model.

use domain::text;
use leptos::prelude::*;

use super::Page;
use crate::pages::cells::cost_view;
use crate::timeline::draw::{kind_class, kind_icon};
use crate::timeline::groups::Group;
use crate::ui::icon::Icon;

/// The table under the waterfall.
#[component]
pub(super) fn Groups(page: Page) -> impl IntoView {
    let run = page.run;
    view! {
        <section class="cell" id="costs" tabindex="-1" aria-label="By name and model">
            <div class="head"><h2>"By name and model"</h2><span class="sub">"whole run"</span></div>
            {move || {
                let run = run.read();
                let more = run.group_count.saturating_sub(run.groups.len());
                view! {
                    {group_table(&run.groups, "By name and model")}
                    {(more > 0).then(|| view! { <p class="dim">{format!("and {more} more, each shorter than these")}</p> })}
                }
            }}
        </section>
    }
}

/// Groups as a table.
pub(super) fn group_table(groups: &[Group], label: &'static str) -> AnyView {
    let rows = groups.iter().cloned().map(row).collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="group" aria-label=label>
            <table class="table compact">
                <thead>
                    <tr>
                        <th>"Name"</th>
                        <th class="hide-s">"Model"</th>
                        <th class="n">"Count"</th>
                        <th class="n" aria-sort="descending">"Time"</th>
                        <th class="n hide-s">"Tokens"</th>
                        <th class="n">"Cost"</th>
                        <th class="n">"Of cost"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(group: Group) -> impl IntoView {
    let tokens = group.tokens;
    let failed = (group.failed > 0).then(|| {
        view! { " " <span class="badge" data-tone="bad">{format!("{} failed", text::grouped(group.failed.unsigned_abs()))}</span> }
    });
    let tokens_title = tokens.map(|n| format!("{} tokens", text::grouped(n.unsigned_abs())));
    let name = group.name;
    view! {
        <tr>
            <td class="main">
                <span class="status">
                    <Icon name=kind_icon(group.kind) class=kind_class(group.kind)/>
                    <span class="vh">{group.kind.as_str()}" "</span>
                    {name}
                    {failed}
                </span>
            </td>
            <td class="hide-s">{group.model.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="n">{text::grouped(group.count.unsigned_abs())}</td>
            <td class="n t">{text::duration(group.time_ms)}</td>
            <td class="n hide-s" title=tokens_title>{tokens.map_or_else(|| "–".to_owned(), text::short_count)}</td>
            <td class="n t">{cost_view(group.cost_nano_usd, group.unpriced)}</td>
            <td class="n">{group.cost_percent.map_or_else(|| "–".to_owned(), |p| format!("{p} %"))}</td>
        </tr>
    }
}
