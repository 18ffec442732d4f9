//! Any text as a prompt and as JSON: unwrapped, checked and fingerprinted.

#![no_main]

use engine::fingerprint::{MAX_CANONICAL_BYTES, fingerprints};
use engine::{json_scan, prompt};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|text: &str| {
    let instruction = prompt::instruction(text);
    // Escapes get shorter when they are decoded; paragraphs are joined by a line end each.
    assert!(
        instruction.len() <= text.len(),
        "an instruction is a part of its prompt"
    );
    if !text.trim_start().starts_with(['{', '[']) {
        assert_eq!(instruction, text, "what is no chat is its own instruction");
    }

    let ours = json_scan::check(text).is_ok();
    let theirs = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(ours, theirs, "the scanner and serde_json agree on what JSON is");

    let once = fingerprints(text, None);
    assert_eq!(once, fingerprints(text, None), "the same text, the same identity");
    assert!(once.canonical.len() <= MAX_CANONICAL_BYTES);
    let with_template = fingerprints(text, Some(text));
    assert_eq!(
        once.prompt, with_template.prompt,
        "a template changes nothing about the prompt"
    );
});
