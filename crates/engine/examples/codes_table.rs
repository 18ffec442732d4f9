//! Writes the table of codes into docs/scoring.md: `cargo run -p engine --example codes_table`.

use std::path::Path;

#[expect(clippy::unwrap_used, reason = "a tool for those who build this")]
fn main() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scoring.md");
    let text = std::fs::read_to_string(&guide).unwrap();
    let (before, rest) = text.split_once("<!-- codes -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /codes -->").unwrap();
    let table = engine::codes::markdown_table();
    let fresh = format!("{before}<!-- codes -->\n\n{table}\n<!-- /codes -->{after}");
    std::fs::write(&guide, fresh).unwrap();
}
