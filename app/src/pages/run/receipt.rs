//! What a step used and what that cost.

use domain::prompt::short_fingerprint;
use domain::{CostSource, NanoUsd, StepStatus, StepSummary, text};
use engine::pricing::{self, Billed, BilledAs, PriceRow, Receipt as Bill, ReceiptLine, Unpriced};
use leptos::prelude::*;

use super::{Page, SelectedTexts};
use crate::api::steps::StepTexts;
use crate::models::cost_words::signed_percent;
use crate::ui::links::page_href;
use crate::ui::load::Load;

/// Tokens by bucket, each with its rate and what it comes to. Unknown is said, never shown as 0.
#[component]
pub(super) fn Receipt(page: Page, step: StepSummary, texts: SelectedTexts) -> impl IntoView {
    if step.tokens.total().is_none() && step.cost_source.is_none() && step.reported_cost_nano_usd.is_none() {
        return ().into_any();
    }
    view! {
        <Load
            resource=texts
            what="The receipt"
            children={move |texts: Option<StepTexts>| {
                let price = texts.and_then(|texts| texts.price);
                view! { <Lines page step=step.clone() price/> }
            }}
        />
    }
    .into_any()
}

/// One row: what, how many, at which rate, how much.
struct Row {
    name: &'static str,
    count: Option<i64>,
    rate: Option<String>,
    cost: Option<NanoUsd>,
}

/// The rows of a receipt: its lines where a price is known, the buckets alone where it is not.
fn rows(step: &StepSummary, lines: Option<&[ReceiptLine]>) -> Vec<Row> {
    let line = |bucket: BilledAs| lines.and_then(|lines| lines.iter().find(|line| line.bucket == bucket));
    let usage = step.tokens;
    let row = |name, bucket, count: Option<i64>| {
        let line = line(bucket);
        Row {
            name,
            count,
            rate: line.map(rate),
            cost: line.map(|line| line.cost),
        }
    };
    // Parts with a line of their own are not in the bucket's line.
    let less_parts = |count: Option<i64>, bucket: BilledAs| match (lines, line(bucket)) {
        (Some(_), Some(line)) => Some(line.tokens),
        (Some(_), None) => count.map(|_| 0),
        (None, _) => count,
    };
    let write_5m = match (usage.cache_write, usage.cache_write_1h) {
        (Some(all), Some(hour)) => Some(all.saturating_sub(hour)),
        (all, _) => all,
    };
    let mut rows = vec![
        row(
            "Input, fresh",
            BilledAs::Input,
            less_parts(usage.input_fresh, BilledAs::Input),
        ),
        row(
            "Cache read",
            BilledAs::CacheRead,
            less_parts(usage.cache_read, BilledAs::CacheRead),
        ),
        row("Cache write", BilledAs::CacheWrite5m, write_5m),
    ];
    if usage.cache_write_1h.is_some_and(|tokens| tokens != 0) {
        rows.push(row(
            "Cache write, 1 h",
            BilledAs::CacheWrite1h,
            usage.cache_write_1h,
        ));
    }
    rows.push(row(
        "Output",
        BilledAs::Output,
        less_parts(usage.output, BilledAs::Output),
    ));
    if let Some(reasoning) = usage.reasoning {
        rows.push(Row {
            name: "of it reasoning",
            count: Some(reasoning),
            rate: None,
            cost: None,
        });
    }
    rows.extend(part_rows(step, lines));
    if step.web_searches.is_some_and(|searches| searches != 0) {
        rows.push(row("Web searches", BilledAs::WebSearch, step.web_searches));
    }
    for (tool, uses) in &step.usage_details.tools {
        let (name, bucket) = match tool.as_str() {
            "file_search" => ("File searches", BilledAs::FileSearch),
            "code_interpreter" => ("Code interpreter sessions", BilledAs::CodeInterpreter),
            _ => ("Other tools", BilledAs::Tool),
        };
        rows.push(row(name, bucket, Some(*uses)));
    }
    if line(BilledAs::Request).is_some() {
        rows.push(row("Call", BilledAs::Request, Some(1)));
    }
    rows
}

/// What a line of a receipt is called.
pub(super) fn bucket_name(bucket: BilledAs) -> &'static str {
    match bucket {
        BilledAs::Input => "Input, fresh",
        BilledAs::CacheRead => "Cache read",
        BilledAs::CacheWrite5m => "Cache write",
        BilledAs::CacheWrite1h => "Cache write, 1 h",
        BilledAs::InputAudio => "Input, audio",
        BilledAs::InputImage => "Input, images",
        BilledAs::InputVideo => "Input, video",
        BilledAs::CacheReadAudio => "Cache read, audio",
        BilledAs::CacheReadImage => "Cache read, images",
        BilledAs::Output => "Output",
        BilledAs::OutputAudio => "Output, audio",
        BilledAs::OutputImage => "Output, images",
        BilledAs::OutputVideo => "Output, video",
        BilledAs::OutputReasoning => "Reasoning",
        BilledAs::Citations => "Citations",
        BilledAs::FileSearch => "File searches",
        BilledAs::CodeInterpreter => "Code interpreter sessions",
        BilledAs::Tool => "Other tools",
        BilledAs::WebSearch => "Web searches",
        BilledAs::Request => "Call",
    }
}

