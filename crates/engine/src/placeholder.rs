//! Finding text that a template or a program should have replaced.

use std::ops::Range;

use crate::shape::Shape;
use crate::words::{name_contains, rarely_found, words};

/// The first placeholder in an output, unless the instruction itself is about placeholders.
pub(crate) fn find(instruction: &str, output: &str, shape: Shape) -> Option<Range<usize>> {
    let is_about_code = shape == Shape::Code || output.contains('`');
    if !is_about_code
        && !instruction.contains("{{")
        && let Some(found) = braces(output)
    {
        return Some(found);
    }
    let literal = |text: &str| rarely_found(output, text).map(|at| at..at + text.len());
    if let Some(found) = literal("[object Object]").filter(|_| !instruction.contains("[object Object]")) {
        return Some(found);
    }
    lorem(output)
        .filter(|_| !name_contains(instruction, &["lorem"]))
        .or_else(|| {
            let talks_about_it = is_about_code || name_contains(instruction, &["undefined"]);
            if talks_about_it { None } else { undefined(output) }
        })
}

/// `{{name}}` with a name in it.
fn braces(output: &str) -> Option<Range<usize>> {
    if !output.contains("{{") {
        return None;
    }
    let mut from = 0;
    while let Some(at) = output.get(from..)?.find("{{") {
        let start = from + at;
        let body = output.get(start + 2..)?;
        let name = body
            .bytes()
            .take(64)
            .take_while(|b| b.is_ascii_alphanumeric() || b" _-.".contains(b))
            .count();
        let has_name = body.get(..name)?.contains(|c: char| c.is_ascii_alphabetic());
        if has_name && body.get(name..)?.starts_with("}}") {
            return Some(start..start + name + 4);
        }
        from = start + 2;
    }
    None
}

fn lorem(output: &str) -> Option<Range<usize>> {
    // Cheap, and nearly always the end of it.
    if !["ipsum", "Ipsum", "IPSUM"]
        .iter()
        .any(|ipsum| output.contains(ipsum))
    {
        return None;
    }
    let mut before: Option<Range<usize>> = None;
    for word in words(output) {
        if word.text.eq_ignore_ascii_case("lorem") {
            before = Some(word.start..word.end);
        } else if let Some(lorem) = before.take()
            && word.text.eq_ignore_ascii_case("ipsum")
        {
            return Some(lorem.start..word.end);
        }
    }
    None
}

/// The bare word where a value should be: not "undefined behaviour" or "is undefined", which are about it.
fn undefined(output: &str) -> Option<Range<usize>> {
    const WORD: &str = "undefined";
    rarely_found(output, WORD)?;
    let mut from = 0;
    while let Some(at) = output.get(from..)?.find(WORD) {
        let start = from + at;
        let end = start + WORD.len();
        from = end;
        let before = output.get(..start)?;
        let after = output.get(end..)?;
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_followed_by_word = after
            .strip_prefix(' ')
            .is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        // Asked last: looking back for a word must not happen at every hit in a long run without spaces.
        let is_statement = || {
            let last_word = before.trim_end().rsplit(char::is_whitespace).next().unwrap_or("");
            [
                "is", "are", "be", "was", "were", "returns", "remains", "as", "an", "left",
            ]
            .contains(&last_word)
        };
        if is_whole && !is_followed_by_word && !is_statement() {
            return Some(start..end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_leaks_and_not_talk_about_them() {
        let check = |instruction: &str, output: &str, expected: Option<&str>| {
            let found = find(instruction, output, crate::shape::shape_of(output));
            assert_eq!(found.map(|range| &output[range]), expected, "{output:?}");
        };
        check("Greet", "Hello {{first_name}}, welcome", Some("{{first_name}}"));
        check("Greet", "Hello {{ user.name }}", Some("{{ user.name }}"));
        check("Keep {{name}} as it is", "Hello {{name}}", None);
        check("Greet", "Use `{{name}}` there", None);
        check("Greet", "{{}} {{", None);
        check("Greet", "Hello undefined, welcome", Some("undefined"));
        check("Greet", "{\"name\": \"undefined\"}", Some("undefined"));
        check(
            "Greet",
            "That is undefined behaviour, and 1/0 is undefined.",
            None,
        );
        check("What does undefined mean?", "undefined", None);
        check("Greet", "Lorem ipsum dolor", Some("Lorem ipsum"));
        check("Write lorem ipsum", "Lorem ipsum dolor", None);
        check("Greet", "Total: [object Object]", Some("[object Object]"));
    }
}
