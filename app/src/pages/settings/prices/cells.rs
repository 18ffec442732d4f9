//! The cells that shipped and own prices share.

use domain::{NanoUsd, Timestamp, text};
use engine::pricing::{InputTier, ModelMatch, PriceRow, TokenRates};
use leptos::prelude::*;

/// The model's name and how it is compared.
pub(super) fn model_cell(row: &PriceRow) -> impl IntoView + use<> {
    let how = match row.model_match {
        ModelMatch::Exact => None,
        ModelMatch::Prefix => Some("and names that begin with it"),
        ModelMatch::Regex => Some("regular expression"),
    };
    view! { <span class="mono">{row.model.clone()}</span> {how.map(|how| view! { " " <span class="dim">{how}</span> })} }
}

/// The headings of [`RateCells`].
#[component]
pub(super) fn RateHeads() -> impl IntoView {
    view! {
        <th scope="col" class="n">"Input"</th>
        <th scope="col" class="n">"Output"</th>
        <th scope="col" class="n">"Cache read"</th>
        <th scope="col" class="n">"Cache write"</th>
        <th scope="col" class="n">"for 1 h"</th>
    }
}

/// The five rates of a row, in dollars per million tokens.
#[component]
pub(super) fn RateCells(row: PriceRow) -> impl IntoView {
    let rates = row.rates.tokens;
    [
        rates.input,
        rates.output,
        rates.cache_read,
        rates.cache_write_5m,
        rates.cache_write_1h,
    ]
    .map(|rate| match rate {
        Some(rate) => view! { <td class="n">{format!("${}", NanoUsd(rate).to_decimal())}</td> }.into_any(),
        None => view! { <td class="n"><span class="none">"–"</span></td> }.into_any(),
    })
    .into_iter()
    .collect_view()
}

/// Day from which a shipped price is said to be valid when no other is recorded: `data/README.md`.
const BEGINNING: &str = "2020-01-01T00:00:00Z";

/// From when a row holds. The list knows the day of a change, seldom that of a beginning.
#[component]
pub(super) fn From(row: PriceRow) -> impl IntoView {
    if !row.project_own && Timestamp::parse_rfc3339(BEGINNING) == Some(row.valid_from) {
        return view! { <span title="Since the model’s release, as far as is recorded">"always"</span> }
            .into_any();
    }
    // A day of UTC, whatever the visitor's zone is.
    let at = row.valid_from.to_string();
    let day = at.get(..10).unwrap_or(&at).to_owned();
    view! { <time datetime=at.clone() title=at.clone()>{day}</time> }.into_any()
}

/// The rates that the columns do not show.
fn parts_of(rates: TokenRates) -> TokenRates {
    TokenRates {
        input: None,
        output: None,
        cache_read: None,
        cache_write_5m: None,
        cache_write_1h: None,
        ..rates
    }
}

/// What else a row holds: rates for much input and for service tiers, one line each.
fn other_rates(row: &PriceRow) -> Vec<(String, String)> {
    let count = |tokens: i64| text::grouped(tokens.unsigned_abs());
    let size = |tier: &InputTier| format!("above {} tokens", count(tier.above_input_tokens));
    let parts = parts_of(row.rates.tokens);
    let mut lines: Vec<(String, String)> = (parts != TokenRates::default())
        .then(|| ("audio and images".to_owned(), rate_words(None, parts)))
        .into_iter()
        .collect();
    let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    lines.extend(row.rates.hours.iter().map(|hour| {
        let days = if hour.weekdays_only {
            ", Monday to Friday"
        } else {
            ""
        };
        let name = format!(
            "{} to {} UTC{days}",
            clock(hour.from_minute),
            clock(hour.to_minute)
        );
        let rates = if hour.is_unknown {
            "unknown".to_owned()
        } else {
            rate_words(None, hour.tokens)
        };
        (name, rates)
    }));
    lines.extend(row.rates.geographies.iter().map(|(place, permille)| {
        (
            format!("inference in {place}"),
            rate_words(Some(*permille), TokenRates::default()),
        )
    }));
    lines.extend(
        row.rates
            .tiers
            .iter()
            .map(|tier| (size(tier), rate_words(None, tier.tokens))),
    );
    for (word, rates) in &row.rates.service_tiers {
        lines.push((word.clone(), rate_words(rates.permille, rates.tokens)));
        for tier in &rates.tiers {
            lines.push((format!("{word}, {}", size(tier)), rate_words(None, tier.tokens)));
        }
    }
    lines
}

