//! What one call costs, line by line.

use domain::usage::UsageDetails;
use domain::{NanoUsd, Timestamp, TokenUsage};

use super::billed::{Billed, BilledAs, Receipt, Unpriced, costs_otherwise, is_anthropic};
use super::lines::{Lines, per_thousand};
use super::model_name::tier_in_name;
use super::token_lines::token_lines;
use super::{InputTier, PriceRow, TokenRates};

/// What a call without anything special costs by a price row; `None` when that can't be known.
pub fn price(
    row: &PriceRow,
    usage: &TokenUsage,
    service_tier: Option<&str>,
    web_searches: Option<i64>,
) -> Option<Receipt> {
    try_price(row, usage, service_tier, web_searches).ok()
}

/// What a call without anything special costs by a price row, or why that can't be known.
pub fn try_price(
    row: &PriceRow,
    usage: &TokenUsage,
    service_tier: Option<&str>,
    web_searches: Option<i64>,
) -> Result<Receipt, Unpriced> {
    let billed = Billed {
        tokens: usage,
        details: &UsageDetails::default(),
        model: None,
        service_tier,
        web_searches,
        at: None,
    };
    try_price_of(row, &billed)
}

/// What a call costs by a price row, or why that can't be known.
///
/// Unknown is a call of which nothing was counted; one whose input or output was not counted, unless that is free;
/// one with a count below zero; and one that used something the row has no rate for. Cache counts that were not
/// reported are none.
///
/// The service tiers `batch`, `fast`, `flex`, `priority` and the like cost something else than an ordinary call, so one
/// that a shipped row does not list makes the cost unknown. All other words are ordinary, and so is every tier that a
/// project's own row does not list: what a project enters is what it pays.
///
/// A cache rate that the row leaves out follows from that for input. For Anthropic's models by the factors that
/// Anthropic publishes for all of them: read 0.1, write 1.25, write for an hour 2; a thousand web searches cost $10.
/// For others the factor is 1: a provider without a price for cached input bills it as input.
pub fn try_price_of(row: &PriceRow, billed: &Billed<'_>) -> Result<Receipt, Unpriced> {
    let details = billed.details;
    if let Some(what) = details.unpriced.first() {
        return Err(Unpriced::Other(what.clone()));
    }
    if hour_of(row, billed.at).is_some_and(|hour| hour.is_unknown) {
        return Err(Unpriced::Rate);
    }
    let tier = tier_of(row, billed)?;
    let variant = tier
        .as_deref()
        .and_then(|tier| row.rates.service_tiers.get_key_value(tier));
    let sizes = sizes(billed);
    let (rates, above) = rates_of(row, variant.map(|(_, variant)| variant), billed.at, sizes.1);
    // Requests on both sides of a limit are billed at both rates, and what each of them used is not known.
    if sizes.0 != sizes.1 && rates_of(row, variant.map(|(_, variant)| variant), billed.at, sizes.0).0 != rates
    {
        return Err(Unpriced::Other("requests of several sizes".to_owned()));
    }
    if variant.is_none()
        && let Some(tier) = &tier
        && !row.project_own
        && costs_otherwise(tier)
    {
        return Err(Unpriced::ServiceTier(tier.clone()));
    }
    let rates = scaled(rates, geography_permille(row, details)?);
    let mut lines = Lines::default();
    token_lines(row, billed, rates, &mut lines)?;
    fee_lines(row, billed, &mut lines)?;
    Ok(Receipt {
        price_id: row.price_id.clone(),
        total: lines.total()?,
        lines: lines.lines,
        service_tier: variant.map(|(name, _)| name.clone()),
        above_input_tokens: above,
    })
}

/// The tier in lower case: that of the answer, or of the model's name. Two that cost something else have no price
/// together.
fn tier_of(row: &PriceRow, billed: &Billed<'_>) -> Result<Option<String>, Unpriced> {
    let said = billed.service_tier.map(str::to_ascii_lowercase);
    let named = billed.model.and_then(|model| tier_in_name(model, &row.model));
    Ok(match (said, named) {
        (Some(said), Some(named)) if costs_otherwise(&said) && said != named => {
            return Err(Unpriced::ServiceTier(format!("{said} and {named}")));
        }
        (_, Some(named)) => Some(named.to_owned()),
        (said, None) => said,
    })
}

/// The input of the smallest and the largest request.
fn sizes(billed: &Billed<'_>) -> (Option<i64>, Option<i64>) {
    let whole = billed.tokens.input();
    match (billed.details.smallest_input, billed.details.largest_input) {
        (Some(smallest), Some(largest)) => (Some(smallest), Some(largest)),
        _ => (whole, whole),
    }
}

/// The rates at a size and a time, and the limit that it is above.
fn rates_of(
    row: &PriceRow,
    variant: Option<&super::ServiceTierRates>,
    at: Option<Timestamp>,
    input: Option<i64>,
) -> (TokenRates, Option<i64>) {
    let base = at_hour(row, at);
    let (mut rates, mut above) = at_size(base, &row.rates.tiers, input);
    if let Some(variant) = variant {
        let (own, own_above) = at_size(variant.tokens, &variant.tiers, input);
        rates = replaced(scaled(rates, variant.permille.unwrap_or(1_000)), own);
        above = own_above.or(above);
    }
    (rates, above)
}

fn at_hour(row: &PriceRow, at: Option<Timestamp>) -> TokenRates {
    match hour_of(row, at) {
        Some(hour) => replaced(row.rates.tokens, hour.tokens),
        None => row.rates.tokens,
    }
}

