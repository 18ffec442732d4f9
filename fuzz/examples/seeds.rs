//! Writes the engine's corpus as inputs of the fuzz targets: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

#[path = "../../crates/engine/tests/corpus/row.rs"]
#[expect(dead_code, reason = "the texts of a row are all that is needed")]
mod row;

use std::path::Path;

use engine::backtest::{Recording, Series, Step, StepText};

/// Answers and requests in the words of both providers, as short as they can be.
const BODIES: [&str; 8] = [
    r#"{"model":"m","stream":true,"stream_options":{"include_usage":false},"messages":[]}"#,
    r#"{"id":"i","model":"m","content":[{"type":"text","text":"t"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_1h_input_tokens":3},"output_tokens":4}}"#,
    r#"{"id":"i","model":"m","choices":[{"message":{"role":"assistant","content":"t","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}"#,
    r#"{"id":"i","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"t"}]}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#,
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"t\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    "data: {\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"t\"},\"finish_reason\":null}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"t\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"i\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n\n",
];

/// A span of each shape that attributes have.
const SPANS: &str = include_str!("../../crates/otlp/tests/mutated/seed.json");

/// As in fuzz_targets/score.rs: zeros are an ordinary step under ordinary rules.
const HEADER: [u8; 96] = [0; 96];

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["score", "prompt", "bodies", "recording", "otlp", "grpc"] {
        std::fs::create_dir_all(corpus.join(target)).expect("the folder can be made");
    }
    std::fs::write(corpus.join("otlp/spans"), SPANS).expect("the disk has room");
    let data = otlp::wire::of_json(SPANS.as_bytes()).expect("it is a request");
    let protobuf = prost::Message::encode_to_vec(&data);
    std::fs::write(corpus.join("otlp/protobuf"), &protobuf).expect("the disk has room");
    let length = u32::try_from(protobuf.len()).expect("it is short").to_be_bytes();
    let framed = [&[0][..], &length, &protobuf].concat();
    std::fs::write(corpus.join("grpc/framed"), framed).expect("the disk has room");
    for (number, row) in row::corpus().iter().enumerate() {
        let step = &row.step;
        let call = step.tool_calls.first();
        let schema = step
            .output_schema
            .as_ref()
            .or_else(|| call.and_then(|call| call.schema.as_ref()));
        let texts = [
            step.prompt.as_str(),
            step.output.as_deref().unwrap_or(""),
            step.error.as_deref().unwrap_or(""),
            &step.step_name,
            step.stop_reason.as_deref().unwrap_or(""),
            call.map_or("", |call| &call.arguments),
            &schema.map(ToString::to_string).unwrap_or_default(),
        ];
        let mut input = HEADER.to_vec();
        input.extend_from_slice(texts.join("\u{1e}").as_bytes());
        let write = |target: &str, name: &str, bytes: &[u8]| {
            std::fs::write(corpus.join(target).join(format!("row-{number:03}{name}")), bytes)
                .expect("the disk has room");
        };
        write("score", "", &input);
        write("prompt", "-prompt", step.prompt.as_bytes());
        write(
            "prompt",
            "-output",
            step.output.as_deref().unwrap_or("").as_bytes(),
        );
    }
    let recording = Recording {
        runs: vec!["r".to_owned()],
        keys: vec!["k".to_owned()],
        series: vec![Series::default()],
        steps: vec![Step::default(); 3],
        texts: vec![StepText::default()],
        ..Recording::default()
    };
    std::fs::write(corpus.join("recording").join("three-steps"), recording.encode())
        .expect("the disk has room");
    for (number, body) in BODIES.iter().enumerate() {
        std::fs::write(corpus.join("bodies").join(format!("body-{number}")), body)
            .expect("the disk has room");
    }
}
