//! Where OTLP's JSON differs from what serde derives: ids are hexadecimal, 64-bit integers may be strings, anything
//! may be null.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::{Any, AnyValue, ArrayValue, KeyValueList, Malformed};

/// A value, or what stands for it when it is null.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// An id in hexadecimal digits of either case. One that is none is empty: its span is no span, the others are.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.and_then(|text| hex::decode(text).ok()).unwrap_or_default())
}

/// A number, or its digits in a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
}

pub(super) fn unsigned<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Option::<Number>::deserialize(from)? {
        None => Ok(0),
        Some(Number::Unsigned(number)) => Ok(number),
        // Before 1970.
        Some(Number::Signed(_)) => Ok(0),
        // JavaScript writes what it can't hold exactly with an exponent.
        Some(Number::Float(number)) => Ok(number as u64),
        Some(Number::Text(text)) if text.is_empty() => Ok(0),
        Some(Number::Text(text)) => text
            .parse()
            .map_err(|_odd| D::Error::custom("expected an integer or its digits")),
    }
}

fn signed(number: &Number) -> Option<i64> {
    match number {
        Number::Unsigned(number) => i64::try_from(*number).ok(),
        Number::Signed(number) => Some(*number),
        Number::Float(number) => Some(*number as i64),
        Number::Text(text) => text.parse().ok(),
    }
}

fn double(number: &Number) -> Option<f64> {
    match number {
        Number::Unsigned(number) => Some(*number as f64),
        Number::Signed(number) => Some(*number as f64),
        Number::Float(number) => Some(*number),
        // Also `NaN` and `Infinity`.
        Number::Text(text) => text.parse().ok(),
    }
}

/// A small number; what is none, such as an enum's name, says nothing.
pub(super) fn small<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    let number: Option<Number> = Option::deserialize(from)?;
    Ok(match number {
        Some(Number::Text(name)) if name == "STATUS_CODE_ERROR" => super::Status::ERROR,
        Some(number) => signed(&number)
            .and_then(|code| i32::try_from(code).ok())
            .unwrap_or_default(),
        None => 0,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValueList>,
    bytes_value: Option<String>,
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = JsonValue::deserialize(from)?;
        let value = value
            .string_value
            .map(Any::String)
            .or_else(|| value.bool_value.map(Any::Bool))
            .or_else(|| value.int_value.as_ref().and_then(signed).map(Any::Int))
            .or_else(|| value.double_value.as_ref().and_then(double).map(Any::Double))
            .or_else(|| value.array_value.map(Any::Array))
            .or_else(|| value.kvlist_value.map(Any::Map))
            .or_else(|| {
                let text = value.bytes_value?;
                Some(Any::Bytes(STANDARD.decode(text).ok()?))
            });
        Ok(Self { value })
    }
}

/// Whether a JSON body is meant for another path.
pub(super) fn other_signal(bytes: &[u8]) -> Option<Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Other {
        resource_logs: Option<IgnoredAny>,
        resource_metrics: Option<IgnoredAny>,
    }
    let other: Other = serde_json::from_slice(bytes).ok()?;
    match other {
        Other {
            resource_logs: Some(_),
            ..
        } => Some(Malformed::Logs),
        Other {
            resource_metrics: Some(_),
            ..
        } => Some(Malformed::Metrics),
        _ => None,
    }
}
