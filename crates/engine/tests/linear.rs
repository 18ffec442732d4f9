//! Texts that make careless readers quadratic, or nest until the stack is gone. A client may send any of them.

use std::time::{Duration, Instant};

use domain::Timestamp;
use engine::pricing::{ModelMatch, PriceRow, PriceTable, Rates, TokenRates};
use engine::redaction::{Hidden, Kind, OwnPattern, Redactor, Settings, Treatment};
use engine::{History, Rules, StepFacts, answer, fingerprint, prompt, score_every_layer};

/// So many bytes of one token after another.
const BYTES: usize = 200_000;

/// A linear reader needs a small part of this for each text, a quadratic one many times as much.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What is repeated, behind what, and what ends it.
const TEXTS: &[(&str, &str, &str)] = &[
    ("", "\"", ""),
    ("", "\"\"\"x", ""),
    ("", "\"\"\"\"\"\" a: ", ""),
    ("", "```", ""),
    ("", "```\n", ""),
    ("", "<a></a>", ""),
    ("", "<b>:</b>", ""),
    ("", "<a>", ""),
    ("", "<a ", ""),
    ("", "<a></a> ", ": \"\"\""),
    ("", "a>", ""),
    ("", ":", ""),
    ("", "Text:", ""),
    ("", "a: ", ""),
    ("", "x:\n", "- y"),
    ("", "-1,", ""),
    ("", "é,", ""),
    ("", "a_,", ""),
    ("", "1,2", ""),
    ("", "a.", ""),
    ("", ", 1", ""),
    ("", "\"\"\"1", ""),
    ("", "1/", ""),
    ("", "1-", ""),
    ("", "a@b.", ""),
    ("", "'", ""),
    ("", " '", ""),
    ("", "“", ""),
    ("", "« ", ""),
    ("", "May ", ""),
    ("", "Monday, ", ""),
    ("", "{", ""),
    ("", "{{a", ""),
    ("", "}}", ""),
    ("", "[", ""),
    ("", "](", ""),
    ("", "*", ""),
    ("", "**a ", ""),
    ("", "#", ""),
    ("", "- ", ""),
    ("", "\n", ""),
    ("", " \n", "x"),
    ("x", " ", "x"),
    ("", "\\", ""),
    ("", "\\\"", ""),
    ("", "x", ""),
    ("", "1", ""),
    ("", "undefined", ""),
    ("", ",undefined", ""),
    ("", "is undefined ", ""),
    ("", "lorem ", ""),
    ("", "one of ", ""),
    ("", "choose from or ", ""),
    ("", "json \"a\" . ", ""),
    ("json key ", "\"a\", ", ""),
    ("", "i can't ", ""),
    ("", "only ", ""),
    ("", "or/", ""),
    ("Sure.\n", "abc def\n", "end"),
    ("{\"a\":", "{\"a\":", ""),
    ("[", "[],", "[]]"),
    ("{\"role\":\"assistant\",\"content\":\"", "\\u0041", "\"}"),
    ("", "anthropic.", ""),
    ("", "-v1:0", ""),
    ("", "@1", ""),
];

/// What has tempted the fingerprints' readers to look through the rest of a line, or of a run, again and again. Looking
/// for one byte is so quick that only large texts show it.
const LARGE_BYTES: usize = 1_500_000;
const LARGE: &[&str] = &["\"", "\"\"\"x", "<a></a>", "-1,", "é,", "a_,"];

fn text((head, token, tail): (&str, &str, &str)) -> String {
    format!("{head}{}{tail}", token.repeat(BYTES / token.len()))
}

/// Calls `work` with each text and says which took too long.
fn each_is_quick(what: &str, texts: impl Iterator<Item = String>, work: impl Fn(&str)) {
    for text in texts {
        let begin = Instant::now();
        work(&text);
        let head: String = text.chars().take(40).collect();
        assert!(
            begin.elapsed() < TIME_LIMIT,
            "{what}: {:?} for {head:?}…",
            begin.elapsed()
        );
    }
}

fn texts() -> impl Iterator<Item = String> {
    TEXTS.iter().map(|parts| text(*parts))
}

