//! What several calls cost together, line by line.

use std::collections::BTreeMap;

use domain::NanoUsd;
use serde::{Deserialize, Serialize};

use super::billed::{BilledAs, Receipt};

/// Counts and costs of one bucket or fee, of all calls together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// How many: tokens, searches, uses or calls.
    pub count: i64,
    /// What they cost, in nano-dollars.
    pub cost: NanoUsd,
}

impl BillLine {
    fn add(&mut self, count: i64, cost: NanoUsd) {
        self.count = self.count.saturating_add(count);
        self.cost = NanoUsd(self.cost.0.saturating_add(cost.0));
    }
}

/// The receipts of several calls as one, with what no receipt explains beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// By what they are for; they add up to what is computed.
    pub lines: BTreeMap<BilledAs, BillLine>,
    /// Calls whose cost is the one that was stated, and what was stated.
    pub stated: BillLine,
    /// Calls with a computed cost that their price, as it is now, does not come to.
    pub unexplained: BillLine,
    /// Calls whose cost is unknown.
    pub unknown: i64,
    /// Calls with both a computed cost and a stated one: how many, and what was computed.
    pub compared: BillLine,
    /// What was stated for those.
    pub compared_stated: NanoUsd,
}

impl Bill {
    /// Adds a call whose cost a receipt explains.
    pub fn add(&mut self, receipt: &Receipt) {
        for line in &receipt.lines {
            self.lines
                .entry(line.bucket)
                .or_default()
                .add(line.tokens, line.cost);
        }
    }

    /// Adds a call whose cost is the one that was stated.
    pub fn add_stated(&mut self, cost: NanoUsd) {
        self.stated.add(1, cost);
    }

    /// Adds a call whose computed cost no receipt explains.
    pub fn add_unexplained(&mut self, cost: NanoUsd) {
        self.unexplained.add(1, cost);
    }

    /// Notes that a call with a computed cost came with a stated one.
    pub fn compare(&mut self, computed: NanoUsd, stated: NanoUsd) {
        self.compared.add(1, computed);
        self.compared_stated = NanoUsd(self.compared_stated.0.saturating_add(stated.0));
    }

    /// Everything that is known together; `None` where nothing is.
    pub fn total(&self) -> Option<NanoUsd> {
        let rest = [self.stated, self.unexplained]
            .into_iter()
            .filter(|line| line.count != 0);
        self.lines
            .values()
            .copied()
            .chain(rest)
            .map(|line| line.cost.0)
            .reduce(i64::saturating_add)
            .map(NanoUsd)
    }
}

#[cfg(test)]
mod tests {
    use domain::{TokenUsage, UsageDetails};

    use super::*;
    use crate::pricing::{Billed, PriceRow, try_price_of};

    #[test]
    fn a_bill_adds_up_to_what_its_receipts_do() {
        let row: PriceRow = serde_json::from_value(serde_json::json!({
            "price_id": "p", "provider": "openai", "model_match": "exact", "model": "gpt-audio",
            "valid_from": "2026-01-01T00:00:00Z", "source": "s",
            "rates": {"input": 2_500_000_001_i64, "output": 10_000_000_000_i64, "output_audio": 64_000_000_000_i64,
                "web_search_per_1k": 10_000_000_000_i64}
        }))
        .unwrap();
        let mut bill = Bill::default();
        let mut sum = 0;
        for count in [17, 33, 101] {
            let mut details = UsageDetails::default();
            details.output.audio = Some(count);
            let tokens = TokenUsage {
                input_fresh: Some(count),
                output: Some(2 * count),
                ..TokenUsage::default()
            };
            let billed = Billed {
                tokens: &tokens,
                details: &details,
                model: None,
                service_tier: None,
                web_searches: Some(1),
                at: None,
            };
            let receipt = try_price_of(&row, &billed).unwrap();
            sum += receipt.total.0;
            bill.add(&receipt);
        }
        assert_eq!(bill.total(), Some(NanoUsd(sum)));
        let count = |bucket| bill.lines.get(&bucket).map(|line| line.count);
        assert_eq!(count(BilledAs::OutputAudio), Some(151));
        assert_eq!(count(BilledAs::Output), Some(151));
        assert_eq!(count(BilledAs::WebSearch), Some(3));
        assert_eq!(count(BilledAs::CacheRead), None);
        bill.add_stated(NanoUsd(7));
        assert_eq!(bill.total(), Some(NanoUsd(sum + 7)));
        assert_eq!(Bill::default().total(), None, "nothing is known of nothing");
    }
}
