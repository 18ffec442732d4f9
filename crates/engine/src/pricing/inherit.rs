//! What a project's own price takes from the shipped one. A form asks for the ordinary rates alone; a call at another
//! tier, with much input or with a search of the web still has a price then.

use super::{InputTier, PriceRow, ServiceTierRates, TokenRates};

pub(super) fn completed(mut own: PriceRow, shipped: &PriceRow) -> PriceRow {
    let base = Bases {
        own: own.rates.tokens,
        shipped: shipped.rates.tokens,
    };
    let rates = &mut own.rates;
    rates.web_search_per_1k = rates.web_search_per_1k.or(shipped.rates.web_search_per_1k);
    rates.per_request = rates.per_request.or(shipped.rates.per_request);
    if rates.tiers.is_empty() {
        rates.tiers = base.tiers(&shipped.rates.tiers);
    }
    for (word, tier) in &shipped.rates.service_tiers {
        let inherited = || ServiceTierRates {
            permille: tier.permille,
            tokens: base.rates(tier.tokens),
            tiers: base.tiers(&tier.tiers),
        };
        rates.service_tiers.entry(word.clone()).or_insert_with(inherited);
    }
    own.context_window = own.context_window.or(shipped.context_window);
    own
}

/// The ordinary rates of both rows.
struct Bases {
    own: TokenRates,
    shipped: TokenRates,
}

impl Bases {
    fn tiers(&self, tiers: &[InputTier]) -> Vec<InputTier> {
        tiers
            .iter()
            .map(|tier| InputTier {
                above_input_tokens: tier.above_input_tokens,
                tokens: self.rates(tier.tokens),
            })
            .collect()
    }

    /// Rates that stand to our ordinary ones as `other` stands to the shipped ordinary ones. What one of the two rows
    /// does not list follows from the rate for input, here as there.
    fn rates(&self, other: TokenRates) -> TokenRates {
        let as_shipped = |rate: fn(&TokenRates) -> Option<i64>| {
            scaled(rate(&other)?, rate(&self.own)?, rate(&self.shipped)?)
        };
        TokenRates {
            input: as_shipped(|rates| rates.input),
            output: as_shipped(|rates| rates.output),
            cache_read: as_shipped(|rates| rates.cache_read),
            cache_write_5m: as_shipped(|rates| rates.cache_write_5m),
            cache_write_1h: as_shipped(|rates| rates.cache_write_1h),
        }
    }
}

/// `rate` times `by` through `of`, rounded; `None` through nothing.
fn scaled(rate: i64, by: i64, of: i64) -> Option<i64> {
    let of = i128::from(of);
    let scaled = (i128::from(rate) * i128::from(by) + of / 2).checked_div(of)?;
    i64::try_from(scaled).ok()
}
