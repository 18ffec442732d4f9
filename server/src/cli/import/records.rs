//! JSON objects of an export with the line each begins in: one a line, in a list, or in the pages that an API answers
//! with. Each is read by itself, so that what is wrong is said with its line.

use domain::id::MAX_CLIENT_ID_BYTES;
use domain::{NanoUsd, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};

/// An object of an export.
#[derive(Debug)]
pub(super) struct Record {
    /// Where it begins, from 1.
    pub(super) line: usize,
    fields: Map<String, Value>,
}

/// A page as APIs answer with: the list in it.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    runs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

/// All objects of a text, in their order; what is wrong in words, with the line.
pub(super) fn read(text: &str) -> Result<Vec<Record>, String> {
    let mut lines = Lines::of(text);
    let mut records = Vec::new();
    for document in Deserializer::from_str(text).into_iter::<&RawValue>() {
        let document = document.map_err(|cause| format!("line {}: it is no JSON: {cause}", cause.line()))?;
        let line = lines.line_of(document);
        let listed = match list_in(document) {
            Ok(Some(list)) => list,
            Ok(None) => {
                records.push(record(document, line)?);
                continue;
            }
            Err(cause) => return Err(format!("line {line}: {cause}")),
        };
        for item in listed {
            let line = lines.line_of(item);
            records.push(record(item, line)?);
        }
    }
    Ok(records)
}

/// The first object of a text: what an export is, is told by it. `None` where there is none.
pub(super) fn first(text: &str) -> Option<Record> {
    let document = Deserializer::from_str(text)
        .into_iter::<&RawValue>()
        .next()?
        .ok()?;
    let first = match list_in(document).ok()? {
        Some(list) => *list.first()?,
        None => document,
    };
    record(first, 1).ok()
}

/// The items of a document that is a list, or a page with one.
fn list_in(document: &RawValue) -> Result<Option<Vec<&RawValue>>, serde_json::Error> {
    if document.get().starts_with('[') {
        return serde_json::from_str(document.get()).map(Some);
    }
    // What is no page is looked at by whoever reads records.
    let Ok(page) = serde_json::from_str::<Page<'_>>(document.get()) else {
        return Ok(None);
    };
    match page.data.or(page.runs).filter(|_| page.id.is_none()) {
        Some(list) if list.get().starts_with('[') => serde_json::from_str(list.get()).map(Some),
        _ => Ok(None),
    }
}

fn record(raw: &RawValue, line: usize) -> Result<Record, String> {
    match serde_json::from_str(raw.get()) {
        Ok(Value::Object(fields)) => Ok(Record { line, fields }),
        Ok(_) => Err(format!("line {line}: it is no JSON object")),
        Err(cause) => Err(format!("line {line}: it can't be read: {cause}")),
    }
}

/// Counts lines as far as has been read.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line in which a part of the text begins; parts are asked for in their order.
    fn line_of(&mut self, part: &RawValue) -> usize {
        let offset = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let passed = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = self.offset.max(offset);
        self.line
    }
}

impl Record {
    /// An object within another that begins in the same line.
    pub(super) fn within(line: usize, fields: Map<String, Value>) -> Self {
        Self { line, fields }
    }

    /// What is wrong with it, with its line.
    pub(super) fn problem(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    /// The value under the first of these names that is there, and is not `null`.
    pub(super) fn value(&self, names: &[&str]) -> Option<&Value> {
        let mut values = names.iter().filter_map(|name| self.fields.get(*name));
        values.find(|value| !value.is_null())
    }

    /// Whether it has a field of one of these names.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.value(names).is_some()
    }

    /// An object, which columns of tables keep as JSON in a text.
    pub(super) fn object(&self, names: &[&str]) -> Option<Map<String, Value>> {
        match self.value(names)? {
            Value::Object(object) => Some(object.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// A text; anything else under its name is wrong.
    pub(super) fn text(&self, names: &[&str]) -> Result<Option<&str>, String> {
        match self.value(names) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)
                .filter(|text| !text.trim().is_empty())
                .map(String::as_str)),
            Some(_) => Err(self.problem(&format!("{} must be a text", names.join(" or ")))),
        }
    }

