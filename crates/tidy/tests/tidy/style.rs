//! How it looks is said in `style/`, and which colours there are in one file of it.

use crate::repository::{Findings, files};

#[test]
fn colours_are_tokens() {
    let mut findings = Findings::new(
        "give the colour a role in style/tokens.css and write var(--role); pages name classes, never colours",
    );
    for file in files() {
        // An icon of the browser's own frame has no style sheet.
        let counts = (file.is_below("style") && file.path != "style/tokens.css")
            || (file.is_below("app/src") && (file.is("rs") || file.is("svg")));
        if !counts {
            continue;
        }
        for (line, text) in file.code() {
            if let Some(colour) = colour_in(text) {
                findings.add(format!("{}:{line}", file.path), colour);
            }
        }
    }
}

fn colour_in(text: &str) -> Option<&str> {
    const FUNCTIONS: [&str; 9] = [
        "rgb(", "rgba(", "hsl(", "hsla(", "hwb(", "lab(", "lch(", "oklab(", "oklch(",
    ];
    let is_whole_word =
        |at: usize| !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_.:".contains(before));
    let function = FUNCTIONS
        .iter()
        .find_map(|function| text.match_indices(function).find(|(at, _)| is_whole_word(*at)));
    if let Some((at, _)) = function {
        return Some(&text[at..]);
    }
    text.match_indices('#').find_map(|(at, _)| {
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let ends = !text[at + 1 + digits..]
            .starts_with(|after: char| after.is_alphanumeric() || "-_".contains(after));
        // `#1234` is more likely the number of something than a colour with an alpha of four bits.
        ([3, 6, 8].contains(&digits) && ends).then(|| &text[at..=at + digits])
    })
}

#[test]
fn colours_are_recognised() {
    let check = |text: &str, expected: bool| assert_eq!(colour_in(text).is_some(), expected, "{text}");
    check("color: #fff;", true);
    check("color: #0F172A", true);
    check("fill: rgb(0 0 0 / 0.18)", true);
    check("<path fill=\"#a1b2c3\"/>", true);
    check("color: oklch(0.7 0.1 260)", true);
    check("color: var(--text)", false);
    check("href=\"#first-title\"", false);
    check("#[component]", false);
    check("r#\"text\"#", false);
    check("mix: to_rgb(x)", false);
}

#[test]
fn pages_have_no_inline_style() {
    let mut findings = Findings::new(
        "the content security policy refuses it: use a class, a data attribute, or SVG attributes for geometry",
    );
    for file in files()
        .iter()
        .filter(|file| file.is_below("app/src") && file.is("rs"))
    {
        for (line, text) in file.code() {
            let mentions = ["style=", "style:", "inner_html=\"<style"];
            if mentions.iter().any(|mention| {
                text.match_indices(mention).any(|(at, _)| {
                    !text[..at].ends_with(|before: char| before.is_alphanumeric() || "-_:".contains(before))
                })
            }) {
                findings.add(format!("{}:{line}", file.path), text.trim());
            }
        }
    }
}
