//! The codes: what a hit costs, how often each hit, how often it was right, and whether it is on.

use domain::text::grouped;
use engine::codes::{self, Code, Group, LAYERS};
use leptos::prelude::*;

use super::draft::ScoringDraft;
use super::{Filled, Page};
use crate::api::scoring::ScoringView;

/// What the table shows about a code.
#[derive(Clone, Copy)]
struct CodeRow {
    code: &'static Code,
    hits: i64,
    /// Whole per cent, and of how many.
    real: Option<(i64, i64)>,
}

/// A share of real alerts below this is shown as low, in per cent.
const LOW_PERCENT: i64 = 50;

#[component]
pub(super) fn Codes(page: Page, view: StoredValue<ScoringView>, filled: Filled) -> impl IntoView {
    let all = move || page.query.read().all_codes;
    let listed = Memo::new(move |_| {
        let form = view.with_value(|view| page.form(&view.rules));
        let saved = view.with_value(|view| ScoringDraft::of(&view.rules));
        let is_wanted = |row: &CodeRow| {
            let code = row.code.code;
            let is_touched = [&form, &saved]
                .iter()
                .any(|draft| draft.muted.contains(&code) || draft.points.contains_key(&code));
            all() || row.hits > 0 || is_touched
        };
        let rows = view.with_value(rows);
        rows.iter()
            .filter(|row| is_wanted(row))
            .map(|row| row.code.code)
            .collect::<Vec<u16>>()
    });
    let bodies = move || {
        let listed = listed.read();
        let rows = view.with_value(rows);
        (1..=LAYERS.len() as u8)
            .filter_map(|layer| {
                let of_layer = rows
                    .iter()
                    .filter(|row| row.code.layer() == layer && listed.contains(&row.code.code));
                let cells = of_layer
                    .map(|row| view! { <Row page view filled row=*row/> })
                    .collect::<Vec<_>>();
                (!cells.is_empty()).then(|| {
                    let title = layer_title(layer);
                    view! {
                        <tbody>
                            <tr class="group">
                                <th colspan="6" scope="rowgroup" class=format!("layer-{layer}")>
                                    <span class="status"><span class="swatch"></span>{title}</span>
                                </th>
                            </tr>
                            {cells}
                        </tbody>
                    }
                })
            })
            .collect_view()
    };
    // What is off or has points of its own is always listed, so a form without script loses nothing of it.
    let count = move || {
        let (shown, total) = (listed.read().len(), codes::ALL.len());
        let days = view.with_value(|view| view.days);
        if shown == total {
            format!("all {total}")
        } else {
            format!("{shown} of {total} shown: those that fired in the last {days} days or were changed")
        }
    };
    let extended = move || view.with_value(|view| page.form(&view.rules)).extended;
    let nothing = move || listed.read().is_empty();
    view! {
        <section class="cell">
            <div class="head">
                <h2 id="codes-head">"Codes"</h2>
                <span class="sub">{count}</span>
                <div class="head-actions">
                    <label class="tog">
                        <input
                            class="switch"
                            type="checkbox"
                            role="switch"
                            name="extended"
                            value="on"
                            checked=untrack(extended)
                            prop:checked=extended
                            disabled=move || !page.locked.read().is_empty()
                            on:change=move |event| {
                                let on = event_target_checked(&event);
                                view.with_value(|view| page.edit(&view.rules, |draft| draft.extended = on));
                            }
                        />
                        "Extended codes"
                    </label>
                    <a class="btn" href=move || page.href(|query| query.all_codes = !query.all_codes) data-noscroll>
                        {move || if all() { "Show those that fired" } else { "Show all" }}
                    </a>
                </div>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="codes-head">
                <table class="table compact codes">
                    <thead>
                        <tr>
                            <th scope="col" class="k-c">"Code"</th>
                            <th scope="col">"Name"</th>
                            <th scope="col" class="n k-p">"Points"</th>
                            <th scope="col" class="n k-n">{view.with_value(|view| format!("{} days", view.days))}</th>
                            <th scope="col" class="k-pr">"Marked real"</th>
                            <th scope="col" class="k-m">"On"</th>
                        </tr>
                    </thead>
                    {bodies}
                </table>
            </div>
            {move || {
                nothing()
                    .then(|| view! { <p class="dim small">"No code fired in this window. “Show all” lists every code."</p> })
            }}
        </section>
    }
}

