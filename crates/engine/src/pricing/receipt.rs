//! What one call costs, line by line.

use domain::{NanoUsd, TokenUsage};
use serde::{Deserialize, Serialize};

use super::{InputTier, PriceRow, TokenRates};

/// What a line of a receipt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledAs {
    /// Fresh input.
    Input,
    /// Input read from the prompt cache.
    CacheRead,
    /// Input written to the prompt cache for five minutes, or for an unknown time.
    CacheWrite5m,
    /// Input written to the prompt cache for an hour.
    CacheWrite1h,
    /// Output, reasoning included.
    Output,
    /// Searches of the web.
    WebSearch,
    /// The call itself.
    Request,
}

/// One line: a count, a rate, and what they come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    /// What for.
    pub bucket: BilledAs,
    /// How many: tokens, searches or calls.
    pub tokens: i64,
    /// Nano-dollars for a million of them.
    pub rate_nano_usd_per_mtok: i64,
    /// The row does not say the rate; it follows from the rate for input.
    pub is_derived: bool,
    /// Quantity times rate, rounded once, in nano-dollars.
    pub cost: NanoUsd,
}

/// A cost with how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The price row.
    pub price_id: String,
    /// Its lines; they add up to the total.
    pub lines: Vec<ReceiptLine>,
    /// The service tier whose rates were used; `None` for the ordinary ones.
    pub service_tier: Option<String>,
    /// The limit above which these rates hold, where much input made them others.
    pub above_input_tokens: Option<i64>,
    /// The cost, rounded once to whole nano-dollars.
    pub total: NanoUsd,
}

/// Why a price row does not say what a call costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpriced {
    /// The usage was not reported, or not all of it; or a count is below zero.
    Uncounted,
    /// It was served at a tier that costs something else, and the row does not say what.
    ServiceTier(String),
    /// It searched the web, and the row has no fee for that.
    WebSearch,
    /// It used tokens that the row has no rate for.
    Rate,
    /// The sum is beyond what money can hold.
    TooMuch,
}

/// Service tiers that cost something else than an ordinary call, wherever they exist. Whatever else a provider calls
/// its tier (`standard`, `default`, `auto`, `scale`, `on_demand`) is an ordinary one.
const OTHER_TIERS: &[&str] = &["batch", "fast", "flex", "priority"];

/// Whether a call at this tier costs something else than an ordinary one, wherever the tier exists.
pub fn costs_otherwise(service_tier: &str) -> bool {
    OTHER_TIERS
        .iter()
        .any(|tier| tier.eq_ignore_ascii_case(service_tier))
}

/// What a call costs by a price row; `None` when that can't be known. [`try_price`] says why.
pub fn price(
    row: &PriceRow,
    usage: &TokenUsage,
    service_tier: Option<&str>,
    web_searches: Option<i64>,
) -> Option<Receipt> {
    try_price(row, usage, service_tier, web_searches).ok()
}

/// What a call costs by a price row, or why that can't be known.
///
/// Unknown is a call of which nothing was counted; one whose input or output was not counted, unless that is free;
/// one with a count below zero; and one that used something the row has no rate for. Cache counts that were not
/// reported are none.
///
/// The service tiers `batch`, `fast`, `flex` and `priority` cost something else than an ordinary call, so one that a
/// shipped row does not list makes the cost unknown. All other words are ordinary, and so is every tier that a
/// project's own row does not list: what a project enters is what it pays.
///
/// A cache rate that the row leaves out follows from that for input. For Anthropic's models by the factors that
/// Anthropic publishes for all of them: read 0.1, write 1.25, write for an hour 2; a thousand web searches cost $10.
/// For others the factor is 1: a provider without a price for cached input bills it as input.
pub fn try_price(
    row: &PriceRow,
    usage: &TokenUsage,
    service_tier: Option<&str>,
    web_searches: Option<i64>,
) -> Result<Receipt, Unpriced> {
    let input_tokens = usage.input();
    let tier = service_tier.map(str::to_ascii_lowercase);
    let variant = tier
        .as_deref()
        .and_then(|tier| row.rates.service_tiers.get_key_value(tier));
    let (mut rates, mut above) = at_size(row.rates.tokens, &row.rates.tiers, input_tokens);
    match (variant, tier) {
        (Some((_, variant)), _) => {
            let (own, own_above) = at_size(variant.tokens, &variant.tiers, input_tokens);
            rates = replaced(scaled(rates, variant.permille.unwrap_or(1_000)), own);
            above = own_above.or(above);
        }
        (None, Some(tier)) if !row.project_own && costs_otherwise(&tier) => {
            return Err(Unpriced::ServiceTier(tier));
        }
        (None, _) => {}
    }
    let mut lines = Lines::default();
    token_lines(row, usage, rates, &mut lines)?;
    let searches = web_searches.unwrap_or(0);
    if searches != 0 {
        let (per_1k, is_derived) = match row.rates.web_search_per_1k {
            Some(rate) => (rate, false),
            None if is_anthropic(row) => (10_000_000_000, true),
            None => return Err(Unpriced::WebSearch),
        };
        let rate = per_1k.checked_mul(1_000).ok_or(Unpriced::TooMuch)?;
        lines.add(BilledAs::WebSearch, searches, rate, is_derived)?;
    }
    if let Some(fee) = row.rates.per_request.filter(|fee| *fee != 0) {
        let rate = fee.checked_mul(1_000_000).ok_or(Unpriced::TooMuch)?;
        lines.add(BilledAs::Request, 1, rate, false)?;
    }
    Ok(Receipt {
        price_id: row.price_id.clone(),
        total: lines.total()?,
        lines: lines.lines,
        service_tier: variant.map(|(name, _)| name.clone()),
        above_input_tokens: above,
    })
}

