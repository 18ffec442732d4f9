//! Markdown as blocks and spans: what models write of it, and no more.
//!
//! Texts of a trace are untrusted, so there is no HTML in the result, nothing is loaded, and an address is a text beside
//! its words rather than a link. Time is linear: what closes a span is looked for within [`SPAN_BYTES`].

/// The longest span, in bytes: what opens one and is not closed within that stands for itself.
const SPAN_BYTES: usize = 1_024;
/// Items are indented by at most so many steps.
const MAX_DEPTH: usize = 8;

/// A block of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Heading(Vec<Span>),
    Paragraph(Vec<Span>),
    /// An item of a list: how far it is indented, and what stands before it.
    Item {
        depth: usize,
        marker: String,
        said: Vec<Span>,
    },
    Quote(Vec<Span>),
    /// Code or a table, as it stands.
    Verbatim(String),
    Rule,
}

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Text(String),
    Strong(String),
    Emphasis(String),
    Code(String),
    /// The words of a link or of an image, and its address.
    Link {
        words: String,
        address: String,
    },
}

/// The blocks of a text, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(block) = line_block(line, trimmed) {
            end(&mut paragraph, &mut found);
            found.push(block);
        } else if let Some(fence) = fence_of(trimmed) {
            end(&mut paragraph, &mut found);
            let code: Vec<&str> = lines
                .by_ref()
                .take_while(|line| !line.trim().starts_with(fence))
                .collect();
            found.push(Block::Verbatim(code.join("\n")));
        } else if trimmed.starts_with('|') {
            end(&mut paragraph, &mut found);
            let mut table = trimmed.to_owned();
            while let Some(row) = lines.next_if(|line| line.trim().starts_with('|')) {
                table.push('\n');
                table.push_str(row.trim());
            }
            found.push(Block::Verbatim(table));
        } else if trimmed.is_empty() {
            end(&mut paragraph, &mut found);
        } else {
            if !paragraph.is_empty() {
                paragraph.push('\n');
            }
            paragraph.push_str(trimmed);
        }
    }
    end(&mut paragraph, &mut found);
    found
}

/// Ends a paragraph.
fn end(paragraph: &mut String, found: &mut Vec<Block>) {
    if !paragraph.is_empty() {
        found.push(Block::Paragraph(spans(paragraph)));
        paragraph.clear();
    }
}

fn fence_of(trimmed: &str) -> Option<&'static str> {
    ["```", "~~~"]
        .into_iter()
        .find(|fence| trimmed.starts_with(fence))
}

/// A block that is one line.
fn line_block(line: &str, trimmed: &str) -> Option<Block> {
    let hashes = trimmed.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes) {
        let said = trimmed.get(hashes..)?.strip_prefix(' ')?;
        return Some(Block::Heading(spans(said.trim())));
    }
    let is_rule = |sign: char| trimmed.len() >= 3 && trimmed.chars().all(|char| char == sign);
    if ['-', '*', '_'].into_iter().any(is_rule) {
        return Some(Block::Rule);
    }
    if let Some(said) = trimmed.strip_prefix('>') {
        return Some(Block::Quote(spans(said.trim())));
    }
    let (marker, said) = item(trimmed)?;
    let indent = line.len() - line.trim_start().len();
    Some(Block::Item {
        depth: (indent / 2).min(MAX_DEPTH),
        marker,
        said: spans(said.trim()),
    })
}

/// What an item begins with, and what it says.
fn item(trimmed: &str) -> Option<(String, &str)> {
    for bullet in ["- ", "* ", "+ "] {
        if let Some(said) = trimmed.strip_prefix(bullet) {
            return Some(("•".to_owned(), said));
        }
    }
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let rest = trimmed.get(digits..)?;
    let said = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
    (1..=4)
        .contains(&digits)
        .then(|| (format!("{}.", &trimmed[..digits]), said))
}

/// The spans of a text, in order.
fn spans(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(offset) = text
        .get(at..)
        .and_then(|rest| rest.find(['`', '*', '_', '[', '!']))
    {
        at += offset;
        match span_at(text, at) {
            Some((span, end)) => {
                if at > from {
                    found.push(Span::Text(text[from..at].to_owned()));
                }
                found.push(span);
                (from, at) = (end, end);
            }
            // All of these signs have one byte.
            None => at += 1,
        }
    }
    if from < text.len() {
        found.push(Span::Text(text[from..].to_owned()));
    }
    found
}

