//! What a judge answers: `{identified, summary, data, quotes}`, the arguments of the one tool it may call.

use serde_json::{Map, Value, json};

use super::quotes::Claimed;
use crate::schema::{Budget, violation};

/// Longest summary that is kept, in characters.
const MAX_SUMMARY_CHARS: usize = 500;
/// Most quotes that are looked at.
const MAX_QUOTES: usize = 50;
/// The shortest text of `data` that is looked for in the run where the answer has no quotes of its own, in bytes.
const MIN_DATA_QUOTE_BYTES: usize = 8;

/// A judge's answer in the form it has to have.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    /// Whether it found what it was asked for.
    pub identified: bool,
    /// One sentence.
    pub summary: String,
    /// What the detector's schema asks for; null where there is none.
    pub data: Value,
    /// What it says stands in the run.
    pub quotes: Vec<Claimed>,
    /// Texts of `data` that may stand in the run, where it has no quotes: not counted where they don't.
    pub perhaps: Vec<Claimed>,
}

/// Why an answer is none, said to the model when it is asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerError(pub String);

/// The schema of the tool's arguments, with the detector's own of `data` in it.
pub fn answer_schema(data: Option<&Value>) -> Value {
    let data = data.cloned().unwrap_or_else(
        || json!({ "type": "object", "description": "anything else worth knowing, in short" }),
    );
    json!({
        "type": "object",
        "properties": {
            "identified": { "type": "boolean", "description": "whether the run has what is looked for" },
            "summary": { "type": "string", "description": "one sentence for people, with the decisive words" },
            "data": data,
            "quotes": {
                "type": "array",
                "description": "the words that prove it, copied letter by letter from the run; empty if not identified",
                "items": {
                    "type": "object",
                    "properties": {
                        "step_id": { "type": "string", "description": "the step that they stand in" },
                        "quote": { "type": "string" },
                    },
                    "required": ["step_id", "quote"],
                },
            },
        },
        "required": ["identified", "summary", "data", "quotes"],
    })
}

/// Reads the arguments of the call. `schema` is the detector's own of `data`, to which only an answer is held that found
/// something.
pub fn read_answer(arguments: &Value, schema: Option<&Value>) -> Result<ModelAnswer, AnswerError> {
    let wrong = |what: &str| Err(AnswerError(what.to_owned()));
    let Some(answer) = arguments.as_object() else {
        return wrong("The arguments must be an object");
    };
    let Some(identified) = answer.get("identified").and_then(Value::as_bool) else {
        return wrong("identified must be true or false");
    };
    let summary = answer.get("summary").and_then(Value::as_str).unwrap_or_default();
    let summary = domain::text::first_line(summary, MAX_SUMMARY_CHARS);
    if identified && summary.is_empty() {
        return wrong("summary must be one sentence");
    }
    let data = answer.get("data").cloned().unwrap_or(Value::Null);
    if let Some(schema) = schema.filter(|_| identified)
        && let Some(broken) = violation(schema, &data, &mut Budget::default())
    {
        let place = broken.place_words();
        return Err(AnswerError(format!(
            "data breaks its schema at {place}: {} instead of {}",
            broken.observed, broken.expected
        )));
    }
    let quotes = match answer.get("quotes") {
        None | Some(Value::Null) => None,
        Some(Value::Array(quotes)) => Some(quotes.iter().take(MAX_QUOTES).filter_map(quote).collect()),
        Some(_) => return wrong("quotes must be a list of {step_id, quote}"),
    };
    let perhaps = match &quotes {
        None => texts_of(&data),
        Some(_) => Vec::new(),
    };
    Ok(ModelAnswer {
        identified,
        summary,
        data,
        quotes: quotes.unwrap_or_default(),
        perhaps,
    })
}

fn quote(value: &Value) -> Option<Claimed> {
    let text =
        |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::String(quote) => Some(Claimed {
            step_id: None,
            quote: quote.clone(),
        }),
        Value::Object(object) => Some(Claimed {
            step_id: text(object, "step_id"),
            quote: text(object, "quote").or_else(|| text(object, "text"))?,
        }),
        _ => None,
    }
}

/// The texts of an object and of the lists in it.
fn texts_of(data: &Value) -> Vec<Claimed> {
    let values: Vec<&Value> = match data {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    values
        .into_iter()
        .flat_map(|value| match value {
            Value::String(text) if text.len() >= MIN_DATA_QUOTE_BYTES => vec![Claimed {
                step_id: None,
                quote: text.clone(),
            }],
            Value::Array(items) => items.iter().filter_map(quote).collect(),
            _ => Vec::new(),
        })
        .take(MAX_QUOTES)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused_with_the_reason() {
        let schema = json!({ "type": "object", "required": ["promise"] });
        let check = |answer: Value, expected: Result<usize, &str>| {
            let read = read_answer(&answer, Some(&schema));
            let read = read.map(|answer| answer.quotes.len());
            assert_eq!(
                read,
                expected.map_err(|what| AnswerError(what.to_owned())),
                "{answer}"
            );
        };
        let found = json!({
            "identified": true, "summary": "x", "data": { "promise": "y" },
            "quotes": [{ "step_id": "s", "quote": "q" }, "bare", 7],
        });
        check(found, Ok(2));
        check(json!({ "identified": false }), Ok(0));
        check(json!("yes"), Err("The arguments must be an object"));
        check(
            json!({ "identified": "yes" }),
            Err("identified must be true or false"),
        );
        check(
            json!({ "identified": true, "data": { "promise": 1 } }),
            Err("summary must be one sentence"),
        );
        check(
            json!({ "identified": true, "summary": "x", "data": {}, "quotes": [] }),
            Err("data breaks its schema at the top: no key “promise” instead of the key “promise”"),
        );
        check(
            json!({ "identified": true, "summary": "x", "data": { "promise": "y" }, "quotes": "q" }),
            Err("quotes must be a list of {step_id, quote}"),
        );
    }

    #[test]
    fn texts_of_data_may_be_quotes_where_there_are_none() {
        let answer =
            json!({ "identified": true, "summary": "x", "data": { "promise": "within 24 hours", "n": "1" } });
        let read = read_answer(&answer, None).unwrap();
        assert_eq!(read.quotes, []);
        assert_eq!(read.perhaps.len(), 1);
    }

    #[test]
    fn the_tools_schema_holds_its_own_answers() {
        let schema = answer_schema(Some(&json!({ "type": "object", "required": ["promise"] })));
        let answer = json!({ "identified": false, "summary": "", "data": {}, "quotes": [] });
        assert!(violation(&schema, &answer, &mut Budget::default()).is_some());
    }
}
