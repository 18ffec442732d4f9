use std::sync::Mutex;

use domain::ProviderKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::models::request::Tool;

const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5-20251001\",\"usage\":{\"input_tokens\":472,\"output_tokens\":2}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Grüße, \"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"I look.\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"at\\\": \"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"ü\\\"}\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":89}}\n\ndata: {\"type\":\"message_stop\"}\n\n";

const CHAT: &str = "data: {\"model\":\"gpt-5-mini\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"Grüße, \"}}]}\n\ndata: {\"model\":\"gpt-5-mini\",\"choices\":[{\"delta\":{\"content\":\"I look.\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"toolu_1\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"at\\\": \"}}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"ü\\\"}\"}}]}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":472,\"completion_tokens\":89,\"total_tokens\":561}}\n\ndata: [DONE]\n\n";

const GEMINI: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"Grüße, \"}]}}],\"modelVersion\":\"gemini-2.5-flash\"}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"I look.\"}]}}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"look\",\"args\":{\"at\":\"ü\"}},\"thoughtSignature\":\"c2ln\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":472,\"candidatesTokenCount\":89,\"totalTokenCount\":561}}\r\n\r\n";

const STREAMS: [(ProviderKind, &str, &str); 3] = [
    (ProviderKind::Anthropic, ANTHROPIC, "toolu_1"),
    (ProviderKind::OpenAi, CHAT, "toolu_1"),
    (ProviderKind::Gemini, GEMINI, "call_1.c2ln"),
];

/// What is heard of a stream that comes in these pieces, and what was said as it came.
fn heard(kind: ProviderKind, pieces: &[&[u8]]) -> (Heard, String) {
    let said = Mutex::new(String::new());
    let on_text = |text: &str| said.lock().unwrap().push_str(text);
    let mut reader = Reader::new(kind);
    for piece in pieces {
        reader.feed(piece, &on_text);
    }
    let (heard, unreadable) = reader.finish(&on_text);
    assert_eq!(unreadable, 0);
    (heard, said.into_inner().unwrap())
}

fn expected(id: &str) -> Vec<Part> {
    vec![
        Part::Text("Grüße, I look.".to_owned()),
        Part::Call {
            id: id.to_owned(),
            name: "look".to_owned(),
            arguments: json!({ "at": "ü" }),
        },
    ]
}

#[test]
fn each_format_says_the_same() {
    for (kind, stream, id) in STREAMS {
        let (heard, said) = heard(kind, &[stream.as_bytes()]);
        assert_eq!(heard.parts().unwrap(), expected(id), "{kind:?}");
        assert_eq!(said, "Grüße, I look.");
        assert_eq!(heard.stop.as_ref().map(|(stop, _)| *stop), Some(Stop::Calls));
        assert!(heard.is_complete && heard.error.is_none());
        let used = engine::usage::from_provider(&heard.usage).unwrap();
        assert_eq!(
            (used.tokens.input, used.tokens.output),
            (Some(472), Some(89)),
            "{kind:?}"
        );
    }
}

#[test]
fn a_stream_that_ends_early_is_not_complete() {
    for (kind, stream, _) in STREAMS {
        let (_, rest) = stream.split_once("I look.").unwrap();
        let cut = stream.len() - rest.len() + rest.find("data: ").unwrap();
        let (heard, said) = heard(kind, &[&stream.as_bytes()[..cut]]);
        assert!(!heard.is_complete && !said.is_empty(), "{kind:?}");
    }
}

#[test]
fn answers_that_are_no_stream_are_read_too() {
    let whole = [
        (
            ProviderKind::Anthropic,
            json!({ "type": "message", "model": "m", "content": [{ "type": "text", "text": "hi" }], "stop_reason": "end_turn" }),
        ),
        (
            ProviderKind::OpenAiCompatible,
            json!({ "model": "m", "choices": [{ "message": { "content": "hi" }, "finish_reason": "stop" }] }),
        ),
        (
            ProviderKind::Gemini,
            json!([{ "modelVersion": "m", "candidates": [{ "content": { "parts": [{ "text": "hi" }] }, "finishReason": "STOP" }] }]),
        ),
    ];
    for (kind, body) in whole {
        let mut reader = Reader::new(kind);
        reader.whole(body.to_string().as_bytes(), &|_| {});
        let (heard, _) = reader.finish(&|_| {});
        assert_eq!(heard.parts().unwrap(), [Part::Text("hi".to_owned())], "{kind:?}");
        assert_eq!((heard.model.as_deref(), heard.is_complete), (Some("m"), true));
        assert_eq!(heard.stop.map(|(stop, _)| stop), Some(Stop::Done));
    }
}

#[test]
fn errors_and_bad_arguments_are_no_answers() {
    let error =
        "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let (heard_error, _) = heard(ProviderKind::Anthropic, &[error.as_bytes()]);
    assert_eq!(
        heard_error.error.and_then(|error| error.class).as_deref(),
        Some("overloaded_error")
    );
    let bad = CHAT.replace("\\\"ü\\\"}", "ü");
    let (heard_bad, _) = heard(ProviderKind::OpenAi, &[bad.as_bytes()]);
    let refused = heard_bad.parts().unwrap_err().to_string();
    assert!(
        refused.contains("look") && refused.contains("no JSON object"),
        "{refused}"
    );
    let mut reader = Reader::new(ProviderKind::Gemini);
    reader.feed(b"data: <html>\n\n", &|_| {});
    assert_eq!(reader.finish(&|_| {}).1, 1);
}

#[test]
fn a_conversation_with_tools_in_every_format() {
    let request = Request {
        system: "Be brief.".to_owned(),
        messages: vec![
            Message {
                role: Role::User,
                parts: vec![
                    Part::Text("What is this?".to_owned()),
                    Part::Image {
                        media_type: "image/png".to_owned(),
                        base64: "aGk=".to_owned(),
                    },
                ],
            },
            Message {
                role: Role::Assistant,
                parts: vec![Part::Call {
                    id: "call_0.c2ln".to_owned(),
                    name: "look".to_owned(),
                    arguments: json!({ "at": 1 }),
                }],
            },
            Message {
                role: Role::User,
                parts: vec![Part::Answer {
                    id: "call_0.c2ln".to_owned(),
                    name: "look".to_owned(),
                    content: "nothing".to_owned(),
                    failed: true,
                }],
            },
        ],
        tools: vec![Tool {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            parameters: json!({ "type": "object" }),
        }],
        must_call: Some("look".to_owned()),
        max_output_tokens: 100,
    };
    let check = |kind: ProviderKind, path: &str, pointers: &[(&str, Value)]| {
        let sent = outgoing(kind, "m-1.5", &request);
        assert_eq!(sent.path, path);
        for (pointer, expected) in pointers {
            assert_eq!(
                sent.body.pointer(pointer),
                Some(expected),
                "{kind:?} {pointer}: {:#}",
                sent.body
            );
        }
    };
    check(
        ProviderKind::Anthropic,
        "/messages",
        &[
            ("/max_tokens", json!(100)),
            ("/tool_choice", json!({ "type": "tool", "name": "look" })),
            ("/messages/0/content/1/source/data", json!("aGk=")),
            ("/messages/1/content/0/input", json!({ "at": 1 })),
            ("/messages/2/content/0/is_error", json!(true)),
        ],
    );
    check(
        ProviderKind::OpenAi,
        "/chat/completions",
        &[
            ("/max_completion_tokens", json!(100)),
            ("/messages/0/role", json!("system")),
            (
                "/messages/1/content/1/image_url/url",
                json!("data:image/png;base64,aGk="),
            ),
            ("/messages/2/tool_calls/0/function/arguments", json!("{\"at\":1}")),
            (
                "/messages/3",
                json!({ "role": "tool", "tool_call_id": "call_0.c2ln", "content": "Error: nothing" }),
            ),
            ("/tool_choice/function/name", json!("look")),
        ],
    );
    check(
        ProviderKind::OpenAiCompatible,
        "/chat/completions",
        &[("/max_tokens", json!(100))],
    );
    check(
        ProviderKind::Gemini,
        "/models/m-1.5:streamGenerateContent?alt=sse",
        &[
            ("/contents/0/parts/1/inlineData/mimeType", json!("image/png")),
            ("/contents/0/parts/1/inlineData/data", json!("aGk=")),
            ("/contents/1/role", json!("model")),
            ("/contents/1/parts/0/thoughtSignature", json!("c2ln")),
            (
                "/contents/2/parts/0/functionResponse/response/error",
                json!("nothing"),
            ),
            (
                "/toolConfig/functionCallingConfig/allowedFunctionNames/0",
                json!("look"),
            ),
        ],
    );
}

proptest! {
    #[test]
    fn streams_may_be_cut_anywhere(which in 0_usize..3, cuts in prop::collection::vec(0_usize..2_000, 0..12)) {
        let (kind, stream, id) = STREAMS[which];
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at % (bytes.len() + 1)).collect();
        cuts.push(0);
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|at| &bytes[at[0]..at[1]]).collect();
        let (heard, said) = heard(kind, &pieces);
        prop_assert_eq!(heard.parts().unwrap(), expected(id));
        prop_assert_eq!(said, "Grüße, I look.");
    }

    #[test]
    fn no_stream_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0_usize..3) {
        let mut reader = Reader::new(STREAMS[which].0);
        reader.feed(b"data: ", &|_| {});
        reader.feed(&bytes, &|_| {});
        reader.finish(&|_| {});
    }
}