/// What of the buckets is not text: with rates of its own where the receipt has lines for it, and then beside the
/// buckets; without a price, how much of them it is.
fn part_rows(step: &StepSummary, lines: Option<&[ReceiptLine]>) -> Vec<Row> {
    const BESIDE: &[BilledAs] = &[
        BilledAs::InputAudio,
        BilledAs::InputImage,
        BilledAs::InputVideo,
        BilledAs::CacheReadAudio,
        BilledAs::CacheReadImage,
        BilledAs::OutputAudio,
        BilledAs::OutputImage,
        BilledAs::OutputVideo,
        BilledAs::OutputReasoning,
        BilledAs::Citations,
    ];
    if let Some(lines) = lines {
        return BESIDE
            .iter()
            .filter_map(|bucket| {
                let line = lines.iter().find(|line| line.bucket == *bucket)?;
                Some(Row {
                    name: bucket_name(*bucket),
                    count: Some(line.tokens),
                    rate: Some(rate(line)),
                    cost: Some(line.cost),
                })
            })
            .collect();
    }
    let details = &step.usage_details;
    [
        ("of the input audio", details.input.audio),
        ("of the input images", details.input.image),
        ("of the input video", details.input.video),
        ("of the output audio", details.output.audio),
        ("of the output images", details.output.image),
        ("of the output video", details.output.video),
        ("Citations", details.citations),
    ]
    .into_iter()
    .filter(|(_, count)| count.is_some_and(|count| count != 0))
    .map(|(name, count)| Row {
        name,
        count,
        rate: None,
        cost: None,
    })
    .collect()
}

/// What of a step is billed.
fn billed(step: &StepSummary) -> Billed<'_> {
    Billed {
        tokens: &step.tokens,
        details: &step.usage_details,
        model: step.model.as_deref().or(step.request_model.as_deref()),
        service_tier: step.service_tier.as_deref(),
        web_searches: step.web_searches,
        at: Some(step.started_at),
    }
}

/// `$3.00 / M`, with a star where the price row does not name the rate; fees are for one.
fn rate(line: &ReceiptLine) -> String {
    let star = if line.is_derived { " *" } else { "" };
    match line.bucket {
        BilledAs::WebSearch
        | BilledAs::Request
        | BilledAs::FileSearch
        | BilledAs::CodeInterpreter
        | BilledAs::Tool => {
            format!(
                "{} each{star}",
                NanoUsd(line.rate_nano_usd_per_mtok / 1_000_000).to_short()
            )
        }
        _ => format!("${} / M{star}", NanoUsd(line.rate_nano_usd_per_mtok).to_decimal()),
    }
}

