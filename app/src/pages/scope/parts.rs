//! What the calls of the page consist of: templates, and the models, steps, keys and environments beside them.

use domain::series::SeriesBy;
use domain::text;
use leptos::prelude::*;

use super::name_of;
use crate::api::scope::{ListedPart, ScopeView};
use crate::models::prompts::share;
use crate::pages::cells::cost_view;
use crate::pages::time_window::Page;
use crate::ui::links::{page_href, scope_href};
use crate::ui::time::Time;

/// The templates, the newest first: since when each is used, and how calls with it do.
#[component]
pub(super) fn Templates(page: Page, view: ScopeView) -> impl IntoView {
    let range = page.query.read_untracked().range_href();
    let slug = page.slug.get_untracked();
    let mut templates: Vec<ListedPart> = view
        .parts
        .into_iter()
        .filter(|part| part.by == SeriesBy::Template && part.name.is_some())
        .collect();
    templates.sort_by_key(|part| std::cmp::Reverse((part.first, part.calls)));
    if templates.is_empty() {
        return view! {
            <section class="cell" aria-labelledby="templates-title">
                <div class="head"><h2 id="templates-title">"Templates"</h2></div>
                <p class="dim">"No prompt came with these calls. Calls through the proxy have one; a step that is sent has the field prompt."</p>
            </section>
        }
        .into_any();
    }
    // The two that follow one another first: what changed between them is a click away.
    let changed = match templates.as_slice() {
        [newest, before, ..] if view.by == SeriesBy::Step => {
            let digits = |part: &ListedPart| name_of(part.name.as_deref(), SeriesBy::Template);
            let prompts = page_href(&slug, "prompts");
            let href = format!("{prompts}/{}?before={}", digits(newest), digits(before));
            Some(view! { <a class="head-actions link" href=href>"What changed last"</a> })
        }
        _ => None,
    };
    let count = templates.len();
    let rows = templates
        .into_iter()
        .enumerate()
        .map(|(nth, part)| {
            let href = part.name.as_deref().and_then(|name| scope_href(&slug, SeriesBy::Template, name));
            let href = href.map(|href| format!("{href}{range}"));
            let newest = (nth == 0 && count > 1 && view.by == SeriesBy::Step)
                .then(|| view! { " "<span class="badge" data-tone="accent">"newest"</span> });
            view! {
                <tr>
                    <td class="main"><a class="link mono" href=href>{name_of(part.name.as_deref(), part.by)}</a>{newest}</td>
                    <td class="num"><Time at=part.first/></td>
                    <td class="n t">{text::grouped(part.calls.unsigned_abs())}</td>
                    <td class="n">{share(part.anomalies, part.calls)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="templates-title">
            <div class="head">
                <h2 id="templates-title">"Templates"</h2>
                <span class="sub">"newest first"</span>
                {changed}
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Templates as a table">
                <table class="table compact parts">
                    <thead>
                        <tr>
                            <th scope="col">"Template"</th>
                            <th scope="col">"First call here"</th>
                            <th class="n" scope="col">"Calls"</th>
                            <th class="n" scope="col" title="Share of calls that are warning or critical">"Anomalies"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// What tables stand in which order on which page.
const fn tables_of(by: SeriesBy) -> &'static [SeriesBy] {
    match by {
        SeriesBy::Step => &[SeriesBy::Model, SeriesBy::Key, SeriesBy::Environment],
        SeriesBy::Key => &[SeriesBy::Step, SeriesBy::Model, SeriesBy::Environment],
        SeriesBy::Model => &[SeriesBy::Step, SeriesBy::Key, SeriesBy::Environment],
        SeriesBy::Template | SeriesBy::Environment => &[SeriesBy::Step, SeriesBy::Model, SeriesBy::Key],
    }
}

const fn heading(by: SeriesBy) -> &'static str {
    match by {
        SeriesBy::Key => "Key",
        SeriesBy::Model => "Model",
        SeriesBy::Step => "Step",
        SeriesBy::Environment => "Environment",
        SeriesBy::Template => "Template",
    }
}

/// `Models and keys`: what stands in the tables.
fn title(tables: &[(SeriesBy, Vec<ListedPart>)]) -> String {
    let words: Vec<String> = tables
        .iter()
        .map(|(by, _)| format!("{}s", heading(*by).to_lowercase()))
        .collect();
    let mut title = match words.as_slice() {
        [] => "Consists of".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// The tables of models, steps, keys and environments.
#[component]
pub(super) fn Makeup(page: Page, view: ScopeView) -> impl IntoView {
    let range = page.query.read_untracked().range_href();
    let slug = page.slug.get_untracked();
    let of = |by: SeriesBy| -> Vec<ListedPart> {
        let parts = view.parts.iter().filter(|part| part.by == by);
        parts.filter(|part| part.name.is_some()).cloned().collect()
    };
    let tables: Vec<(SeriesBy, Vec<ListedPart>)> = tables_of(view.by)
        .iter()
        .map(|by| (*by, of(*by)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    let title = title(&tables);
    let tables = tables
        .into_iter()
        .map(|(by, parts)| table(by, parts, &slug, &range))
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="makeup-title">
            <div class="head"><h2 id="makeup-title">{title}</h2><span class="sub">"those with most calls"</span></div>
            <div class="stack">{tables}</div>
        </section>
    }
}

fn table(by: SeriesBy, parts: Vec<ListedPart>, slug: &str, range: &str) -> impl IntoView + use<> {
    let calls: i64 = parts.iter().map(|part| part.calls).sum();
    let rows = parts
        .into_iter()
        .map(|part| {
            let text = name_of(part.name.as_deref(), by);
            let href = part.name.as_deref().and_then(|name| scope_href(slug, by, name));
            let name = match href {
                Some(href) => view! { <a href=format!("{href}{range}")>{text.clone()}</a> }.into_any(),
                None => text.clone().into_any(),
            };
            view! {
                <tr>
                    <td class="main clip" title=text>{name}</td>
                    <td class="n">{text::grouped(part.calls.unsigned_abs())}</td>
                    <td class="n">{share(part.calls, calls)}</td>
                    <td class="n t">{cost_view(part.cost, part.unpriced)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <table class="table compact parts makeup">
            <thead>
                <tr>
                    <th scope="col">{heading(by)}</th>
                    <th class="n" scope="col">"Calls"</th>
                    <th class="n" scope="col">"Share"</th>
                    <th class="n" scope="col">"Cost"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_names_the_tables() {
        let check = |tables: &[SeriesBy], expected: &str| {
            let tables: Vec<_> = tables.iter().map(|by| (*by, Vec::new())).collect();
            assert_eq!(title(&tables), expected);
        };
        check(&[SeriesBy::Model, SeriesBy::Key], "Models and keys");
        check(
            &[SeriesBy::Step, SeriesBy::Model, SeriesBy::Environment],
            "Steps, models and environments",
        );
        check(&[SeriesBy::Model], "Models");
        check(&[], "Consists of");
    }
}
