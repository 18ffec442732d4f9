//! Arguments of a tool: described once, for the schema that a model sees and for reading what it sends. What is wrong is
//! said in words that it can act on.

use domain::Timestamp;
use serde_json::{Map, Value, json};

/// Longest text, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// An argument of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub is_required: bool,
    /// For a model.
    pub description: &'static str,
}

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    /// A whole number between two others; the last where it is not given.
    Integer {
        min: i64,
        max: i64,
        default: i64,
    },
    /// RFC 3339, or a date.
    Time,
    /// One of these words; the first where it is not given.
    Choice(&'static [&'static str]),
}

impl Parameter {
    pub(super) const fn optional(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: false,
            description,
        }
    }

    pub(super) const fn required(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: true,
            description,
        }
    }

    pub(super) fn schema(&self) -> Value {
        let description = self.description;
        match self.kind {
            Kind::Text => {
                json!({ "type": "string", "description": description, "maxLength": MAX_TEXT_CHARS })
            }
            Kind::Integer { min, max, default } => json!({
                "type": "integer", "minimum": min, "maximum": max, "default": default, "description": description,
            }),
            Kind::Time => json!({
                "type": "string", "description": format!("{description} (RFC 3339, or a date such as 2026-11-12; UTC)"),
            }),
            Kind::Choice(words) => json!({ "type": "string", "enum": words, "description": description }),
        }
    }

    fn read(&self, value: &Value) -> Result<Read, String> {
        let name = self.name;
        match self.kind {
            Kind::Text => {
                let text = match value {
                    Value::String(text) => text.trim().to_owned(),
                    // Models write `2` for `"2"`.
                    Value::Number(number) => number.to_string(),
                    _ => return Err(format!("{name} must be a string")),
                };
                if text.is_empty() || text.contains('\0') || text.chars().count() > MAX_TEXT_CHARS {
                    return Err(format!("{name} must be 1 to {MAX_TEXT_CHARS} characters"));
                }
                Ok(Read::Text(text))
            }
            Kind::Integer { min, max, .. } => value
                .as_i64()
                .or_else(|| value.as_str()?.trim().parse().ok())
                .filter(|number| (min..=max).contains(number))
                .map(Read::Integer)
                .ok_or_else(|| format!("{name} must be an integer from {min} to {max}")),
            Kind::Time => value
                .as_str()
                .map(str::trim)
                .and_then(|text| {
                    Timestamp::parse_rfc3339(text)
                        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))
                })
                .map(Read::Time)
                .ok_or_else(|| {
                    format!(
                        "{name} must be a time such as 2026-11-12T14:00:00Z, or a date such as 2026-11-12"
                    )
                }),
            Kind::Choice(words) => value
                .as_str()
                .and_then(|word| words.iter().find(|known| **known == word))
                .map(|word| Read::Text((*word).to_owned()))
                .ok_or_else(|| format!("{name} must be one of {}", words.join(", "))),
        }
    }

    fn default(&self) -> Option<Read> {
        match self.kind {
            Kind::Integer { default, .. } => Some(Read::Integer(default)),
            Kind::Choice(words) => words.first().map(|word| Read::Text((*word).to_owned())),
            Kind::Text | Kind::Time => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Read {
    Text(String),
    Integer(i64),
    Time(Timestamp),
}

/// What a tool was called with, as its parameters say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arguments(Vec<(&'static str, Read)>);

impl Arguments {
    pub(super) fn read(parameters: &'static [Parameter], given: &Value) -> Result<Self, String> {
        let nothing = Map::new();
        let given = match given {
            Value::Object(given) => given,
            Value::Null => &nothing,
            _ => return Err("The arguments must be a JSON object".to_owned()),
        };
        if let Some(unknown) = given
            .keys()
            .find(|name| !parameters.iter().any(|parameter| parameter.name == name.as_str()))
        {
            let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
            let unknown = domain::text::first_line(unknown, 60);
            return Err(format!(
                "{unknown} is no argument of this tool; it takes {}",
                names.join(", ")
            ));
        }
        let mut read = Vec::new();
        for parameter in parameters {
            match given.get(parameter.name).filter(|value| !value.is_null()) {
                Some(value) => read.push((parameter.name, parameter.read(value)?)),
                None if parameter.is_required => return Err(format!("{} is missing", parameter.name)),
                None => read.extend(parameter.default().map(|value| (parameter.name, value))),
            }
        }
        Ok(Self(read))
    }

    fn get(&self, name: &str) -> Option<&Read> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// A text, or the word of a choice.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Read::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text of its own, for filters.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// An integer; 0 where the tool has no such parameter.
    pub(super) fn integer(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Read::Integer(number)) => *number,
            _ => 0,
        }
    }

    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        match self.get(name) {
            Some(Read::Time(at)) => Some(*at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter::required("key", Kind::Text, "Label of the key"),
        Parameter::optional(
            "days",
            Kind::Integer {
                min: 1,
                max: 90,
                default: 14,
            },
            "How many days",
        ),
        Parameter::optional("to", Kind::Time, "The end"),
        Parameter::optional("by", Kind::Choice(&["all", "model"]), "By what"),
    ];

    #[test]
    fn arguments_are_read_or_the_error_says_what_they_have_to_be() {
        let read = |given: Value| Arguments::read(PARAMETERS, &given);
        let good = read(json!({ "key": " a ", "to": "2026-11-12", "by": null })).unwrap();
        assert_eq!(
            (good.text("key"), good.integer("days"), good.text("by")),
            (Some("a"), 14, Some("all"))
        );
        assert_eq!(good.time("to").unwrap().to_string(), "2026-11-12T00:00:00Z");
        let check = |given: Value, words: &str| {
            let error = read(given.clone()).unwrap_err();
            assert!(error.contains(words), "{given}: {error}");
        };
        check(json!({}), "key is missing");
        check(json!([]), "must be a JSON object");
        check(
            json!({ "key": "a", "project": "b" }),
            "it takes key, days, to, by",
        );
        check(json!({ "key": "a", "days": 91 }), "from 1 to 90");
        check(json!({ "key": "a", "days": 1.5 }), "from 1 to 90");
        check(json!({ "key": "a", "to": "yesterday" }), "such as 2026-11-12");
        check(json!({ "key": "a", "by": "user" }), "one of all, model");
        check(json!({ "key": "x\u{0}" }), "1 to 500 characters");
        check(json!({ "key": { "a": 1 } }), "must be a string");
    }
}
