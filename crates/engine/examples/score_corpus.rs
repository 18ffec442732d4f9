//! Prints what the corpus scores on this machine, as JSON: `cargo run -p engine --example score_corpus`. The browser
//! must say the same (`end2end/specs/engine.hydrate.spec.ts`).

#[expect(dead_code, reason = "what a row expects is for the tests")]
#[path = "../tests/corpus/row.rs"]
mod row;
#[path = "../tests/corpus/verdicts.rs"]
mod verdicts;

#[expect(clippy::print_stdout, reason = "printing is what it does")]
fn main() {
    println!("{}", verdicts::verdicts());
}
