//! A provider's bill in a chat: where its picture is put in, what was read of it, and what the ledger has beside it. Plain
//! forms, so that it works without WASM.

use domain::bill::{ComparedLine, MAX_LINES, MAX_MODELS_CHARS, MAX_PICTURE_BYTES};
use domain::filter::percent_encode;
use domain::{NanoUsd, Role};
use leptos::prelude::*;

use super::along::{Along, Hidden};
use crate::api::bills::{BillView, ComparisonView};
use crate::api::inquiries::{HappenedView, InquiryView};
use crate::context::use_may;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// Empty rows below what was read.
const SPARE_ROWS: usize = 2;

/// Where a picture is put in.
#[component]
pub(super) fn BillUpload(slug: String, along: Along) -> impl IntoView {
    let action = format!("{}/bill", page_href(&slug, "ask"));
    let bound = format!(
        "PNG, JPEG or WebP, at most {} MB, with what each day cost. It is sent to the model of Ask, which has to take pictures, and \
         deleted once it is read.",
        MAX_PICTURE_BYTES / (1024 * 1024)
    );
    view! {
        <details class="bill-in">
            <summary class="fold">"Compare a provider’s bill"</summary>
            <form class="bill-form" method="post" action=action enctype="multipart/form-data">
                <Hidden along/>
                <input
                    class="input"
                    type="file"
                    name="picture"
                    accept="image/png,image/jpeg,image/webp"
                    required=true
                    aria-label="Screenshot of a bill"
                />
                <div class="row">
                    <span class="dim">{bound}</span>
                    <button class="btn push" type="submit"><Icon name="search"/>"Read it"</button>
                </div>
            </form>
        </details>
    }
}

/// What was read, to be corrected; and beside the ledger, once somebody wanted that.
#[component]
pub(super) fn ReadBill(slug: String, inquiry: InquiryView, bill: BillView, along: Along) -> impl IntoView {
    let may = use_may(Role::Member);
    let read = inquiry.happened.iter().rev().find_map(|one| match one {
        HappenedView::Said {
            text,
            is_remark: true,
            ..
        } => Some(text.clone()),
        _ => None,
    });
    let cost = inquiry.asked_at_cost();
    let inquiry = inquiry.id;
    let is_compared = bill.compared.is_some();
    let compared = bill
        .compared
        .clone()
        .map(|compared| view! { <Compared compared/> });
    let form = if !may.get_untracked() {
        let rows = bill
            .lines
            .iter()
            .map(|(day, amount)| view! { <tr><td>{day.clone()}</td><td class="n">{format!("${amount}")}</td></tr> })
            .collect_view();
        (!is_compared)
            .then(|| view! { <table class="table"><tbody>{rows}</tbody></table> })
            .into_any()
    } else if is_compared {
        view! {
            <details class="bill-in">
                <summary class="fold">"Correct what was read"</summary>
                <Correction slug inquiry bill along/>
            </details>
        }
        .into_any()
    } else {
        view! { <Correction slug inquiry bill along/> }.into_any()
    };
    let read = read.filter(|_| !is_compared);
    view! {
        <div class="ask-a" aria-live="polite">
            {read.map(|read| view! { <p>{read}</p> })}
            {compared}
            {form}
            {cost.map(|cost| view! { <p class="fine num">{cost}</p> })}
        </div>
    }
}