/// The same texts as somebody's words in a request.
fn requests() -> impl Iterator<Item = String> {
    texts().map(|text| {
        serde_json::json!({ "system": text, "messages": [{ "role": "user", "content": text }] }).to_string()
    })
}

#[test]
fn fingerprints_take_time_linear_in_the_prompt() {
    let prints = |text: &str| drop(fingerprint::fingerprints(text, None));
    each_is_quick("plain", texts(), prints);
    each_is_quick("system", requests(), prints);
    each_is_quick("template", texts(), |text| {
        drop(fingerprint::fingerprints("x", Some(text)));
    });
    each_is_quick("user", texts(), |text| {
        let chat = serde_json::json!({ "messages": [{ "role": "user", "content": text }] });
        drop(fingerprint::fingerprints(&chat.to_string(), None));
    });
}

#[test]
fn fingerprints_of_one_endless_line() {
    let texts = LARGE.iter().map(|token| token.repeat(LARGE_BYTES / token.len()));
    each_is_quick("line", texts, |text| drop(fingerprint::fingerprints(text, None)));
}

#[test]
fn scoring_takes_time_linear_in_prompt_and_output() {
    let history = History::new();
    each_is_quick("score", texts(), |text| {
        for prompt in [text, "Return only JSON with the key \"a\""] {
            let facts = StepFacts {
                output: Some(text),
                stop_reason: Some(text),
                ..StepFacts::new("run", text, text, prompt)
            };
            score_every_layer(&facts, &history, &Rules::default());
        }
    });
}

#[test]
fn an_answer_is_taken_apart_in_time_linear_in_it() {
    each_is_quick("answer", texts(), |text| drop(answer::read(Some(text), text)));
    each_is_quick("request", requests(), |text| drop(answer::read(Some(text), text)));
}

/// Every call shares the schema of its tool; copies would fill the memory.
#[test]
fn many_calls_of_a_tool_with_a_large_schema() {
    let enumerated: Vec<String> = (0..20_000).map(|n| format!("option-{n}")).collect();
    let schema = serde_json::json!({ "type": "object", "properties": { "a": { "enum": enumerated } } });
    let tools = vec![serde_json::json!({ "name": "look", "input_schema": schema }); 2];
    let request = serde_json::json!({ "messages": [], "tools": tools }).to_string();
    let calls = vec![
        serde_json::json!({ "type": "tool_use", "name": "look", "input": { "a": "option-19999" } });
        5_000
    ];
    let output = serde_json::json!({ "role": "assistant", "content": calls }).to_string();
    let begin = Instant::now();
    let answer = answer::read(Some(&output), &request);
    let tool_calls = answer.tool_calls();
    assert_eq!(tool_calls.len(), 5_000);
    assert!(tool_calls.iter().all(|call| call.schema == Some(&schema)));
    let facts = StepFacts {
        output: Some(""),
        tool_calls: &tool_calls,
        ..StepFacts::new("run", "step", "model", &request)
    };
    score_every_layer(&facts, &History::new(), &Rules::default());
    assert!(begin.elapsed() < TIME_LIMIT, "{:?}", begin.elapsed());
}

#[test]
fn nesting_has_no_end() {
    let levels = BYTES / 24;
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(levels), close.repeat(levels));
    let contents = [
        nested("[{\"parts\":", "}]").replacen("}]", "[]}]", 1),
        nested("{\"parts\":[", "]}"),
        nested("[", "]"),
        nested("{\"a\":", "}").replacen('}', "1}", 1),
        nested("[{\"text\":", "}]").replacen("}]", "\"a\"}]", 1),
    ];
    for content in &contents {
        for request in [
            format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}"),
            format!(
                "{{\"model\":\"m\",\"system\":{content},\"input\":{content},\"tools\":{content},\"text\":{content}}}"
            ),
            content.clone(),
        ] {
            let begin = Instant::now();
            drop(fingerprint::fingerprints(&request, None));
            drop(prompt::instruction(&request));
            let answer = answer::read(Some(content), &request);
            let facts = StepFacts {
                output: Some(content),
                output_schema: answer.output_schema.as_ref(),
                ..StepFacts::new("run", "step", "model", &request)
            };
            score_every_layer(&facts, &History::new(), &Rules::default());
            assert!(
                begin.elapsed() < TIME_LIMIT,
                "{:?} for {:.60}",
                begin.elapsed(),
                request
            );
        }
    }
}

