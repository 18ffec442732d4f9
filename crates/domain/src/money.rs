//! Money: whole nano-dollars. Binary floating point never touches it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in US dollars, in billionths (10⁻⁹ $). May be negative, because a client can report nonsense and
/// nonsense is stored and flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Reads a JSON number's text exactly: `0.0014`, `1e-3`, `-2`. Digits below 10⁻⁹ are rounded half away from
    /// zero. `None` when it is not a number or beyond ±9.2 billion dollars.
    pub fn parse_decimal(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut value: i128 = 0;
        // The place of the next digit as a power of ten, in nano-dollars: 9 is one whole dollar.
        let mut place = 8i64 + whole.len() as i64 + i64::from(exponent);
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            let digit = i128::from(byte - b'0');
            if digit != 0 && place > 20 {
                return None;
            }
            match place {
                0..=20 => value += digit * 10i128.pow(place as u32),
                -1 if digit >= 5 => value += 1,
                _ => {}
            }
            place -= 1;
        }
        let value = if negative { -value } else { value };
        i64::try_from(value).ok().map(Self)
    }

    /// The exact amount as a decimal string in dollars, without trailing zeros: `0.0014`.
    pub fn to_decimal(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs() / 1_000_000_000;
        let fraction = self.0.unsigned_abs() % 1_000_000_000;
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:09}");
        format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }

    /// The amount as pages show it: four digits below one dollar, two above; what would read as
    /// nothing says so. `$0.0042`, `$17.40`, `−$0.0100`, `< $0.0001`.
    pub fn to_short(self) -> String {
        let sign = if self.0 < 0 { "−" } else { "" };
        let nano = self.0.unsigned_abs();
        if (1..50_000).contains(&nano) {
            return if self.0 < 0 { "> −$0.0001" } else { "< $0.0001" }.to_owned();
        }
        let (unit, digits) = if nano < 1_000_000_000 {
            (100_000, 4)
        } else {
            (10_000_000, 2)
        };
        let rounded = (nano + unit / 2) / unit;
        let per_dollar = 10u64.pow(digits);
        let (whole, fraction) = (rounded / per_dollar, rounded % per_dollar);
        format!(
            "{sign}${}.{fraction:0width$}",
            crate::text::grouped(whole),
            width = digits as usize
        )
    }

    /// The sum, held at the limits of the type instead of wrapping.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_short())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_decimals_exactly() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(NanoUsd::parse_decimal(text).map(|m| m.0), expected, "{text}");
        };
        check("0", Some(0));
        check("0.0014", Some(1_400_000));
        check("1.4e-3", Some(1_400_000));
        check("1E2", Some(100_000_000_000));
        check("-2", Some(-2_000_000_000));
        check("0.0000000005", Some(1));
        check("0.00000000049", Some(0));
        check("5e-400", Some(0));
        check("9223372036.854775807", Some(i64::MAX));
        check("9223372036.854775808", None);
        check("1e30", None);
        check("0e99", Some(0));
        check("", None);
        check(".", None);
        check("abc", None);
        check("1e999999999999", None);
    }

    #[test]
    fn shows_amounts_in_short() {
        let check = |text: &str, expected: &str| {
            assert_eq!(NanoUsd::parse_decimal(text).unwrap().to_short(), expected);
        };
        check("0", "$0.0000");
        check("0.00421", "$0.0042");
        check("0.00005", "$0.0001");
        check("0.00004", "< $0.0001");
        check("-0.00004", "> −$0.0001");
        check("17.404", "$17.40");
        check("1234567.891", "$1,234,567.89");
        check("-0.01", "−$0.0100");
        check("0.99999", "$1.0000");
    }

    proptest! {
        #[test]
        fn decimal_text_round_trips(nano in any::<i64>()) {
            let money = NanoUsd(nano);
            prop_assert_eq!(NanoUsd::parse_decimal(&money.to_decimal()), Some(money));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,40}") {
            NanoUsd::parse_decimal(&text);
        }
    }
}
