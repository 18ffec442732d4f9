//! Any text as what a page shows of a step: as a conversation, as JSON, as it stands, with any bytes marked. What is
//! produced stays in proportion to the text.

#![no_main]

#[allow(dead_code, reason = "a part of the dashboard is fuzzed here")]
#[path = "../../app/src/payload"]
mod payload {
    pub(crate) mod chat;
    pub(crate) mod lex;
    pub(crate) mod marks;
}

use domain::{ByteRange, Condition, Place};
use libfuzzer_sys::fuzz_target;
use payload::chat::{Part, parse};
use payload::marks::{TextLine, json_lines, notes, of_conditions, plain_segments, raw_lines};

fuzz_target!(|input: (Vec<(u16, u16)>, String, &str)| {
    let (places, pointer, text) = input;
    let ranges = places.iter().map(|(start, length)| ByteRange {
        start: usize::from(*start),
        end: usize::from(*start) + usize::from(*length),
    });
    let bytes = Place::Bytes {
        start: 0,
        end: 1,
        more: ranges.collect(),
    };
    let marks = of_conditions(text, &[condition(bytes), condition(Place::Pointer(pointer))]);
    let _said = notes(&marks);
    // An element for each segment and each line; blanks of at most 64 bytes; each mark says its two sentences once, of
    // which one names up to 64 places.
    let most = 400 * text.len() + 2_000 * (marks.len() + 1);
    let raw = raw_lines(text, &marks);
    assert!(
        markup_bytes(&raw) <= most,
        "{} of {}",
        markup_bytes(&raw),
        text.len()
    );
    let shown: usize = raw.iter().flatten().map(|segment| segment.text.len()).sum();
    assert!(shown <= text.len(), "nothing is added");
    assert!(markup_bytes(&[plain_segments(text, &marks)]) <= most);
    if let Some(lines) = json_lines(text, &marks) {
        assert!(
            markup_bytes(&lines) <= most,
            "{} of {}",
            markup_bytes(&lines),
            text.len()
        );
    }
    for message in parse(text).into_iter().flatten() {
        let said: usize = message.parts.iter().map(part_bytes).sum();
        assert!(
            said <= 2 * text.len() + 64,
            "a message is no longer than its prompt"
        );
    }
});

fn condition(place: Place) -> Condition {
    Condition {
        code: 3011,
        layer: 3,
        name: String::new(),
        points: 25,
        message: "m".repeat(100),
        observed: String::new(),
        expected: String::new(),
        place: Some(place),
        sample: None,
    }
}

fn markup_bytes(lines: &[TextLine]) -> usize {
    let of_line = |line: &TextLine| -> usize {
        line.iter()
            .map(|segment| 60 + segment.text.len() + segment.mark.as_ref().map_or(0, String::len))
            .sum()
    };
    lines.iter().map(|line| 60 + of_line(line)).sum()
}

fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Text(text)
        | Part::Thinking(text)
        | Part::Result(text)
        | Part::Media(text)
        | Part::Unknown(text) => text.len(),
        Part::Call { name, arguments } => name.len() + arguments.len(),
    }
}