fn price_row(model_match: ModelMatch, model: &str) -> PriceRow {
    PriceRow {
        price_id: model.to_owned(),
        project_own: true,
        provider: "openai".to_owned(),
        model_match,
        model: model.to_owned(),
        valid_from: Timestamp::from_micros(0),
        rates: Rates {
            tokens: TokenRates {
                input: Some(1),
                ..TokenRates::default()
            },
            ..Rates::default()
        },
        context_window: None,
        source: String::new(),
    }
}

/// A project's admin may write any expressions, and whoever sends steps any names: other projects wait for both.
#[test]
fn expressions_of_prices_cost_little_whatever_they_are() {
    let too_large = price_row(ModelMatch::Regex, ".{0,500}.{0,500}.{0,500}y");
    assert!(too_large.problem().is_some(), "it is refused where it is entered");
    let largest = (1..500)
        .map(|n| price_row(ModelMatch::Regex, &format!(".{{0,{n}}}y")))
        .take_while(|row| row.problem().is_none())
        .last()
        .unwrap();
    let rows = [vec![too_large; 84], vec![largest; 84]].concat();
    let table = PriceTable::new(rows);
    let begun = Instant::now();
    for n in 0..5_000 {
        let name = format!("{n:0>120}");
        assert!(
            table
                .find(Some("openai"), &name, Timestamp::from_micros(1))
                .is_none()
        );
    }
    assert!(begun.elapsed() < TIME_LIMIT, "{:?}", begun.elapsed());
    // What was looked up is remembered, and further names match no expression.
    let table = PriceTable::new(vec![price_row(ModelMatch::Regex, "own-.*")]);
    let found = |name: &str| table.find(None, name, Timestamp::from_micros(1)).is_some();
    for n in 0..1_000 {
        assert!(found(&format!("own-{n}")));
    }
    assert!(!found("own-1000") && found("own-999"));
}

#[test]
fn a_price_is_found_in_time_linear_in_the_name() {
    let row = price_row;
    let table = PriceTable::new(vec![
        row(ModelMatch::Exact, "gpt"),
        row(ModelMatch::Prefix, "a"),
        row(ModelMatch::Regex, "(x*.{0,40}[0-9]+){1,8}mini"),
    ]);
    each_is_quick("price", texts(), |name| {
        table.find(Some(name), name, Timestamp::from_micros(1));
    });
}

/// What makes a careless finder of values look back or ahead again and again.
const VALUES: &[&str] = &[
    "a@",
    "@a.",
    "sk-",
    "sk-1",
    "eyJ",
    "eyJa.",
    "4",
    "4-",
    "4111 ",
    "+1 ",
    "+1(",
    "(555) ",
    "DE12 ",
    "DE12",
    "bearer ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "[hidden ",
    "[hidden a]",
    "\"a@b.cc\",",
    "\"\\\"{\\\"",
];

#[test]
fn values_are_hidden_in_time_linear_in_the_text() {
    let own = OwnPattern {
        name: "own".to_owned(),
        pattern: r"([a-z]{0,30}-){0,5}x".to_owned(),
        treatment: Treatment::Mask,
    };
    let settings = Settings {
        kinds: Kind::ALL.map(|kind| (kind, Treatment::Hash)).into(),
        own: vec![own],
    };
    let redactor = Redactor::new(&settings, &[7; 32]).unwrap();
    let values = VALUES.iter().map(|value| value.repeat(BYTES / value.len()));
    let values: Vec<String> = values.collect();
    let as_json = values.iter().map(|text| format!("[{text}"));
    each_is_quick(
        "redaction",
        texts().chain(as_json).chain(values.clone()),
        |text| {
            redactor.text(text, &mut Hidden::default());
        },
    );
}
