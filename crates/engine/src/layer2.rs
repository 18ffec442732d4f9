//! Layer 2, contract: the answer breaks what the instruction, or a declared schema, plainly demands.

use domain::text::grouped;
use serde_json::Value;

use crate::codes;
use crate::findings::{Evidence, Findings};
use crate::json_scan::{self, Inside};
use crate::reading::Reading;
use crate::requested_format::{Bound, ListLength};
use crate::schema::{self, Budget};
use crate::words::{quoted, words};

pub(crate) fn evaluate(reading: &Reading<'_>, findings: &mut Findings<'_>) {
    if !reading.facts.has_answer() {
        return;
    }
    if !reading.is_only_tool_calls() {
        findings.check(&codes::JSON_CONTRACT_VIOLATION, || json_contract(reading));
        findings.check(&codes::JSON_STRICT_VIOLATION, || json_strict(reading));
        findings.check(&codes::ENUM_CONTRACT_VIOLATION, || enum_contract(reading));
        findings.check(&codes::YES_NO_CONTRACT_VIOLATION, || yes_no_contract(reading));
        findings.check(&codes::NUMBER_CONTRACT_VIOLATION, || number_contract(reading));
        findings.check(&codes::LIST_LENGTH_CONTRACT_VIOLATION, || list_length(reading));
    }
    findings.check(&codes::SCHEMA_VIOLATION, || {
        tool_call_schema(reading).or_else(|| output_schema(reading))
    });
}

fn json_contract(reading: &Reading<'_>) -> Option<Evidence> {
    let error = reading.json.err().filter(|_| reading.requested.json)?;
    let at = reading.trimmed_at + error.at;
    let found = reading.output.get(at..).and_then(|rest| rest.chars().next());
    let begins_wrong = error.at == 0;
    let observed = match found {
        _ if reading.trimmed.is_empty() => "no output".to_owned(),
        _ if reading.trimmed.starts_with("```") => format!("a code fence at byte {at}"),
        Some(_) if begins_wrong => format!("text that begins with {}", quoted(reading.trimmed)),
        Some(found) => format!(
            "“{}” at byte {at}{}",
            found.escape_debug(),
            place_words(error.inside)
        ),
        None => format!("end of output at byte {at}{}", place_words(error.inside)),
    };
    let end = at + found.map_or(0, char::len_utf8);
    Some(
        Evidence::new(
            "JSON was asked for and the answer does not parse.",
            observed,
            "one JSON object or array",
        )
        .at_bytes(at, end),
    )
}

fn place_words(inside: Inside) -> &'static str {
    match inside {
        Inside::Top => "",
        Inside::Object => ", inside an object",
        Inside::Array => ", inside an array",
        Inside::Text => ", inside a string",
    }
}

fn json_strict(reading: &Reading<'_>) -> Option<Evidence> {
    if !reading.requested.only_json || reading.json.is_ok() {
        return None;
    }
    // A fence stands on a line of its own, which JSON has no room for: what has one does not parse, and is code 2001.
    // Three backticks inside a string are data. So what parses and is wrong is a bare value.
    json_scan::check(reading.trimmed).ok()?;
    Some(
        Evidence::new(
            "Nothing but JSON was asked for and the answer is a bare value.",
            quoted(reading.trimmed),
            "JSON that begins with { or [",
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len()),
    )
}

fn enum_contract(reading: &Reading<'_>) -> Option<Evidence> {
    let options = reading
        .requested
        .options
        .as_ref()
        .filter(|_| !reading.answers_in_json())?;
    if reading
        .short_answer()
        .is_some_and(|answer| options.contain(&answer))
    {
        return None;
    }
    let expected: Vec<String> = options.0.iter().map(|option| quoted(option)).take(12).collect();
    let more = if options.0.len() > expected.len() {
        ", …"
    } else {
        ""
    };
    Some(
        Evidence::new(
            format!(
                "{} is none of the {} options.",
                quoted(reading.trimmed),
                options.0.len()
            ),
            quoted(reading.trimmed),
            format!("one of {}{more}", expected.join(", ")),
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len()),
    )
}

fn yes_no_contract(reading: &Reading<'_>) -> Option<Evidence> {
    if !reading.requested.yes_no || reading.answers_in_json() {
        return None;
    }
    let keeps = reading
        .short_answer()
        .is_some_and(|answer| answer == "yes" || answer == "no");
    (!keeps).then(|| {
        Evidence::new(
            "Yes or no was asked for and the answer is neither.",
            quoted(reading.trimmed),
            "“yes” or “no”",
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len())
    })
}

