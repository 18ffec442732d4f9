//! The shape of an output: a behaviour signal of its own, and what an instruction can ask for.

use serde::{Deserialize, Serialize};

use crate::json_scan::{JsonError, JsonKind};

/// What an output looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Blank or missing.
    Empty,
    /// One JSON object or array.
    Json,
    /// Begins with a code fence or like source code.
    Code,
    /// One number.
    Number,
    /// Begins with a list item.
    List,
    /// Has a heading, a link or bold text.
    Markdown,
    /// At most 3 words and 40 characters on one line.
    EnumShort,
    /// Anything else.
    Prose,
}

impl Shape {
    /// The word in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Json => "json",
            Self::Code => "code",
            Self::Number => "number",
            Self::List => "list",
            Self::Markdown => "markdown",
            Self::EnumShort => "enum_short",
            Self::Prose => "prose",
        }
    }
}

/// The shape of an output.
pub fn shape_of(output: &str) -> Shape {
    let trimmed = output.trim();
    shape_of_parsed(trimmed, json_document(trimmed).is_ok())
}

/// Whether a trimmed text is one JSON object or array.
pub(crate) fn json_document(trimmed: &str) -> Result<JsonKind, JsonError> {
    match trimmed.as_bytes().first() {
        Some(b'{' | b'[') => crate::json_scan::check(trimmed),
        _ => Err(JsonError {
            at: 0,
            inside: crate::json_scan::Inside::Top,
        }),
    }
}

/// The shape of a trimmed output of which it is known whether it is JSON.
pub(crate) fn shape_of_parsed(trimmed: &str, is_json: bool) -> Shape {
    if trimmed.is_empty() {
        Shape::Empty
    } else if is_json {
        Shape::Json
    } else if reads_as_code(trimmed) {
        Shape::Code
    } else if is_number(trimmed) {
        Shape::Number
    } else if begins_a_list(trimmed) {
        Shape::List
    } else if has_markdown(trimmed) {
        Shape::Markdown
    } else if is_short_choice(trimmed) {
        Shape::EnumShort
    } else {
        Shape::Prose
    }
}

fn reads_as_code(text: &str) -> bool {
    const LEADS: &[&str] = &[
        "def ",
        "class ",
        "import ",
        "from ",
        "function ",
        "const ",
        "export ",
        "async ",
        "#include",
        "public class ",
        "fn ",
        "pub ",
    ];
    if text.starts_with("```") || text.starts_with("~~~") || text.starts_with("=>") || text.starts_with("#!/")
    {
        return true;
    }
    let line = text.lines().next().unwrap_or("");
    if LEADS.iter().any(|lead| line.starts_with(lead)) {
        // "class struggle is old" is prose: code shows punctuation, or is a very short line.
        let has_punctuation = line.contains(['(', '{', ':', ';', '=', '\'', '"', '<']);
        let needs_import = line.starts_with("from ") && !line.contains(" import ");
        return !needs_import
            && (has_punctuation || line.contains(" import ") || line.split_whitespace().count() <= 2);
    }
    line.split_once("=>").is_some_and(|(head, _)| {
        !head.is_empty()
            && head.len() <= 80
            && head
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '(' | ')' | ',' | '$'))
    })
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let grouped = || {
        let mut groups = whole.split(',');
        groups
            .next()
            .is_some_and(|first| digits(first) && first.len() <= 3)
            && groups.all(|group| group.len() == 3 && digits(group))
    };
    (digits(whole) || grouped())
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

fn begins_a_list(text: &str) -> bool {
    let after = |marker: &str| text.strip_prefix(marker).map(|rest| rest.chars().next());
    if let Some(next) = after("1.") {
        return !next.is_some_and(|c| c.is_ascii_digit());
    }
    if text.starts_with('•') {
        return true;
    }
    // "**bold**" and "---" are Markdown, not list items.
    after("-").is_some_and(|next| next != Some('-')) || after("*").is_some_and(|next| next != Some('*'))
}

fn has_markdown(text: &str) -> bool {
    text.lines()
        .any(|line| is_heading(line) || has_pair(line, "**") || has_pair(line, "__") || has_link(line))
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
}

fn has_pair(line: &str, mark: &str) -> bool {
    let Some((_, rest)) = line.split_once(mark) else {
        return false;
    };
    // The shortest bold text has one character, so the closing mark cannot follow at once.
    let Some(first) = rest.chars().next() else {
        return false;
    };
    !first.is_whitespace() && rest[first.len_utf8()..].contains(mark)
}

fn has_link(line: &str) -> bool {
    let Some((_, rest)) = line.split_once('[') else {
        return false;
    };
    rest.split_once("](")
        .is_some_and(|(_, target)| target.contains(')'))
}

fn is_short_choice(text: &str) -> bool {
    text.len() <= 160
        && !text.contains(['\n', '\r'])
        && text.chars().count() <= 40
        && text.split_whitespace().count() <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let check = |output: &str, expected: Shape| assert_eq!(shape_of(output), expected, "{output:?}");
        check("", Shape::Empty);
        check(" \n\t", Shape::Empty);
        check(" {\"a\":1} ", Shape::Json);
        check("[]", Shape::Json);
        check("{\"a\":", Shape::EnumShort);
        check("```json\n{}\n```", Shape::Code);
        check("def f(x):\n  pass", Shape::Code);
        check("class Foo:", Shape::Code);
        check("class struggle is a very old story", Shape::Prose);
        check("import os", Shape::Code);
        check("import duties rise again this year", Shape::Prose);
        check("from x import y", Shape::Code);
        check("from here on it gets easier", Shape::Prose);
        check("(a, b) => a + b", Shape::Code);
        check("=> x", Shape::Code);
        check("42", Shape::Number);
        check("-3.5", Shape::Number);
        check("1,234", Shape::Number);
        check("1e9", Shape::Number);
        check("42.", Shape::EnumShort);
        check("1,23", Shape::EnumShort);
        check("42 apples", Shape::EnumShort);
        check("- one\n- two", Shape::List);
        check("* one", Shape::List);
        check("1. one", Shape::List);
        check("1.5 apples are left in the box", Shape::Prose);
        check("**Bold** claim with more words", Shape::Markdown);
        check("# Title\ntext", Shape::Markdown);
        check("see [here](http://x) for more", Shape::Markdown);
        check("2 ** 3 ** 4 is a large number", Shape::Prose);
        check("yes", Shape::EnumShort);
        check("three short words", Shape::EnumShort);
        check("now four short words", Shape::Prose);
        check("two\nlines", Shape::Prose);
        check(&"x".repeat(40), Shape::EnumShort);
        check(&"x".repeat(41), Shape::Prose);
        check(&"ä".repeat(40), Shape::EnumShort);
    }
}
