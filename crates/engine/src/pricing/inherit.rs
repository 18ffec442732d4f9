//! What a project's own price takes from the shipped one. A form asks for the ordinary rates alone; a call at another
//! tier, with much input or with a search of the web still has a price then.

use super::{HourRates, InputTier, PriceRow, ServiceTierRates, TokenRates};

pub(super) fn completed(mut own: PriceRow, shipped: &PriceRow) -> PriceRow {
    let mut base = Bases {
        own: own.rates.tokens,
        shipped: shipped.rates.tokens,
    };
    let rates = &mut own.rates;
    // What the form does not ask for stands to our rate for input or output as the shipped one does.
    rates.tokens = TokenRates::zipped(rates.tokens, base.parts(), Option::or);
    base.own = rates.tokens;
    rates.web_search_per_1k = rates.web_search_per_1k.or(shipped.rates.web_search_per_1k);
    rates.per_request = rates.per_request.or(shipped.rates.per_request);
    if rates.per_request_by_context.is_empty() {
        rates
            .per_request_by_context
            .clone_from(&shipped.rates.per_request_by_context);
    }
    for (tool, fee) in &shipped.rates.tools_per_1k {
        rates.tools_per_1k.entry(tool.clone()).or_insert(*fee);
    }
    for (place, permille) in &shipped.rates.geographies {
        rates.geographies.entry(place.clone()).or_insert(*permille);
    }
    if rates.hours.is_empty() {
        rates.hours = base.hours(&shipped.rates.hours);
    }
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

    fn hours(&self, hours: &[HourRates]) -> Vec<HourRates> {
        hours
            .iter()
            .map(|hour| HourRates {
                tokens: self.rates(hour.tokens),
                ..*hour
            })
            .collect()
    }

    /// Rates of parts, as factors of our own for input or output.
    fn parts(&self) -> TokenRates {
        let of = |rate: Option<i64>, by: Option<i64>, of: Option<i64>| scaled(rate?, by?, of?);
        let shipped = self.shipped;
        let input = |rate| of(rate, self.own.input, shipped.input);
        let output = |rate| of(rate, self.own.output, shipped.output);
        TokenRates {
            input_audio: input(shipped.input_audio),
            input_image: input(shipped.input_image),
            input_video: input(shipped.input_video),
            cache_read_audio: input(shipped.cache_read_audio),
            cache_read_image: input(shipped.cache_read_image),
            output_audio: output(shipped.output_audio),
            output_image: output(shipped.output_image),
            output_video: output(shipped.output_video),
            output_reasoning: output(shipped.output_reasoning),
            citations: input(shipped.citations),
            ..TokenRates::default()
        }
    }

    /// Rates that stand to our ordinary ones as `other` stands to the shipped ordinary ones. What one of the two rows
    /// does not list follows from the rate for input, here as there.
    fn rates(&self, other: TokenRates) -> TokenRates {
        let mut found = TokenRates::default();
        for ((rate, own), (shipped, place)) in other
            .named()
            .zip(self.own.named())
            .map(|((_, rate), (_, own))| (rate, own))
            .zip(
                self.shipped
                    .named()
                    .map(|(_, shipped)| shipped)
                    .zip(found.places()),
            )
        {
            *place = rate
                .zip(own)
                .zip(shipped)
                .and_then(|((rate, own), shipped)| scaled(rate, own, shipped));
        }
        found
    }
}

/// `rate` times `by` through `of`, rounded; `None` through nothing.
fn scaled(rate: i64, by: i64, of: i64) -> Option<i64> {
    let of = i128::from(of);
    let scaled = (i128::from(rate) * i128::from(by) + of / 2).checked_div(of)?;
    i64::try_from(scaled).ok()
}
