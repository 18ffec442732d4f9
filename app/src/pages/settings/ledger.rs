//! Settings: what became of everything that was received.

mod stated;

use domain::{LedgerMinute, UsageShape, Window};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::stated::Stated;
use super::SettingsPage;
use crate::api::ledger::{LEDGER_ROWS, ledger_minutes, stated_costs, usage_shapes};
use crate::context::use_slug;
use crate::pages::ledger_sums::{self, LedgerSums};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The window that is shown unless the URL names another, as a word of [`Window::CHOICES`].
const DEFAULT_RANGE: &str = "24h";

/// The sums in a sentence, then the rows by minute and key.
#[component]
pub(crate) fn LedgerPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let range = Memo::new(move |_| choice(&query.read().get("range").unwrap_or_default()));
    let minutes = Resource::new(
        move || (slug.get(), range.get().2),
        |(slug, minutes)| ledger_minutes(slug, minutes),
    );
    let shapes = Resource::new(
        move || (slug.get(), range.get().2),
        |(slug, minutes)| usage_shapes(slug, minutes),
    );
    let stated = Resource::new(
        move || (slug.get(), range.get().2),
        |(slug, minutes)| stated_costs(slug, minutes),
    );
    let windows = move || {
        Window::CHOICES
            .iter()
            .map(|(word, label, _)| {
                let href = format!("{}?range={word}", page_href(&slug.read(), "settings/ledger"));
                let current = move || (range.get().0 == *word).then_some("true");
                view! { <a href=href aria-current=current>{*label}</a> }
            })
            .collect_view()
    };
    view! {
        <SettingsPage name="Ledger">
            <section class="cell">
                <div class="seg" role="group" aria-label="Window">{windows}</div>
            </section>
            <Load resource=minutes what="The ledger" skeleton=|| view! { <SkeletonRows rows=8/> } let:minutes>
                <Accounts minutes label=range.get_untracked().1/>
            </Load>
            <Load resource=shapes what="The usage objects" let:shapes>
                <Shapes shapes slug=slug.get_untracked()/>
            </Load>
            <Load resource=stated what="The stated costs" let:costs>
                <Stated costs slug=slug.get_untracked()/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

/// The window with this word in the URL, or the default one.
fn choice(word: &str) -> (&'static str, &'static str, u32) {
    let find = |word: &str| Window::CHOICES.iter().find(|choice| choice.0 == word);
    find(word)
        .or_else(|| find(DEFAULT_RANGE))
        .copied()
        .unwrap_or((DEFAULT_RANGE, "24 hours", 1_440))
}

#[component]
fn Accounts(minutes: Vec<LedgerMinute>, label: &'static str) -> impl IntoView {
    let sums = LedgerSums::of(&minutes);
    let tone = if sums.unaccounted() == 0 { "ok" } else { "critical" };
    let reasons = sums
        .rejected
        .iter()
        .map(|(reason, n)| {
            view! { <div><dt>{reason.clone()}</dt><dd>{domain::text::counted(*n, "step")}" rejected"</dd></div> }
        })
        .collect_view();
    let is_cut = u32::try_from(minutes.len()).is_ok_and(|rows| rows >= LEDGER_ROWS);
    let is_empty = minutes.is_empty();
    view! {
        <section class="cell">
            <div class="verdict" data-tone=tone>
                <h2 class="num">{sums.sentence(label)}</h2>
                <p>"Every step that the server received, per key and minute: stored, duplicate or rejected with a reason."</p>
            </div>
            {(!sums.rejected.is_empty()).then(|| view! { <dl class="facts ledger-reasons">{reasons}</dl> })}
            {sums
                .limited_sentence()
                .map(|sentence| {
                    view! {
                        <div class="notice" data-tone="info">
                            <Icon name="info"/>
                            <div>{sentence}</div>
                        </div>
                    }
                })}
            {is_cut
                .then(|| {
                    view! {
                        <div class="notice" data-tone="info">
                            <Icon name="info"/>
                            <div>{format!("Only the newest {LEDGER_ROWS} rows are shown and summed. Choose a shorter window to see everything.")}</div>
                        </div>
                    }
                })}
        </section>
        {if is_empty {
            view! {
                <section class="cell">
                    <div class="state">
                        <Icon name="table"/>
                        <b>"Nothing was received"</b>
                        <p>{format!("No step reached this project in the last {label}. Choose a longer window, or send one.")}</p>
                    </div>
                </section>
            }
                .into_any()
        } else {
            view! { <LedgerTable minutes/> }.into_any()
        }}
    }
}

/// Usage objects that were not understood: their tokens are unknown, and so is what their calls cost. Nothing where there
/// are none.
#[component]
fn Shapes(shapes: Vec<UsageShape>, slug: String) -> impl IntoView {
    if shapes.is_empty() {
        return ().into_any();
    }
    let rows = shapes
        .into_iter()
        .map(|row| {
            let href = format!(
                "{}/{}",
                page_href(&slug, "runs"),
                domain::filter::percent_encode(&row.run_id)
            );
            view! {
                <tr>
                    <td class="main mono">{row.shape}</td>
                    <td>{row.model}</td>
                    <td class="n">{ledger_sums::figure(row.steps)}</td>
                    <td class="num"><a class="link" href=href><Time at=row.last_at/></a></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="usage-shapes">"Usage that was not understood"</h2>
                <span class="sub">"Tokens and cost of these calls are unknown; the objects are kept among the steps’ attributes"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="usage-shapes">
                <table class="table bleed">
                    <caption class="vh">"Usage objects by their names, the most frequent first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Names in the object"</th>
                            <th scope="col">"Model"</th>
                            <th scope="col" class="n">"Steps"</th>
                            <th scope="col">"Last"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn LedgerTable(minutes: Vec<LedgerMinute>) -> impl IntoView {
    let rows = minutes
        .into_iter()
        .map(|row| {
            let reasons = ledger_sums::reasons(&row.rejected);
            view! {
                <tr>
                    <td class="num"><Time at=row.minute/></td>
                    <td class="main">{row.key_label}</td>
                    <td class="n t">{ledger_sums::figure(row.received)}</td>
                    <td class="n">{ledger_sums::figure(row.stored)}</td>
                    <td class="n">{ledger_sums::figure(row.duplicate)}</td>
                    <td class="n">{ledger_sums::figure(row.rejected.values().sum())}</td>
                    <td>{reasons}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head"><h2 id="ledger-rows">"By minute and key"</h2></div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="ledger-rows">
                <table class="table bleed">
                    <caption class="vh">"Steps by minute and key, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Minute"</th>
                            <th scope="col">"Key"</th>
                            <th scope="col" class="n">"Received"</th>
                            <th scope="col" class="n">"Stored"</th>
                            <th scope="col" class="n">"Duplicate"</th>
                            <th scope="col" class="n">"Rejected"</th>
                            <th scope="col">"Because"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_window_is_the_default_one() {
        let check = |word: &str, expected: u32| assert_eq!(choice(word).2, expected, "{word}");
        check("1h", 60);
        check("30d", 43_200);
        check("", 1_440);
        check("2w", 1_440);
    }
}
