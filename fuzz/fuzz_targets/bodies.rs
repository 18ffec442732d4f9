//! Any bytes as a provider's answer, whole and as a stream, and as a request whose stream is to say what it used.

#![no_main]

#[allow(dead_code, reason = "a part of the proxy is fuzzed here")]
#[path = "../../server/src/proxy"]
mod proxy {
    pub mod api;
    pub mod include_usage;
    pub mod meter;
    pub mod sse;
}

use libfuzzer_sys::fuzz_target;
use proxy::api::Api;
use proxy::include_usage::{ChunkRemover, ask_for_usage};
use proxy::meter::{read_stream, read_whole, requested_model};
use serde_json::Value;

const APIS: [Api; 5] = [
    Api::Messages,
    Api::Chat,
    Api::Responses,
    Api::Completions,
    Api::Embeddings,
];

fuzz_target!(|body: &[u8]| {
    for api in APIS {
        let _whole = read_whole(api, body);
        let whole = read_stream(api, &[(0, body)]);
        assert_eq!(
            whole,
            read_stream(api, &[(0, body)]),
            "the same bytes, the same reading"
        );
        if let Some(end) = whole.first_content_end {
            assert!(end > 0 && end <= body.len());
        }
        let (head, tail) = body.split_at(body.len() / 3);
        let _with_gap = read_stream(api, &[(0, head), (head.len() + 7, tail)]);
    }
    let _requested = requested_model(body);

    if let Some(edited) = ask_for_usage(body)
        && serde_json::from_slice::<Value>(body).is_ok()
    {
        let json: Value = serde_json::from_slice(&edited).expect("JSON stays JSON");
        assert_eq!(json["stream_options"]["include_usage"], true);
        assert_eq!(ask_for_usage(&edited), None, "it asks already");
    }

    let mut remover = ChunkRemover::default();
    let mut passed = 0;
    for chunk in body.chunks(5) {
        passed += remover.feed(chunk).len();
    }
    passed += remover.finish().len();
    assert!(passed <= body.len(), "nothing is added");
});
