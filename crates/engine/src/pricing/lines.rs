//! The lines of a receipt and their exact sum.

use domain::NanoUsd;

use super::billed::{BilledAs, ReceiptLine, Unpriced};
use crate::usage::MAX_NANO_USD;

pub(super) fn per_thousand(rate: i64, permille: i64) -> i128 {
    rounded(i128::from(rate) * i128::from(permille), 1_000)
}

/// A division of a number that is not negative, rounded half up.
fn rounded(value: i128, by: i128) -> i128 {
    (value + by / 2).div_euclid(by)
}

/// Lines and their exact sum. Each line is the step that the rounded sum makes, so that the lines add up to it.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<ReceiptLine>,
    /// Millionths of nano-dollars.
    exact: i128,
}

impl Lines {
    /// Fails when the count or the rate is below zero, or the sum beyond what money can hold.
    pub(super) fn add(
        &mut self,
        bucket: BilledAs,
        count: i64,
        rate: i64,
        is_derived: bool,
    ) -> Result<(), Unpriced> {
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

    pub(super) fn total(&self) -> Result<NanoUsd, Unpriced> {
        i64::try_from(rounded(self.exact, 1_000_000))
            .ok()
            .filter(|total| total.unsigned_abs() <= MAX_NANO_USD)
            .map(NanoUsd)
            .ok_or(Unpriced::TooMuch)
    }
}