fn number_contract(reading: &Reading<'_>) -> Option<Evidence> {
    const NUMBER_WORDS: &[&str] = &[
        "zero", "none", "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve", "thirteen", "fifteen", "twenty", "thirty", "forty", "fifty", "hundred",
        "thousand", "million", "billion", "once", "twice", "dozen", "half",
    ];
    if !reading.requested.quantity || reading.requested.json || reading.trimmed.is_empty() {
        return None;
    }
    let is_number = |word: &str| {
        word.contains(char::is_numeric)
            || NUMBER_WORDS
                .iter()
                .any(|number| number.eq_ignore_ascii_case(word))
    };
    (!words(reading.trimmed).any(|word| is_number(word.text))).then(|| {
        Evidence::new(
            "A number was asked for and the answer has none.",
            quoted(reading.trimmed),
            "an answer with a number",
        )
        .at_bytes(reading.trimmed_at, reading.trimmed_at + reading.trimmed.len())
    })
}

fn list_length(reading: &Reading<'_>) -> Option<Evidence> {
    let ListLength { items, bound } = reading.requested.list_length?;
    if reading.requested.json {
        return None;
    }
    let [numbered, marked] = items_of(reading.trimmed)?;
    // Points under numbered headings are no items, or the other way round.
    let fits = |came: usize| match bound {
        Bound::Exactly => came == items,
        Bound::AtLeast => came >= items,
        Bound::AtMost => came <= items,
    };
    if numbered > 0 && marked > 0 && (fits(numbered) || fits(marked)) {
        return None;
    }
    let came = numbered + marked;
    let (wrong, expected) = match bound {
        Bound::Exactly => (came != items, format!("{items} items")),
        Bound::AtLeast => (came < items, format!("at least {items} items")),
        Bound::AtMost => (came > items, format!("at most {items} items")),
    };
    // No item at all is a matter of shape, not of length.
    (wrong && came > 0).then(|| {
        Evidence::new(
            format!(
                "A list of {} was asked for, {} came.",
                grouped(items as u64),
                grouped(came as u64)
            ),
            format!("{came} items"),
            expected,
        )
    })
}

/// How many items the outermost list has, by numbers and by marks. `None` where the answer has sections, or code, whose
/// lists are lists of their own.
fn items_of(text: &str) -> Option<[usize; 2]> {
    let mut items = [0; 2];
    for line in text.lines() {
        if line.starts_with('#')
            || line.starts_with("```")
            || line.trim_end().ends_with("**") && line.starts_with("**")
        {
            return None;
        }
        match item(line) {
            Some(Mark::Number) => items[0] += 1,
            Some(Mark::Sign) => items[1] += 1,
            None => {}
        }
    }
    Some(items)
}

enum Mark {
    Number,
    Sign,
}

/// Whether a line is an item of the outermost list.
fn item(line: &str) -> Option<Mark> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && rest.starts_with(['.', ')']);
    let (mark, after) = if numbered {
        (Mark::Number, rest.get(1..)?)
    } else {
        (Mark::Sign, line.strip_prefix(['-', '*', '•'])?)
    };
    after.starts_with(char::is_whitespace).then_some(mark)
}

fn output_schema(reading: &Reading<'_>) -> Option<Evidence> {
    let schema = reading
        .facts
        .output_schema
        .filter(|_| !reading.is_only_tool_calls())?;
    let message = "The answer does not match its schema.";
    match serde_json::from_str::<Value>(reading.trimmed) {
        Ok(value) => {
            let violation = schema::violation(schema, &value, &mut Budget::default())?;
            Some(Evidence::new(message, violation.observed, violation.expected).at_pointer(violation.pointer))
        }
        // Nested more deeply than the parser goes, but JSON: nothing can be said.
        Err(_) if reading.json.is_ok() => None,
        // Where JSON was asked for, code 2001 charges for what does not parse.
        Err(_) if reading.requested.json => None,
        Err(_) => Some(Evidence::new(
            message,
            quoted(reading.trimmed),
            "JSON that matches the schema",
        )),
    }
}

fn tool_call_schema(reading: &Reading<'_>) -> Option<Evidence> {
    let mut budget = Budget::default();
    reading.facts.tool_calls.iter().find_map(|call| {
        let schema = call.schema?;
        let message = format!(
            "The arguments of the tool call {} do not match its schema.",
            quoted(call.name)
        );
        let arguments = if call.arguments.trim().is_empty() {
            "{}"
        } else {
            call.arguments
        };
        match serde_json::from_str::<Value>(arguments) {
            Ok(value) => {
                let violation = schema::violation(schema, &value, &mut budget)?;
                let observed = format!("{} at {}", violation.observed, violation.place_words());
                Some(Evidence::new(message, observed, violation.expected))
            }
            Err(_) if json_scan::check(arguments).is_ok() => None,
            Err(_) => Some(Evidence::new(
                message,
                "arguments that do not parse",
                "JSON that matches the schema",
            )),
        }
    })
}