fn rows(view: &ScoringView) -> Vec<CodeRow> {
    codes::ALL
        .iter()
        .map(|code| {
            let hits = view.hits.iter().find(|(hit, _)| *hit == code.code);
            let marked = view
                .precision
                .iter()
                .find(|precision| precision.code == code.code);
            CodeRow {
                code,
                hits: hits.map_or(0, |(_, n)| *n),
                real: marked.and_then(|marked| Some((marked.percent()?, marked.n()))),
            }
        })
        .collect()
}

fn layer_title(layer: u8) -> String {
    let name = LAYERS.get(usize::from(layer) - 1).copied().unwrap_or_default();
    let note = if layer == 1 { ", any hit is critical" } else { "" };
    format!("Layer {layer}, {name}{note}")
}

#[component]
fn Row(page: Page, view: StoredValue<ScoringView>, filled: Filled, row: CodeRow) -> impl IntoView {
    let code = row.code;
    let number = code.code;
    let form = move || view.with_value(|view| page.form(&view.rules));
    let is_extended = code.group == Group::Extended;
    let is_on = move || !form().muted.contains(&number);
    let fires = move || is_on() && (!is_extended || form().extended);
    let points = move || {
        let own = form().points.get(&number).cloned();
        own.unwrap_or_else(|| code.points.to_string())
    };
    let is_edited = move || form().points.contains_key(&number);
    let is_locked = move || !page.locked.read().is_empty();
    let field = format!("points_{number}");
    let problem = {
        let field = field.clone();
        Memo::new(move |_| filled.problems.read().get(&field).copied())
    };
    let problem_id = format!("problem-{field}");
    let described = problem_id.clone();
    let real = match row.real {
        None => view! { <span class="dim" title="No condition of this code is marked real or noise">"not marked"</span> }.into_any(),
        Some((percent, n)) => {
            let class = if percent < LOW_PERCENT { "p-low" } else { "p-ok" };
            view! {
                <span class="prec" title=format!("{percent} % of {n} marked")>
                    <svg class="bar" height="6" aria-hidden="true">
                        <rect class="track" width="100%" height="6"></rect>
                        <rect class=class width=format!("{percent}%") height="6"></rect>
                    </svg>
                    <span class="num">{format!("{percent} %")}</span>
                </span>
            }
            .into_any()
        }
    };
    view! {
        <tr class:muted=move || !fires()>
            <td class="mono">{number.to_string()}</td>
            <td class="main" title=code.fires>
                {code.name}
                " "
                {is_extended.then(|| view! { <span class="badge" data-tone="line">"extended"</span> })}
                {move || is_edited().then(|| view! { <span class="badge" data-tone="accent" title=format!("{} by default", code.points)>"edited"</span> })}
                {move || (!is_on()).then(|| view! { <span class="badge" data-tone="line">"muted"</span> })}
            </td>
            <td class="n">
                <input type="hidden" name="listed" value=number.to_string()/>
                <input
                    class="input num pts"
                    name=field
                    aria-label=format!("Points of {number}")
                    value=untrack(points)
                    prop:value=points
                    inputmode="numeric"
                    autocomplete="off"
                    aria-invalid=move || problem.get().map(|_| "true")
                    aria-describedby=move || problem.get().map(|_| described.clone())
                    disabled=is_locked
                    on:input=move |event| {
                        let text = event_target_value(&event).trim().to_owned();
                        view.with_value(|view| {
                            page.edit(&view.rules, |draft| {
                                if text == code.points.to_string() {
                                    draft.points.remove(&number);
                                } else {
                                    draft.points.insert(number, text);
                                }
                            });
                        });
                    }
                />
                {move || problem.get().map(|message| view! { <p class="hint st-bad problem" id=problem_id.clone()>{message}</p> })}
            </td>
            <td class="n">{grouped(row.hits.unsigned_abs())}</td>
            <td>{real}</td>
            <td>
                <input
                    type="checkbox"
                    role="switch"
                    class="switch"
                    name="on"
                    value=number.to_string()
                    aria-label=format!("Code {number} on")
                    checked=untrack(is_on)
                    prop:checked=is_on
                    disabled=is_locked
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        view.with_value(|view| {
                            page.edit(&view.rules, |draft| {
                                if on {
                                    draft.muted.remove(&number);
                                } else {
                                    draft.muted.insert(number);
                                }
                            });
                        });
                    }
                />
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layer_says_what_it_does() {
        assert_eq!(layer_title(1), "Layer 1, Hard failure, any hit is critical");
        assert_eq!(layer_title(5), "Layer 5, Statistics");
    }
}
