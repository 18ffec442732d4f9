//! OpenAI's streams say what they used only when asked: the question is put into the body's text, and the chunk that
//! answers it is taken out of the stream again.
//!
//! The body is never written anew from what was parsed: numbers, spaces, order and doubled keys stay as they came.

mod chunk;

pub use chunk::ChunkRemover;

use engine::json_scan::{Member, members};

const ASK: &[u8] = br#""include_usage":true"#;

/// The body with `stream_options.include_usage` set. `None` where nothing is to be done: it is no stream, it asks
/// already, or it is not what we understand, which is then the provider's to judge.
pub fn ask_for_usage(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let (top, end) = members(text, start).ok()?;
    if !body[end..].iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let (mut streams, mut options, mut usage) = (None, None, None);
    // Where a key stands twice, the last one counts for every parser we know of.
    for member in top {
        match member.key {
            "stream" => streams = Some(member),
            "stream_options" => options = Some(member),
            "usage" => usage = Some(member),
            _ => {}
        }
    }
    let is_stream = |member: &Member<'_>| &body[member.value.clone()] == b"true";
    if !streams.as_ref().is_some_and(is_stream) {
        return None;
    }
    // OpenRouter's own way to ask: the chunk is the caller's.
    let asks_by_itself = usage.is_some_and(|usage| {
        let inner = members(text, usage.value.start)
            .map(|(inner, _)| inner)
            .unwrap_or_default();
        inner
            .iter()
            .rfind(|member| member.key == "include")
            .is_some_and(|member| &body[member.value.clone()] == b"true")
    });
    if asks_by_itself {
        return None;
    }
    let Some(options) = options else {
        // There is a key, so a comma has to follow.
        let insert = [br#""stream_options":{"#.as_slice(), ASK, b"},"].concat();
        return Some(splice(body, start + 1, start + 1, &insert));
    };
    let value = options.value;
    if &body[value.clone()] == b"null" {
        return Some(splice(body, value.start, value.end, &[b"{", ASK, b"}"].concat()));
    }
    let (inner, _) = members(text, value.start).ok()?;
    let asks = inner.iter().rfind(|member| member.key == "include_usage");
    match asks {
        Some(member) if &body[member.value.clone()] == b"true" => None,
        Some(member) => Some(splice(body, member.value.start, member.value.end, b"true")),
        None => {
            let comma: &[u8] = if inner.is_empty() { b"" } else { b"," };
            Some(splice(
                body,
                value.start + 1,
                value.start + 1,
                &[ASK, comma].concat(),
            ))
        }
    }
}

fn splice(body: &[u8], from: usize, to: usize, insert: &[u8]) -> Vec<u8> {
    let mut edited = Vec::with_capacity(body.len() + insert.len());
    edited.extend_from_slice(&body[..from]);
    edited.extend_from_slice(insert);
    edited.extend_from_slice(&body[to..]);
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_once_and_changes_nothing_else() {
        let check = |body: &str, expected: Option<&str>| {
            let edited = ask_for_usage(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(edited.as_deref(), expected, "{body}");
            if let Some(edited) = edited {
                let json: serde_json::Value = serde_json::from_str(&edited).unwrap();
                assert_eq!(json["stream_options"]["include_usage"], true, "{edited}");
                assert_eq!(ask_for_usage(edited.as_bytes()), None, "{edited} asks already");
            }
        };
        check(
            r#"{"stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        );
        check(
            "\n {\t\"a\" : 1.0e+3 , \"stream\" : true }\n",
            Some("\n {\"stream_options\":{\"include_usage\":true},\t\"a\" : 1.0e+3 , \"stream\" : true }\n"),
        );
        check(
            r#"{"stream":true,"stream_options":{}}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        );
        check(
            r#"{"stream":true,"stream_options":{ "include_obfuscation":false }}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false }}"#),
        );
        check(
            r#"{"stream":true,"stream_options":{"include_usage": false}}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage": true}}"#),
        );
        check(
            r#"{"stream":true,"stream_options":null}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        );
        check(
            r#"{"messages":[{"content":"\"stream\":false}{[ \\"}],"stream":true}"#,
            Some(
                r#"{"stream_options":{"include_usage":true},"messages":[{"content":"\"stream\":false}{[ \\"}],"stream":true}"#,
            ),
        );
        check(r#"{"stream":true,"stream_options":{"include_usage":true}}"#, None);
        check(r#"{"stream":true,"usage":{"include":true}}"#, None);
        check(
            r#"{"stream":true,"usage":{"include":false}}"#,
            Some(r#"{"stream_options":{"include_usage":true},"stream":true,"usage":{"include":false}}"#),
        );
        check(r#"{"stream":false}"#, None);
        check(r#"{"stream":true,"stream":false}"#, None);
        check(r#"{"stream":"true"}"#, None);
        check(r#"{"a":{"stream":true}}"#, None);
        check(r#"{"stream":true,"stream_options":7}"#, None);
        check(r#"{"stream":true"#, None);
        check(r#"{"stream":true}}"#, None);
        check(r#"{"stream":tr"#, None);
        check(r#"[{"stream":true}]"#, None);
        check("{}", None);
        check("", None);
        check("hello", None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(body in r#"[\[\]{}",:\\ truenull]{0,40}|\{"stream":true,[\[\]{}",:\\ 1a]{0,20}\}"#) {
            if let Some(edited) = ask_for_usage(body.as_bytes()) {
                proptest::prop_assert!(edited.len() >= body.len() - 5);
            }
        }
    }
}
