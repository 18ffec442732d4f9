//! Unwrapping a prompt to its instruction: system text and the last user turn that has text. Earlier turns are
//! conversation, not instruction, and must never trip a rule.

use std::borrow::Cow;

use crate::request::{Request, Role, push_text};

/// The instruction in a prompt. A prompt that is not a request to a model is its own instruction.
///
/// Understood are the bodies that providers' SDKs send: Anthropic's `{system, messages}`, OpenAI's `{messages}`,
/// `{instructions, input}`, `{prompt}` and embeddings' `{input}`, Gemini's `{systemInstruction, contents}`, and a bare
/// array of messages with roles.
pub fn instruction(prompt: &str) -> Cow<'_, str> {
    match Request::parse(prompt) {
        Some(request) => Cow::Owned(instruction_of(&request)),
        None => Cow::Borrowed(prompt),
    }
}

fn instruction_of(request: &Request<'_>) -> String {
    let mut out = String::new();
    for raw in &request.system {
        push_text(raw, &mut out);
    }
    let user_turns = request.turns.iter().rev().filter(|turn| turn.role == Role::User);
    for raw in user_turns.filter_map(|turn| turn.content) {
        let before = out.len();
        push_text(raw, &mut out);
        if out.get(before..).is_some_and(|added| !added.trim().is_empty()) {
            break;
        }
        out.truncate(before);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn judges_only_the_instruction() {
        let check = |prompt: &str, expected: &str| assert_eq!(instruction(prompt), expected, "{prompt}");
        check("Say hello", "Say hello");
        check("{\"a\":1}", "{\"a\":1}");
        check("{broken", "{broken");
        check(
            r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#,
            "Be brief.\n\nHi",
        );
        check(
            r#"{"messages":[{"role":"user","content":"Return JSON"},{"role":"assistant","content":"{}"},{"role":"user","content":"Now a poem"}]}"#,
            "Now a poem",
        );
        check(
            r#"{"system":[{"type":"text","text":"A"},{"type":"text","text":"B"}],"messages":[{"role":"user","content":[{"type":"image","source":{}},{"type":"text","text":"C"}]}]}"#,
            "A\n\nB\n\nC",
        );
        check(
            r#"{"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"},{"role":"assistant","content":[{"type":"tool_use","id":"1"}]},{"role":"user","content":[{"type":"tool_result","content":"json"}]}]}"#,
            "S\n\nQ",
        );
        check(
            r#"{"messages":[{"content":"late role","role":"user"}],"system":null}"#,
            "late role",
        );
        check(
            r#"[{"role":"system","parts":[{"type":"text","content":"S"}]},{"role":"user","parts":[{"type":"text","content":"U"}]}]"#,
            "S\n\nU",
        );
        check(
            r#"{"instructions":"I","input":[{"role":"user","content":[{"type":"input_text","text":"U"}]}]}"#,
            "I\n\nU",
        );
        check(
            r#"{"model":"m","instructions":"I","input":"plain"}"#,
            "I\n\nplain",
        );
        check(r#"{"model":"m","prompt":"Say hi","max_tokens":5}"#, "Say hi");
        check(
            r#"{"model":"text-embedding-3-small","input":["a","b"]}"#,
            "a\n\nb",
        );
        check(r#"{"input":"not a request"}"#, r#"{"input":"not a request"}"#);
        check(
            r#"{"instructions":"I","input":[{"type":"message","role":"user","content":"U"},{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"json"}]}"#,
            "I\n\nU",
        );
        check(
            r#"{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user","parts":[{"text":"U"}]}]}"#,
            "S\n\nU",
        );
        check(r#"{"messages":[]}"#, "");
        check("[1,2]", "[1,2]");
        check(
            r#"{"messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00 \ud83d \"q\"\n"}]}"#,
            "café 😀 \u{FFFD} \"q\"\n",
        );
    }

    proptest! {
        #[test]
        fn decodes_like_serde_json(text in any::<String>()) {
            let prompt = serde_json::json!({"system": text, "messages": []}).to_string();
            prop_assert_eq!(instruction(&prompt), text);
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\":,a-z\\\\ ]{0,40}") {
            instruction(&text);
            instruction(&format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{text}}}]}}"));
        }
    }
}