/// The hours whose rates hold at a time.
fn hour_of(row: &PriceRow, at: Option<Timestamp>) -> Option<&super::HourRates> {
    const MINUTE_US: i64 = 60_000_000;
    const DAY_MINUTES: i64 = 24 * 60;
    // 1970-01-01 was a Thursday, the fourth day of a week that begins on Monday.
    const FIRST_DAY: i64 = 3;
    if row.rates.hours.is_empty() {
        return None;
    }
    let minutes = at?.micros().div_euclid(MINUTE_US);
    let minute = minutes.rem_euclid(DAY_MINUTES);
    let is_weekend = (minutes.div_euclid(DAY_MINUTES) + FIRST_DAY).rem_euclid(7) >= 5;
    let holds = |hour: &&super::HourRates| {
        if hour.weekdays_only && is_weekend {
            false
        } else if hour.from_minute < hour.to_minute {
            (hour.from_minute..hour.to_minute).contains(&minute)
        } else {
            minute >= hour.from_minute || minute < hour.to_minute
        }
    };
    row.rates.hours.iter().find(holds)
}

fn geography_permille(row: &PriceRow, details: &UsageDetails) -> Result<i64, Unpriced> {
    const ORDINARY: &[&str] = &["global", "not_available", "default", "unspecified"];
    let Some(place) = details.geography.as_deref().map(str::to_ascii_lowercase) else {
        return Ok(1_000);
    };
    match row.rates.geographies.get(&place) {
        Some(permille) => Ok(*permille),
        None if row.project_own || ORDINARY.contains(&place.as_str()) => Ok(1_000),
        None => Err(Unpriced::Geography(place)),
    }
}

fn fee_lines(row: &PriceRow, billed: &Billed<'_>, lines: &mut Lines) -> Result<(), Unpriced> {
    let per_1k = |fee: i64| fee.checked_mul(1_000).ok_or(Unpriced::TooMuch);
    let searches = billed.web_searches.unwrap_or(0);
    if searches != 0 {
        let (fee, is_derived) = match row.rates.web_search_per_1k {
            Some(fee) => (fee, false),
            None if is_anthropic(row) => (10_000_000_000, true),
            None => return Err(Unpriced::WebSearch),
        };
        lines.add(BilledAs::WebSearch, searches, per_1k(fee)?, is_derived)?;
    }
    for (tool, uses) in &billed.details.tools {
        let bucket = match tool.as_str() {
            "file_search" => BilledAs::FileSearch,
            "code_interpreter" => BilledAs::CodeInterpreter,
            _ => BilledAs::Tool,
        };
        match row.rates.tools_per_1k.get(tool) {
            Some(fee) => lines.add(bucket, *uses, per_1k(*fee)?, false)?,
            None if *uses == 0 => {}
            None => return Err(Unpriced::Tool(tool.clone())),
        }
    }
    let by_context = &row.rates.per_request_by_context;
    let fee = if by_context.is_empty() {
        row.rates.per_request
    } else {
        let size = billed
            .details
            .search_context
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        Some(*by_context.get(&size).ok_or(Unpriced::SearchContext)?)
    };
    if let Some(fee) = fee.filter(|fee| *fee != 0) {
        let rate = fee.checked_mul(1_000_000).ok_or(Unpriced::TooMuch)?;
        lines.add(BilledAs::Request, 1, rate, false)?;
    }
    Ok(())
}

/// The rates for a call of this much input, and the limit that it is above.
fn at_size(base: TokenRates, tiers: &[InputTier], input: Option<i64>) -> (TokenRates, Option<i64>) {
    let reached = tiers
        .iter()
        .filter(|tier| input.is_some_and(|input| input > tier.above_input_tokens))
        .max_by_key(|tier| tier.above_input_tokens);
    match reached {
        Some(tier) => (replaced(base, tier.tokens), Some(tier.above_input_tokens)),
        None => (base, None),
    }
}

/// Rates in place of others. The parts that are not text go with the rates that are named: where those differ and the
/// parts are not named, nobody says what they cost.
fn replaced(base: TokenRates, by: TokenRates) -> TokenRates {
    let all = TokenRates::zipped(by, base, Option::or);
    if by.input.is_none_or(|rate| Some(rate) == base.input) {
        return all;
    }
    TokenRates {
        input: all.input,
        output: all.output,
        cache_read: all.cache_read,
        cache_write_5m: all.cache_write_5m,
        cache_write_1h: all.cache_write_1h,
        ..by
    }
}

fn scaled(rates: TokenRates, permille: i64) -> TokenRates {
    if permille == 1_000 {
        return rates;
    }
    TokenRates::zipped(rates, rates, |rate, _| {
        i64::try_from(per_thousand(rate?, permille)).ok()
    })
}

/// By how many thousandths a reported cost is above (or, negative, below) the computed one, when that is more than
/// one per cent; `None` otherwise. Against a computed cost of nothing any other cost is a thousand.
pub fn drift(computed: NanoUsd, reported: NanoUsd) -> Option<i64> {
    let difference = i128::from(reported.0) - i128::from(computed.0);
    let size = i128::from(computed.0.unsigned_abs());
    if difference.abs() * 100 <= size {
        return None;
    }
    let permille = if size == 0 {
        1_000 * difference.signum()
    } else {
        difference * 1_000 / size
    };
    Some(i64::try_from(permille).unwrap_or(if permille < 0 { i64::MIN } else { i64::MAX }))
}
