//! Reading one field of a step, with an answer that names it.

use domain::{NanoUsd, Timestamp};
use engine::half_surrogates;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::rejection::Rejection;

/// A field as it stands in the body: absent, or its JSON text. `null` counts as absent.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) raw: Option<&'a RawValue>,
}

impl<'a> Field<'a> {
    fn json(self) -> Option<&'a str> {
        self.raw.map(RawValue::get).filter(|json| *json != "null")
    }

    fn wrong(self, message: &str) -> Rejection {
        Rejection::field(self.name, format!("{} {message}", self.name))
    }

    /// The value, or a rejection that says the field is mandatory.
    pub(super) fn required<T>(self, value: Option<T>) -> Result<T, Rejection> {
        value.ok_or_else(|| Rejection {
            field: Some(self.name.to_owned()),
            message: format!("{} is missing", self.name),
            reason: "missing_field",
            steps: 1,
        })
    }

    /// A text. How long it may be is for [`super::step`] to say.
    pub(super) fn text(self) -> Result<Option<String>, Rejection> {
        let Some(json) = self.json() else { return Ok(None) };
        serde_json::from_str(json)
            .or_else(|_half_surrogate| serde_json::from_str(&half_surrogates::replaced(json)))
            .map(Some)
            .map_err(|_not_text| self.wrong("must be a string"))
    }

    /// A text that is an id or a label: `None` when blank.
    pub(super) fn word(self) -> Result<Option<String>, Rejection> {
        Ok(self.text()?.filter(|text| !text.trim().is_empty()))
    }

    /// A text of any length. Objects and arrays are taken as their JSON text: clients send both.
    pub(super) fn body(self) -> Result<Option<String>, Rejection> {
        match self.json() {
            Some(json) if json.starts_with(['{', '[']) => {
                Ok(Some(half_surrogates::replaced(json).into_owned()))
            }
            _ => self.text(),
        }
    }

    pub(super) fn integer(self) -> Result<Option<i64>, Rejection> {
        let Some(json) = self.json() else { return Ok(None) };
        serde_json::from_str(json)
            .map(Some)
            .map_err(|_not_integer| self.wrong("must be an integer"))
    }

    /// A finite number.
    pub(super) fn number(self) -> Result<Option<f64>, Rejection> {
        let Some(json) = self.json() else { return Ok(None) };
        let number: f64 = serde_json::from_str(json).map_err(|_not_number| self.wrong("must be a number"))?;
        Ok(Some(number))
    }

    /// An amount of dollars, read from its digits.
    pub(super) fn money(self) -> Result<Option<NanoUsd>, Rejection> {
        let Some(json) = self.json() else { return Ok(None) };
        let is_number = json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let money = is_number.then(|| NanoUsd::parse_decimal(json)).flatten();
        money
            .map(Some)
            .ok_or_else(|| self.wrong("must be a number of dollars within ±100,000"))
    }

    /// True or false.
    pub(super) fn boolean(self) -> Result<Option<bool>, Rejection> {
        let Some(json) = self.json() else { return Ok(None) };
        serde_json::from_str(json)
            .map(Some)
            .map_err(|_not_boolean| self.wrong("must be true or false"))
    }

    pub(super) fn time(self) -> Result<Option<Timestamp>, Rejection> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        Timestamp::parse_rfc3339(&text)
            .map(Some)
            .ok_or_else(|| self.wrong("must be an RFC 3339 time such as 2026-11-21T09:00:00Z"))
    }

    /// One of a fixed set of words.
    pub(super) fn one_of<T: Copy>(
        self,
        all: &[T],
        parse: fn(&str) -> Option<T>,
        word: fn(T) -> &'static str,
    ) -> Result<Option<T>, Rejection> {
        let Some(text) = self.word()? else {
            return Ok(None);
        };
        parse(&text).map(Some).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|value| word(*value)).collect();
            self.wrong(&format!("must be one of {}", words.join(", ")))
        })
    }

    /// A JSON object of at most `max_bytes` of text.
    pub(super) fn object(self, max_bytes: usize) -> Result<Map<String, Value>, Rejection> {
        let Some(json) = self.json() else {
            return Ok(Map::new());
        };
        if json.len() > max_bytes {
            return Err(self.wrong(&format!("must be at most {max_bytes} bytes of JSON")));
        }
        serde_json::from_str(json)
            .or_else(|_half_surrogate| serde_json::from_str(&half_surrogates::replaced(json)))
            .map_err(|_not_object| self.wrong("must be a JSON object of at most 120 levels"))
    }

    /// An array of at most `max` items, each unread.
    pub(super) fn items(self, max: usize) -> Result<Vec<&'a RawValue>, Rejection> {
        let Some(json) = self.json() else {
            return Ok(Vec::new());
        };
        let items: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_not_array| self.wrong("must be an array"))?;
        if items.len() > max {
            return Err(self.wrong(&format!("must have at most {max} items")));
        }
        Ok(items)
    }
}