#[component]
fn Lines(page: Page, step: StepSummary, price: Option<PriceRow>) -> impl IntoView {
    let priced = price
        .as_ref()
        .map(|price| pricing::try_price_of(price, &billed(&step)));
    let source = source_words(&step, priced.as_ref());
    let is_unlisted = step.cost_source == Some(CostSource::Unknown)
        && !matches!(
            priced,
            Some(Ok(_) | Err(Unpriced::Uncounted | Unpriced::TooMuch | Unpriced::Parts | Unpriced::Other(_)))
        );
    // Prices are changed and read again; only a receipt that comes to what is stored explains it.
    let is_unknown_still = matches!(priced, Some(Err(_))) && step.cost_nano_usd.is_none();
    let explains = priced
        .and_then(Result::ok)
        .filter(|receipt| Some(receipt.total) == step.cost_nano_usd);
    let is_changed = price.is_some() && explains.is_none() && !is_unknown_still;
    let lines = explains.as_ref().map(|receipt| receipt.lines.as_slice());
    let has_derived = lines.is_some_and(|lines| lines.iter().any(|line| line.is_derived));
    let rows = rows(&step, lines)
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <td>{row.name}</td>
                    <td class="n">{count(row.count)}</td>
                    <td class="n dim">{row.rate}</td>
                    <td class="n">{row.cost.map(|cost| format!("${}", cost.to_decimal()))}</td>
                </tr>
            }
        })
        .collect_view();
    let cost = match (step.cost_nano_usd, step.cost_source) {
        (Some(cost), _) => view! { <span>{format!("${}", cost.to_decimal())}</span> }.into_any(),
        (None, Some(_)) => view! { <span class="unknown">"unknown"</span> }.into_any(),
        (None, None) => view! { <span class="none">"–"</span> }.into_any(),
    };
    let reported = step
        .reported_cost_nano_usd
        .filter(|_| step.cost_source != Some(CostSource::Reported))
        .map(|reported| reported_row(reported, step.cost_nano_usd));
    let slug = page.slug;
    let receipt_is_ordinary = explains
        .as_ref()
        .is_some_and(|receipt| receipt.service_tier.is_none());
    let how = price.map(|price| {
        let tier = explains.as_ref().and_then(|receipt| receipt.service_tier.clone());
        let above = explains.as_ref().and_then(|receipt| receipt.above_input_tokens);
        let ordinary = step
            .service_tier
            .clone()
            .filter(|tier| receipt_is_ordinary && pricing::costs_otherwise(tier));
        view! {
            <p class="dim ps-sub">
                "Price "
                <a class="link mono" href=move || format!("{}?q={}", page_href(&slug.read(), "settings/prices"), domain::filter::percent_encode(&price.model))>
                    {price.price_id.clone()}
                </a>
                {tier.map(|tier| format!(", tier {tier}"))}
                {ordinary.map(|tier| format!(", which has no rates for {tier}: standard rates"))}
                {above.map(|tokens| format!(", rates above {} input tokens", text::grouped(tokens.unsigned_abs())))}
                {has_derived.then_some(". * derived from the input rate")}
                {is_changed.then_some(". It has changed since this cost was computed; re-price history under Settings, Prices")}
                "."
            </p>
        }
    });
    let add_price = (is_unlisted && page.shared.is_none()).then(|| {
        let model = step.model.clone().or_else(|| step.request_model.clone()).unwrap_or_default();
        view! {
            <p class="ps-sub">
                <a class="link" href=move || format!("{}?model={}#add-price", page_href(&slug.read(), "settings/prices"), domain::filter::percent_encode(&model))>
                    "Add a price for this model"
                </a>
            </p>
        }
    });
    let prompt = step.template_fingerprint.clone().map(|fingerprint| {
        let short = short_fingerprint(&fingerprint).to_owned();
        let href = short.clone();
        view! {
            <p class="dim ps-sub">
                "Prompt template "
                <a class="link mono" href=move || format!("{}/{href}", page_href(&slug.read(), "prompts"))>{short}</a>
            </p>
        }
    });
    view! {
        <section class="ps" aria-label="Receipt">
            <div class="head"><h3>"Receipt"</h3><span class="sub">{source}</span></div>
            <table class="table compact receipt">
                <thead class="vh"><tr><th>"Bucket"</th><th>"Count"</th><th>"Rate"</th><th>"Cost"</th></tr></thead>
                <tbody>
                    {rows}
                    {reported}
                    <tr class="total">
                        <td class="main">"Cost"</td>
                        <td class="n">{count(step.tokens.total())}</td>
                        <td></td>
                        <td class="n main">{cost}</td>
                    </tr>
                </tbody>
            </table>
            {how}
            {add_price}
            {prompt}
        </section>
    }
    .into_any()
}

/// Where the cost comes from, or why it is unknown.
fn source_words(step: &StepSummary, priced: Option<&Result<Bill, Unpriced>>) -> String {
    let words = match (step.cost_source, priced) {
        (Some(CostSource::Computed), _) => "computed from prices",
        (Some(CostSource::Reported), _) => "as reported by the client",
        (Some(CostSource::Unknown), None) => "no price for this model",
        (Some(CostSource::Unknown), Some(Err(Unpriced::ServiceTier(tier)))) => {
            return format!("tier {tier}: no rate known");
        }
        (Some(CostSource::Unknown), Some(Err(Unpriced::WebSearch))) => "no fee for web searches",
        (Some(CostSource::Unknown), Some(Err(Unpriced::Rate))) => "no rate for what it used",
        (Some(CostSource::Unknown), Some(Err(Unpriced::Parts))) => {
            "usage unknown: which of its audio or images were cached was not reported"
        }
        (Some(CostSource::Unknown), Some(Err(Unpriced::SearchContext))) => {
            "the fee depends on how much was searched, which was not reported"
        }
        (Some(CostSource::Unknown), Some(Err(Unpriced::Geography(place)))) => {
            return format!("inference in {place}: no factor known");
        }
        (Some(CostSource::Unknown), Some(Err(Unpriced::Tool(tool)))) => {
            return format!("no fee for {}", tool.replace('_', " "));
        }
        (Some(CostSource::Unknown), Some(Err(Unpriced::Other(what)))) => {
            return format!("it used something without a price: {what}");
        }
        (Some(CostSource::Unknown), Some(_)) if step.status == StepStatus::Aborted => {
            "usage unknown: the caller disconnected before it was reported"
        }
        (Some(CostSource::Unknown), Some(_)) => "usage unknown: it was reported only in part",
        (None, _) => "this kind of step costs nothing",
    };
    words.to_owned()
}

fn count(n: Option<i64>) -> AnyView {
    match n {
        Some(n) if n < 0 => format!("−{}", text::grouped(n.unsigned_abs())).into_any(),
        Some(n) => text::grouped(n.unsigned_abs()).into_any(),
        None => view! { <span class="none" title="Not reported">"–"</span> }.into_any(),
    }
}

/// What the client said, and how far that is off where it is more than 1 %.
fn reported_row(reported: NanoUsd, computed: Option<NanoUsd>) -> impl IntoView {
    let off = computed
        .and_then(|computed| pricing::drift(computed, reported))
        .map(|permille| {
            view! { <span class="badge" data-tone="warn">{signed_percent(permille)}</span> }
        });
    view! {
        <tr>
            <td colspan="3">"Reported by the client " {off}</td>
            <td class="n">{format!("${}", reported.to_decimal())}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests;