/// `input, audio`, for the name of a rate.
fn rate_name(name: &str) -> String {
    match name {
        "cache_write_5m" => "cache write".to_owned(),
        "cache_write_1h" => "for 1 h".to_owned(),
        _ => name.replace('_', " "),
    }
}

/// `input $0.625, output $5`; `× 0.5` where all of the ordinary rates are multiplied.
fn rate_words(permille: Option<i64>, rates: TokenRates) -> String {
    let named = rates.named().map(|(name, rate)| (rate_name(name), rate));
    let factor =
        permille.map(|permille| format!("× {}", NanoUsd(permille.saturating_mul(1_000_000)).to_decimal()));
    let named = named
        .into_iter()
        .filter_map(|(name, rate)| Some(format!("{name} ${}", NanoUsd(rate?).to_decimal())));
    factor.into_iter().chain(named).collect::<Vec<_>>().join(", ")
}

/// Fees and the window.
fn fees(row: &PriceRow) -> String {
    let per_1k = row.rates.web_search_per_1k;
    let per_call = row.rates.per_request.filter(|fee| *fee != 0);
    let money = |fee: i64| NanoUsd(fee).to_decimal();
    let by_context = row.rates.per_request_by_context.iter();
    let by_context: Vec<_> = by_context
        .map(|(size, fee)| format!("{size} ${}", money(*fee)))
        .collect();
    let tools = row.rates.tools_per_1k.iter();
    let tools: Vec<_> = tools
        .map(|(tool, fee)| format!("{} ${} per 1,000", tool.replace('_', " "), money(*fee)))
        .collect();
    let parts = [
        (!by_context.is_empty()).then(|| format!("per call by context: {}", by_context.join(", "))),
        (!tools.is_empty()).then(|| tools.join(", ")),
        per_1k.map(|rate| format!("web search ${} per 1,000", NanoUsd(rate).to_decimal())),
        per_call.map(|rate| format!("${} per call", NanoUsd(rate).to_decimal())),
        row.context_window
            .map(|tokens| format!("window {}", text::grouped(tokens.unsigned_abs()))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What else a row holds: fees in a line, and behind their names the rates of tiers.
#[component]
pub(super) fn ExtraRates(row: PriceRow) -> impl IntoView {
    let others = other_rates(&row);
    let names = others
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.contains(", above"))
        .collect::<Vec<_>>()
        .join(", ");
    let lines = others
        .iter()
        .map(|(name, rates)| view! { <li><b>{name.clone()}</b>": "{rates.clone()}</li> })
        .collect_view();
    let tiers = (!others.is_empty()).then(|| {
        view! {
            <details>
                <summary class="fold">{names}</summary>
                <ul>{lines}</ul>
            </details>
        }
    });
    view! { {fees(&row)} {tiers} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_of_a_row_is_shown() {
        let row: PriceRow = serde_json::from_value(serde_json::json!({
            "price_id": "p", "provider": "openai", "model_match": "exact", "model": "m",
            "valid_from": BEGINNING, "context_window": 400_000, "source": "https://www.example.com/pricing",
            "rates": { "input": 3_000_000_000_i64, "web_search_per_1k": 10_000_000_000_i64,
                "tiers": [{ "above_input_tokens": 200_000, "input": 6_000_000_000_i64, "cache_write_1h": 12_500_000_000_i64 }],
                "service_tiers": { "batch": { "permille": 500 }, "flex": { "input": 625_000_000, "output": 5_000_000_000_i64,
                    "tiers": [{ "above_input_tokens": 200_000, "input": 1_000_000_000 }] } } },
        }))
        .unwrap();
        let lines = other_rates(&row);
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, rates)| (name.as_str(), rates.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ("above 200,000 tokens", "input $6, for 1 h $12.5"),
                ("batch", "× 0.5"),
                ("flex", "input $0.625, output $5"),
                ("flex, above 200,000 tokens", "input $1"),
            ]
        );
        assert_eq!(fees(&row), "web search $10 per 1,000, window 400,000");
    }
}
