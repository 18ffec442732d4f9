//! What a browser test calls to compare the engine in WASM with the engine on this machine.
#![cfg(target_arch = "wasm32")]

#[expect(dead_code, reason = "what a row expects is for the tests")]
#[path = "../../engine/tests/corpus/row.rs"]
mod row;
#[path = "../../engine/tests/corpus/verdicts.rs"]
mod verdicts;

use wasm_bindgen::prelude::wasm_bindgen;

/// Scores every row of the corpus; the verdicts as JSON.
#[wasm_bindgen]
pub fn score_corpus() -> String {
    verdicts::verdicts()
}
