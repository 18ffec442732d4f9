//! Which runs a detector judges.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::NanoUsd;
use crate::step::words;

/// Longest key of metadata, in bytes.
const MAX_KEY_BYTES: usize = 200;

/// A key of what clients send along with steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetadataKey(String);

impl MetadataKey {
    /// `None` for a key that is blank or too long.
    pub fn new(key: &str) -> Option<Self> {
        let is_key = !key.trim().is_empty() && key.len() <= MAX_KEY_BYTES;
        is_key.then(|| Self(key.to_owned()))
    }

    /// As the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What of a run a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConditionField {
    /// Any of the models that answered.
    Model,
    /// The environment.
    Environment,
    /// The sum of the known costs, in dollars.
    CostUsd,
    /// All tokens.
    TotalTokens,
    /// From the first start to the last end.
    DurationMs,
    /// Failed steps.
    Errors,
    /// What clients sent along under a key, with any of the steps.
    Metadata(MetadataKey),
}

impl ConditionField {
    /// Reads `model`, `cost_usd`, `metadata.customer`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "model" => Self::Model,
            "environment" => Self::Environment,
            "cost_usd" => Self::CostUsd,
            "total_tokens" => Self::TotalTokens,
            "duration_ms" => Self::DurationMs,
            "errors" => Self::Errors,
            other => Self::Metadata(MetadataKey::new(other.strip_prefix("metadata.")?)?),
        })
    }

    /// Whether it is a number, so that it can be more or less than another.
    pub const fn is_number(&self) -> bool {
        matches!(
            self,
            Self::CostUsd | Self::TotalTokens | Self::DurationMs | Self::Errors
        )
    }
}

impl fmt::Display for ConditionField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::Environment => f.write_str("environment"),
            Self::CostUsd => f.write_str("cost_usd"),
            Self::TotalTokens => f.write_str("total_tokens"),
            Self::DurationMs => f.write_str("duration_ms"),
            Self::Errors => f.write_str("errors"),
            Self::Metadata(key) => write!(f, "metadata.{}", key.as_str()),
        }
    }
}

impl Serialize for ConditionField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConditionField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| {
            serde::de::Error::custom(
                "field must be model, environment, cost_usd, total_tokens, duration_ms, errors or metadata.<key>",
            )
        })
    }
}

words!(
    /// How a condition compares.
    ConditionOp {
        /// Is it.
        Is = "=",
        /// Is it not.
        IsNot = "!=",
        /// Is more.
        Above = ">",
        /// Is as much or more.
        AtLeast = ">=",
        /// Is less.
        Below = "<",
        /// Is as much or less.
        AtMost = "<=",
        /// Has it in it.
        Contains = "contains",
    }
);

/// A number that a condition compares with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// Dollars, exactly.
    Money(NanoUsd),
    /// Anything else.
    Number(f64),
}

/// One condition on runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorCondition {
    /// What it looks at.
    pub field: ConditionField,
    /// How it compares.
    pub op: ConditionOp,
    /// With what: a text, a number, true or false, or a list of them, of which one has to be it.
    pub value: Value,
}

impl DetectorCondition {
    /// The values as texts.
    pub fn texts(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(is) => Some(is.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        match &self.value {
            Value::Array(values) => values.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect(),
        }
    }

    /// The same with its value in the one form in which it is stored: a figure as a number, all else as texts.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        let texts = self.texts();
        self.value = match texts.as_slice() {
            [] => return self,
            [one] if self.field.is_number() => match serde_json::from_str(one) {
                Ok(number) => Value::Number(number),
                Err(_no_number) => Value::from(one.as_str()),
            },
            [one] => Value::from(one.as_str()),
            many => Value::from(many.to_vec()),
        };
        self
    }

    /// The value as a number of the field's kind.
    pub fn amount(&self) -> Option<Amount> {
        let texts = self.texts();
        let [text] = texts.as_slice() else { return None };
        match self.field {
            ConditionField::CostUsd => NanoUsd::parse_decimal(text).map(Amount::Money),
            _ => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Amount::Number),
        }
    }

    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<String> {
        let field = &self.field;
        if field.is_number() {
            if self.op == ConditionOp::Contains {
                return Some(format!("{field} is a number and contains nothing"));
            }
            return self
                .amount()
                .is_none()
                .then(|| format!("{field} is compared with a number"));
        }
        let texts = self.texts();
        if texts.is_empty() || texts.iter().any(|text| text.is_empty() || text.len() > 500) {
            return Some(format!("{field} is compared with a text of at most 500 bytes"));
        }
        let is_order = matches!(
            self.op,
            ConditionOp::Above | ConditionOp::AtLeast | ConditionOp::Below | ConditionOp::AtMost
        );
        if is_order && !matches!(field, ConditionField::Metadata(_)) {
            return Some(format!("{field} is a text: compare it by =, != or contains"));
        }
        (is_order && self.amount().is_none()).then(|| format!("{field} is compared with a number"))
    }
}

/// `cost_usd > 0.02`.
impl fmt::Display for DetectorCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.field,
            self.op.as_str(),
            self.texts().join(" or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(field: &str, op: &str, value: Value) -> DetectorCondition {
        serde_json::from_value(json!({ "field": field, "op": op, "value": value })).unwrap()
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let check = |field: &str, op: &str, value: Value, is_fine: bool| {
            let problem = condition(field, op, value.clone()).problem();
            assert_eq!(problem.is_none(), is_fine, "{field} {op} {value}: {problem:?}");
        };
        check("cost_usd", ">", json!(0.02), true);
        check("cost_usd", ">", json!("0.02"), true);
        check("cost_usd", ">", json!("much"), false);
        check("errors", "contains", json!(1), false);
        check("model", "=", json!(["a", "b"]), true);
        check("model", ">", json!("a"), false);
        check("environment", "=", json!(""), false);
        check("metadata.customer", "=", json!("acme"), true);
        check("metadata.size", ">=", json!(3), true);
        check("metadata.size", ">=", json!("big"), false);
        check("model", "=", Value::Null, false);
    }

    #[test]
    fn a_value_is_stored_in_one_form_however_it_was_sent() {
        let check = |field: &str, value: Value, expected: Value| {
            assert_eq!(condition(field, "=", value).tidied().value, expected, "{field}");
        };
        check("cost_usd", json!("0.020"), json!(0.02));
        check("errors", json!(1), json!(1));
        check("errors", json!("many"), json!("many"));
        check("metadata.size", json!(7), json!("7"));
        check("model", json!(["a", " b "]), json!(["a", "b"]));
        check("model", Value::Null, Value::Null);
    }

    #[test]
    fn fields_come_back_as_they_were() {
        for word in ["model", "errors", "metadata.a.b"] {
            let field = ConditionField::parse(word).unwrap();
            assert_eq!(field.to_string(), word);
            assert_eq!(
                serde_json::from_value::<ConditionField>(json!(word)).unwrap(),
                field
            );
        }
        assert_eq!(ConditionField::parse("metadata."), None);
        assert_eq!(ConditionField::parse("name"), None);
    }
}