/// The span that begins at a place, and where it ends; `None` where the sign there stands for itself.
fn span_at(text: &str, at: usize) -> Option<(Span, usize)> {
    let rest = text.get(at..text.floor_char_boundary((at + SPAN_BYTES).min(text.len())))?;
    let between = |sign: &str| {
        let said = rest.strip_prefix(sign)?;
        let length = said.find(sign)?;
        let said = said.get(..length)?;
        let is_said = !said.is_empty() && said.trim() == said;
        is_said.then(|| (said.to_owned(), at + length + 2 * sign.len()))
    };
    match rest.as_bytes().first()? {
        b'`' => between("`").map(|(said, end)| (Span::Code(said), end)),
        b'[' => link(rest).map(|(words, address, length)| (Span::Link { words, address }, at + length)),
        b'!' => {
            let (words, address, length) = link(rest.strip_prefix('!')?)?;
            let words = format!("image: {words}");
            Some((Span::Link { words, address }, at + 1 + length))
        }
        sign => {
            let (one, two) = if *sign == b'*' { ("*", "**") } else { ("_", "__") };
            // Names such as `a_b_c` are no emphasis.
            let in_word = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            if one == "_" && in_word {
                return None;
            }
            if rest.starts_with(two) {
                return between(two).map(|(said, end)| (Span::Strong(said), end));
            }
            between(one).map(|(said, end)| (Span::Emphasis(said), end))
        }
    }
}

/// The words and the address of a link, and how long all of it is.
fn link(text: &str) -> Option<(String, String, usize)> {
    let words = text.strip_prefix('[')?;
    let words_end = words.find(']')?;
    let address = words.get(words_end + 1..)?.strip_prefix('(')?;
    let address_end = address.find(')')?;
    let found = (
        words.get(..words_end)?.to_owned(),
        address.get(..address_end)?.to_owned(),
    );
    Some((found.0, found.1, words_end + address_end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(said: &str) -> Vec<Span> {
        vec![Span::Text(said.to_owned())]
    }

    #[test]
    fn blocks_of_what_models_write() {
        let found = blocks(
            "# Title\nOne\ntwo\n\n1. first\n   - **inner**\n> said\n---\n```json\n# not a title\n```\n|a|b|\n|-|-|\nend",
        );
        let item = |depth, marker: &str, said| Block::Item {
            depth,
            marker: marker.to_owned(),
            said,
        };
        assert_eq!(
            found,
            [
                Block::Heading(text("Title")),
                Block::Paragraph(text("One\ntwo")),
                item(0, "1.", text("first")),
                item(1, "•", vec![Span::Strong("inner".to_owned())]),
                Block::Quote(text("said")),
                Block::Rule,
                Block::Verbatim("# not a title".to_owned()),
                Block::Verbatim("|a|b|\n|-|-|".to_owned()),
                Block::Paragraph(text("end")),
            ]
        );
        assert_eq!(
            blocks("#hash\n1984. \n"),
            [Block::Paragraph(text("#hash\n1984."))]
        );
    }

    #[test]
    fn spans_of_a_line() {
        let check = |said: &str, expected: &[Span]| assert_eq!(spans(said), expected, "{said}");
        check(
            "snake_case_name and 2 * 3 * 4",
            &text("snake_case_name and 2 * 3 * 4"),
        );
        check(
            "**bold** `a*b` *so*",
            &[
                Span::Strong("bold".to_owned()),
                Span::Text(" ".to_owned()),
                Span::Code("a*b".to_owned()),
                Span::Text(" ".to_owned()),
                Span::Emphasis("so".to_owned()),
            ],
        );
        let link = |words: &str, address: &str| Span::Link {
            words: words.to_owned(),
            address: address.to_owned(),
        };
        check(
            "[here](javascript:x)![é](https://e.example/?q=1)!",
            &[
                link("here", "javascript:x"),
                link("image: é", "https://e.example/?q=1"),
                Span::Text("!".to_owned()),
            ],
        );
        check("**open `too [x] (y", &text("**open `too [x] (y"));
    }

    #[test]
    fn no_text_takes_long() {
        for sign in ["*a ", "[", "`", "_x", "![", "é*"] {
            let long = sign.repeat(64 * 1024 / sign.len());
            let begun = std::time::Instant::now();
            assert!(!blocks(&long).is_empty());
            assert!(begun.elapsed().as_secs() < 2, "{sign}");
        }
    }
}