fn token_lines(
    row: &PriceRow,
    usage: &TokenUsage,
    rates: TokenRates,
    lines: &mut Lines,
) -> Result<(), Unpriced> {
    let input = rates.input.ok_or(Unpriced::Rate)?;
    let counted = |count: Option<i64>, rate: Option<i64>| match (count, rate) {
        (Some(count), _) => Ok(count),
        // What is free need not be counted.
        (None, None | Some(0)) => Ok(0),
        (None, Some(_)) => Err(Unpriced::Uncounted),
    };
    usage.total().ok_or(Unpriced::Uncounted)?;
    let write_1h = usage.cache_write_1h.unwrap_or(0);
    let write_5m = usage
        .cache_write
        .unwrap_or(write_1h)
        .checked_sub(write_1h)
        .ok_or(Unpriced::Uncounted)?;
    let derived =
        |permille: i64| i64::try_from(per_thousand(input, permille)).map_err(|_beyond| Unpriced::TooMuch);
    let factors = if is_anthropic(row) {
        [100, 1_250, 2_000]
    } else {
        [1_000; 3]
    };
    // A provider that has one price for writing has it for an hour as well.
    let hour_factor = rates.cache_write_5m.filter(|_| !is_anthropic(row));
    let cached = [
        (
            BilledAs::CacheRead,
            usage.cache_read.unwrap_or(0),
            rates.cache_read,
            derived(factors[0])?,
        ),
        (
            BilledAs::CacheWrite5m,
            write_5m,
            rates.cache_write_5m,
            derived(factors[1])?,
        ),
        (
            BilledAs::CacheWrite1h,
            write_1h,
            rates.cache_write_1h,
            hour_factor.unwrap_or(derived(factors[2])?),
        ),
    ];
    lines.add(
        BilledAs::Input,
        counted(usage.input_fresh, rates.input)?,
        input,
        false,
    )?;
    for (bucket, count, listed, derived) in cached {
        lines.add(bucket, count, listed.unwrap_or(derived), listed.is_none())?;
    }
    match (counted(usage.output, rates.output)?, rates.output) {
        (0, None) => Ok(()),
        (count, rate) => lines.add(BilledAs::Output, count, rate.ok_or(Unpriced::Rate)?, false),
    }
}

/// Anthropic's models, at any provider.
fn is_anthropic(row: &PriceRow) -> bool {
    row.provider.eq_ignore_ascii_case("anthropic") || row.model.to_ascii_lowercase().contains("claude")
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

fn replaced(base: TokenRates, by: TokenRates) -> TokenRates {
    TokenRates {
        input: by.input.or(base.input),
        output: by.output.or(base.output),
        cache_read: by.cache_read.or(base.cache_read),
        cache_write_5m: by.cache_write_5m.or(base.cache_write_5m),
        cache_write_1h: by.cache_write_1h.or(base.cache_write_1h),
    }
}

fn scaled(rates: TokenRates, permille: i64) -> TokenRates {
    let scale = |rate: Option<i64>| rate.and_then(|rate| i64::try_from(per_thousand(rate, permille)).ok());
    TokenRates {
        input: scale(rates.input),
        output: scale(rates.output),
        cache_read: scale(rates.cache_read),
        cache_write_5m: scale(rates.cache_write_5m),
        cache_write_1h: scale(rates.cache_write_1h),
    }
}

fn per_thousand(rate: i64, permille: i64) -> i128 {
    rounded(i128::from(rate) * i128::from(permille), 1_000)
}

/// A division of a number that is not negative, rounded half up.
fn rounded(value: i128, by: i128) -> i128 {
    (value + by / 2).div_euclid(by)
}

/// Lines and their exact sum. Each line is the step that the rounded sum makes, so that the lines add up to it.
#[derive(Default)]
struct Lines {
    lines: Vec<ReceiptLine>,
    /// Millionths of nano-dollars.
    exact: i128,
}

impl Lines {
    /// Fails when the count or the rate is below zero, or the sum beyond what money can hold.
    fn add(&mut self, bucket: BilledAs, count: i64, rate: i64, is_derived: bool) -> Result<(), Unpriced> {
        if count < 0 || rate < 0 {
            return Err(Unpriced::Uncounted);
        }
        if count == 0 {
            return Ok(());
        }
        let before = rounded(self.exact, 1_000_000);
        self.exact = self
            .exact
            .checked_add(i128::from(count) * i128::from(rate))
            .ok_or(Unpriced::TooMuch)?;
        let cost = rounded(self.exact, 1_000_000) - before;
        self.lines.push(ReceiptLine {
            bucket,
            tokens: count,
            rate_nano_usd_per_mtok: rate,
            is_derived,
            cost: NanoUsd(i64::try_from(cost).map_err(|_beyond| Unpriced::TooMuch)?),
        });
        Ok(())
    }

    fn total(&self) -> Result<NanoUsd, Unpriced> {
        i64::try_from(rounded(self.exact, 1_000_000))
            .map(NanoUsd)
            .map_err(|_beyond| Unpriced::TooMuch)
    }
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
