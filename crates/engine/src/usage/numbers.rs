//! Numbers as libraries write them.

use domain::NanoUsd;
use serde_json::Value;

/// A whole number, also where a library wrote it as a decimal or as text.
pub(super) fn count(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub(super) fn money(value: &Value) -> Option<NanoUsd> {
    match value {
        Value::Number(number) => NanoUsd::parse_decimal(&number.to_string()),
        Value::String(text) => NanoUsd::parse_decimal(text.trim()),
        _ => None,
    }
}
