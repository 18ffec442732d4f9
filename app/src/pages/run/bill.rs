//! The receipt of a whole run: what its calls used and cost together, by bucket and fee.

use domain::{NanoUsd, text};
use engine::pricing::{self, Bill, BillLine};
use leptos::prelude::*;

use super::Page;
use super::receipt::bucket_name;
use crate::api::receipts::{RunReceipt, read_run_receipt};
use crate::error::ApiError;
use crate::models::cost_words::signed_percent;
use crate::ui::load::Load;

/// A run with more steps is added up again only when it has ended.
const MAX_LIVE_STEPS: i64 = 500;

type Reading = Resource<Result<RunReceipt, ApiError>>;

/// The reading of the section; made in the page's body, as the server builds children more than once.
pub(super) fn receipt_of(slug: Memo<String>, run_id: Memo<String>) -> Reading {
    Resource::new(
        move || (slug.get(), run_id.get()),
        |(slug, run_id)| read_run_receipt(slug, run_id),
    )
}

/// The section under the groups; nothing where no step can cost anything.
#[component]
pub(super) fn RunBill(page: Page, reading: Reading) -> impl IntoView {
    // What the run costs changes while it runs, and when it is priced again.
    Effect::new(move |before: Option<(Option<NanoUsd>, i64, bool)>| {
        let now = page.run.with(|run| {
            let run = run.run();
            let is_running = run.status == domain::RunStatus::Running;
            (run.cost_nano_usd, run.step_count, is_running)
        });
        let (_, steps, is_running) = now;
        if before.is_some_and(|before| before != now) && (!is_running || steps <= MAX_LIVE_STEPS) {
            reading.refetch();
        }
        now
    });
    view! {
        <Load resource=reading what="The cost by bucket" let:receipt>
            <Lines receipt/>
        </Load>
    }
}

/// One row: what, how many, how much, and which part of everything that is.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: &'static str,
    count: i64,
    cost: Option<NanoUsd>,
    percent: Option<i64>,
}

fn rows(bill: &Bill) -> Vec<Row> {
    let total = bill.total();
    let row = |name, line: BillLine| Row {
        name,
        count: line.count,
        cost: Some(line.cost),
        percent: percent(line.cost, total),
    };
    let mut rows: Vec<Row> = bill
        .lines
        .iter()
        .map(|(bucket, line)| row(bucket_name(*bucket), *line))
        .collect();
    if bill.stated.count != 0 {
        rows.push(row("Calls at the cost that was stated", bill.stated));
    }
    if bill.unexplained.count != 0 {
        rows.push(row("Calls whose price has changed since", bill.unexplained));
    }
    if bill.unknown != 0 {
        rows.push(Row {
            name: "Calls whose cost is unknown",
            count: bill.unknown,
            cost: None,
            percent: None,
        });
    }
    rows
}

fn percent(part: NanoUsd, whole: Option<NanoUsd>) -> Option<i64> {
    let whole = i128::from(whole?.0);
    if whole <= 0 {
        return None;
    }
    i64::try_from((i128::from(part.0) * 200 + whole).div_euclid(whole * 2)).ok()
}

#[component]
fn Lines(receipt: RunReceipt) -> impl IntoView {
    let rows = rows(&receipt.bill);
    if rows.is_empty() {
        return ().into_any();
    }
    let compared = compared(&receipt.bill);
    let cut = receipt.is_cut.then(|| {
        format!(
            "Of {} of its calls; a longer run is not added up here.",
            text::grouped(receipt.steps.unsigned_abs())
        )
    });
    let rows = rows
        .into_iter()
        .map(|row| {
            let cost = match row.cost {
                Some(cost) => format!("${}", cost.to_decimal()).into_any(),
                None => view! { <span class="unknown">"unknown"</span> }.into_any(),
            };
            view! {
                <tr>
                    <td class="main">{row.name}</td>
                    <td class="n">{text::grouped(row.count.unsigned_abs())}</td>
                    <td class="n">{cost}</td>
                    <td class="n">{row.percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))}</td>
                </tr>
            }
        })
        .collect_view();
    let total = receipt
        .cost
        .map_or_else(|| "unknown".to_owned(), |cost| format!("${}", cost.to_decimal()));
    view! {
        <section class="cell" id="buckets" aria-labelledby="buckets-head">
            <div class="head"><h2 id="buckets-head">"Cost by bucket"</h2><span class="sub">"whole run, by bucket and fee"</span></div>
            <div class="scroll-x" tabindex="0" role="group" aria-label="Cost by bucket">
                <table class="table compact receipt">
                    <thead>
                        <tr>
                            <th>"Bucket"</th>
                            <th class="n">"Count"</th>
                            <th class="n">"Cost"</th>
                            <th class="n">"Of cost"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows}
                        <tr class="total"><td class="main">"Cost"</td><td></td><td class="n main">{total}</td><td></td></tr>
                    </tbody>
                </table>
            </div>
            {compared.map(|words| view! { <p class="dim">{words}</p> })}
            {cut.map(|words| view! { <p class="dim">{words}</p> })}
        </section>
    }
    .into_any()
}

/// How what was stated compares with what was computed, where both are known of some calls.
fn compared(bill: &Bill) -> Option<String> {
    if bill.compared.count == 0 {
        return None;
    }
    let off = match pricing::drift(bill.compared.cost, bill.compared_stated) {
        Some(permille) => format!("{} of the computed cost", signed_percent(permille)),
        None => "within 1 % of the computed cost".to_owned(),
    };
    Some(format!(
        "Of {} a cost was stated as well: ${}, {off}.",
        text::counted(bill.compared.count, "call"),
        bill.compared_stated.to_decimal(),
    ))
}

#[cfg(test)]
mod tests {
    use engine::pricing::{BilledAs, Receipt, ReceiptLine};

    use super::*;

    #[test]
    fn each_bucket_of_a_run_has_its_share() {
        let line = |bucket, tokens, cost| ReceiptLine {
            bucket,
            tokens,
            rate_nano_usd_per_mtok: 1,
            is_derived: false,
            cost: NanoUsd(cost),
        };
        let receipt = Receipt {
            price_id: "p".to_owned(),
            lines: vec![
                line(BilledAs::Input, 17, 250),
                line(BilledAs::OutputAudio, 482, 750),
            ],
            service_tier: None,
            above_input_tokens: None,
            total: NanoUsd(1_000),
        };
        let mut bill = Bill::default();
        bill.add(&receipt);
        bill.compare(NanoUsd(1_000), NanoUsd(1_123));
        bill.unknown = 2;
        let shown: Vec<_> = rows(&bill)
            .into_iter()
            .map(|row| (row.name, row.count, row.percent))
            .collect();
        assert_eq!(
            shown,
            [
                ("Input, fresh", 17, Some(25)),
                ("Output, audio", 482, Some(75)),
                ("Calls whose cost is unknown", 2, None),
            ]
        );
        assert_eq!(
            compared(&bill).as_deref(),
            Some("Of 1 call a cost was stated as well: $0.000001123, +12.3 % of the computed cost.")
        );
        assert_eq!(compared(&Bill::default()), None);
    }
}