    /// An identity, which is never cut: two of them could become one.
    pub(super) fn optional_id(&self, names: &[&str]) -> Result<Option<&str>, String> {
        match self.text(names)? {
            Some(id) if id.len() > MAX_CLIENT_ID_BYTES => Err(self.problem(&format!(
                "{} must be at most {MAX_CLIENT_ID_BYTES} bytes long",
                names.join(" or ")
            ))),
            id => Ok(id),
        }
    }

    /// An identity that has to be there.
    pub(super) fn id(&self, names: &[&str]) -> Result<String, String> {
        let missing = || self.problem(&format!("it has no {}", names.join(" or ")));
        self.optional_id(names)?.map(str::to_owned).ok_or_else(missing)
    }

    /// A time: RFC 3339, the same without a zone, which is UTC, or milliseconds since 1970.
    pub(super) fn time(&self, names: &[&str]) -> Result<Option<Timestamp>, String> {
        let Some(value) = self.value(names) else {
            return Ok(None);
        };
        let wrong = || self.problem(&format!("{} must be a time", names.join(" or ")));
        time_of(value).map(Some).ok_or_else(wrong)
    }

    /// Dollars; what is none is unknown.
    pub(super) fn dollars(&self, names: &[&str]) -> Option<NanoUsd> {
        match self.value(names)? {
            Value::Number(number) => NanoUsd::parse_decimal(&number.to_string()),
            Value::String(text) => NanoUsd::parse_decimal(text.trim()),
            _ => None,
        }
    }
}

fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => {
            let text = text.trim().replacen(' ', "T", 1);
            Timestamp::parse_rfc3339(&text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
        }
        Value::Number(ms) => {
            let micros = ms.as_f64()? * 1_000.0;
            (micros.abs() < 1e18).then(|| Timestamp::from_micros(micros as i64))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        read(text).unwrap().iter().map(|record| record.line).collect()
    }

    #[test]
    fn objects_are_found_in_lines_lists_and_pages_with_their_line() {
        assert_eq!(lines("{\"id\":1}\n\n{\"id\":2}\n"), [1, 3]);
        assert_eq!(lines("[\n{\"id\":1},\n{\n\"id\":2}]"), [2, 3]);
        assert_eq!(
            lines("{\"meta\":{},\n\"data\":[\n{\"id\":1}]}\n{\"runs\":[{\"id\":2}]}"),
            [3, 4]
        );
        // An object of its own may have a field of that name.
        assert_eq!(lines("{\"id\":1,\"data\":[3]}"), [1]);
        assert!(lines(" ").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let check = |text: &str, expected: &str| {
            let problem = read(text).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        };
        check("{\"id\":1}\n{\"id\":", "line 2: it is no JSON");
        check("{\"id\":1}\n7", "line 2: it is no JSON object");
        check("[{},\n[]]", "line 2: it is no JSON object");
        let deep = format!("{{}}\n{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        check(&deep, "line 2: it can't be read");
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let check = |value: Value, expected: Option<&str>| {
            assert_eq!(
                time_of(&value),
                expected.and_then(Timestamp::parse_rfc3339),
                "{value}"
            );
        };
        check("2026-11-20T09:00:00.5Z".into(), Some("2026-11-20T09:00:00.5Z"));
        check(
            "2026-11-20T09:00:00.500000".into(),
            Some("2026-11-20T09:00:00.5Z"),
        );
        check(
            "2026-11-20 09:00:00.500000".into(),
            Some("2026-11-20T09:00:00.5Z"),
        );
        check("2026-11-20 10:00:00+01:00".into(), Some("2026-11-20T09:00:00Z"));
        check(1_795_165_200_500_i64.into(), Some("2026-11-20T09:00:00.5Z"));
        check("yesterday".into(), None);
        check(1e300.into(), None);
        check(true.into(), None);
    }
}