#[component]
fn Correction(slug: String, inquiry: String, bill: BillView, along: Along) -> impl IntoView {
    let action = format!("{}/{}/bill", page_href(&slug, "ask"), percent_encode(&inquiry));
    let models_id = format!("bill-models-{inquiry}");
    let spare = SPARE_ROWS.min(MAX_LINES.saturating_sub(bill.lines.len()));
    let rows = bill
        .lines
        .into_iter()
        .chain(std::iter::repeat_n((String::new(), String::new()), spare))
        .enumerate()
        .map(|(place, (day, amount))| {
            let number = place + 1;
            view! {
                <div class="row">
                    <input class="input" type="date" name="day" value=day aria-label=format!("Day {number}")/>
                    <input
                        class="input num"
                        name="amount"
                        inputmode="decimal"
                        autocomplete="off"
                        value=amount
                        aria-label=format!("Dollars of day {number}")
                    />
                </div>
            }
        })
        .collect_view();
    view! {
        <form class="bill-form" method="post" action=action>
            <input type="hidden" name="chat" value=move || along.chat.get()/>
            <input type="hidden" name="beside" value=move || along.beside.get()/>
            {rows}
            <div class="field">
                <label for=models_id.clone()>"Of models that begin with"</label>
                <input
                    class="input"
                    id=models_id
                    name="models"
                    value=bill.models
                    maxlength=MAX_MODELS_CHARS.to_string()
                    autocomplete="off"
                />
                <p class="hint">"With commas between; empty is all models. Days are of UTC; a row without both is left out."</p>
            </div>
            <div class="row"><button class="btn push" type="submit">"Compare with the ledger"</button></div>
        </form>
    }
}

#[component]
fn Compared(compared: ComparisonView) -> impl IntoView {
    let ComparisonView { at, by, lines } = compared;
    let sentence = engine::bills::sentence(&lines);
    let rows = lines.iter().map(row).collect_view();
    view! {
        <p>{sentence}</p>
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"Day"</th>
                    <th scope="col" class="n">"Bill"</th>
                    <th scope="col" class="n">"Ledger"</th>
                    <th scope="col" class="n">"Difference"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <p class="fine">{format!("Compared for {by}, ")}<Time at/></p>
    }
}

fn row(line: &ComparedLine) -> impl IntoView + use<> {
    let day = domain::text::day_range(line.billed.day, line.billed.day);
    let recorded = match line.recorded {
        Some(cost) => dollars(cost),
        None => "unknown".to_owned(),
    };
    let unpriced = (line.unpriced > 0).then(|| {
        let steps = domain::text::counted(line.unpriced, "step");
        format!("{steps} without a known cost")
    });
    view! {
        <tr>
            <th scope="row">{day}</th>
            <td class="n">{dollars(line.billed.amount)}</td>
            <td class="n" title=unpriced>{recorded}</td>
            <td class="n">{difference(line)}</td>
        </tr>
    }
}

/// An amount to the cent, as bills have it: `$20.28`.
fn dollars(amount: NanoUsd) -> String {
    let sign = if amount.0 < 0 { "−" } else { "" };
    let cents = (amount.0.unsigned_abs() + 5_000_000) / 10_000_000;
    format!("{sign}${}.{:02}", domain::text::grouped(cents / 100), cents % 100)
}

/// `+$0.41`, `±$0.00`.
fn difference(line: &ComparedLine) -> String {
    match line.difference() {
        None => "unknown".to_owned(),
        Some(_) if line.agrees() => "±$0.00".to_owned(),
        Some(more) if more.0 > 0 => format!("+{}", dollars(more)),
        Some(less) => dollars(less),
    }
}

#[cfg(test)]
mod tests {
    use domain::bill::{BillLine, parse_day};

    use super::*;

    #[test]
    fn differences_are_shown_to_the_cent() {
        let check = |billed: i64, recorded: Option<i64>, expected: &str| {
            let line = ComparedLine {
                billed: BillLine {
                    day: parse_day("2026-11-14").unwrap(),
                    amount: NanoUsd(billed * 1_000_000),
                },
                recorded: recorded.map(|mills| NanoUsd(mills * 1_000_000)),
                unpriced: 0,
            };
            assert_eq!(difference(&line), expected, "{billed} {recorded:?}");
        };
        check(20_280, Some(20_284), "±$0.00");
        check(22_270, Some(21_860), "+$0.41");
        check(21_860, Some(22_270), "−$0.41");
        check(22_270, None, "unknown");
        assert_eq!(dollars(NanoUsd(1_204_505_000_000)), "$1,204.51");
    }
}
