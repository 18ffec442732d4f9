//! What a claim quotes, which has to occur in what it cites.

use super::Facts;

/// Shorter quotes are words that happen to be marked.
const LEAST_CHARS: usize = 3;

/// The first quote that nothing cited has. Quoted is what stands between backticks or double quotation marks.
pub(super) fn missing(text: &str, cited: &[&Facts], whole: &Facts) -> Option<String> {
    quotes(text)
        .into_iter()
        .find(|quote| !cited.iter().chain([&whole]).any(|facts| has(facts, quote)))
        .map(str::to_owned)
}

fn quotes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [('`', '`'), ('"', '"'), ('“', '”')] {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((quote, behind)) = after.split_once(close) else {
                break;
            };
            if quote.chars().count() >= LEAST_CHARS {
                found.push(quote);
            }
            rest = behind;
        }
    }
    found
}

/// Whether a thing is called so or has these words: exactly, or but for case and white space.
fn has(facts: &Facts, quote: &str) -> bool {
    let wanted = squeezed(quote);
    let texts = facts.texts.iter().chain(&facts.bodies);
    let texts = texts.map(String::as_str).chain([facts.name.as_str()]);
    let mut codes = facts.codes.iter();
    codes.any(|code| code.to_string() == wanted)
        || texts
            .into_iter()
            .any(|text| text.contains(quote) || squeezed(text).contains(&wanted))
}

fn squeezed(text: &str) -> String {
    let text = text.trim().trim_end_matches(['…', '.']);
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}
