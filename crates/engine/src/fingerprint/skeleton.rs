//! The leading instruction of a text in which instruction and a user's words stand together.

use super::USER_TEXT;
use super::mask::{Quotes, mask};

/// Words before a colon after which a user's text follows.
const DATA_LABELS: &[&str] = &[
    "article",
    "chat",
    "code",
    "comment",
    "complaint",
    "content",
    "context",
    "conversation",
    "customer",
    "data",
    "description",
    "document",
    "email",
    "e-mail",
    "feedback",
    "human",
    "input",
    "issue",
    "log",
    "logs",
    "mail",
    "message",
    "messages",
    "note",
    "notes",
    "order",
    "paragraph",
    "passage",
    "post",
    "prompt",
    "query",
    "question",
    "request",
    "review",
    "sentence",
    "snippet",
    "source",
    "story",
    "text",
    "ticket",
    "title",
    "topic",
    "transcript",
    "tweet",
    "user",
    "url",
];
/// Tags that hold instruction and not data.
const INSTRUCTION_TAGS: &[&str] = &[
    "constraints",
    "example",
    "examples",
    "format",
    "guidelines",
    "instruction",
    "instructions",
    "output",
    "output_format",
    "persona",
    "role",
    "rules",
    "schema",
    "steps",
    "style",
    "system",
    "task",
    "tone",
    "tools",
];
const QUOTES: &str = "\"\"\"";
/// So many tags that are never closed are looked for; each costs a walk over what is left.
const UNCLOSED_TAGS: usize = 8;

/// Appends the masked leading instruction of `text`, with a mark where a user's words were.
pub(super) fn push_skeleton(text: &str, out: &mut String) {
    let text = text.trim();
    let cut = Cut::of(text);
    mask(&cut.kept, Quotes::MaskAll, out);
    if cut.is_cut {
        if !out.is_empty() && !out.ends_with(char::is_whitespace) {
            out.push(' ');
        }
        out.push_str(USER_TEXT);
    }
}

/// What is left of a text, and whether something was cut off behind it.
struct Cut {
    kept: String,
    is_cut: bool,
}

impl Cut {
    fn of(text: &str) -> Self {
        let mut walk = Walk {
            kept: String::new(),
            first_paragraph: None,
            has_blocks: false,
            unclosed: 0,
        };
        if walk.lines(text) {
            return Self {
                kept: walk.kept,
                is_cut: true,
            };
        }
        if walk.has_blocks {
            return Self {
                kept: walk.kept,
                is_cut: false,
            };
        }
        if let Some(end) = walk.first_paragraph {
            return Self {
                kept: text[..end].to_owned(),
                is_cut: true,
            };
        }
        // One line: what stands before a colon asks, what stands behind it is asked about.
        let colon = text.find(": ").filter(|_| !text.contains('\n'));
        Self {
            kept: text[..colon.map_or(text.len(), |at| at + 1)].to_owned(),
            is_cut: colon.is_some(),
        }
    }
}

struct Walk {
    kept: String,
    /// Where the first paragraph ends, if others follow.
    first_paragraph: Option<usize>,
    /// Whether data stood between marks of its own.
    has_blocks: bool,
    unclosed: usize,
}

impl Walk {
    /// Keeps line after line; true when a label said that all the rest is data.
    fn lines(&mut self, text: &str) -> bool {
        let mut at = 0;
        let mut line = Line::at(text, 0);
        while at < text.len() {
            if at >= line.end {
                line = Line::at(text, at);
            }
            if let Some(label) = line.label_from(at) {
                self.kept.push_str(&text[at..label]);
                return true;
            }
            if let Some(behind) = self.block(text, at, &mut line) {
                at = behind;
                continue;
            }
            let begin = std::mem::replace(&mut at, line.end);
            self.kept.push_str(&text[begin..at]);
            let after = &text[at..];
            if text[begin..at].trim_end().ends_with(':')
                && !after.trim().is_empty()
                && !is_list_item(after.trim_start())
            {
                return true;
            }
            if self.first_paragraph.is_none() && after.starts_with(['\n', '\r']) && !after.trim().is_empty() {
                self.first_paragraph = Some(at);
            }
        }
        false
    }

    /// A block of data that begins in this line, from `at` on: its place is kept. Where to go on behind it.
    fn block(&mut self, text: &str, at: usize, line: &mut Line<'_>) -> Option<usize> {
        let rest = text[at..line.end].trim_start();
        let (open, close) = if let Some(quotes) = line.quotes_from(at) {
            (quotes + QUOTES.len(), QUOTES.to_owned())
        } else if rest.starts_with("```") {
            (line.end, "```".to_owned())
        } else {
            let tag = tag_of(rest).filter(|_| self.unclosed < UNCLOSED_TAGS)?;
            let bracket = text[at..line.end].find('>')?;
            (at + bracket + 1, format!("</{tag}>"))
        };
        let Some(length) = text[open..].find(&close) else {
            self.unclosed += 1;
            // Data to the very end, unless it is a tag that means nothing.
            if close.starts_with('<') {
                return None;
            }
            self.keep_block(&text[at..open], "");
            return Some(text.len());
        };
        self.keep_block(&text[at..open], &close);
        Some(open + length + close.len())
    }

    fn keep_block(&mut self, open: &str, close: &str) {
        self.has_blocks = true;
        // Its info string may say what kind of data a fence holds.
        let open = open.trim_end();
        self.kept.push_str(open.strip_suffix("\"\"\"").unwrap_or(open));
        self.kept.push(' ');
        self.kept.push_str(USER_TEXT);
        self.kept.push(' ');
        self.kept.push_str(close.trim_matches('"'));
    }
}

/// One line of a text. Blocks of data may follow each other in it without end, so what is looked for in all of it is
/// looked for once.
struct Line<'a> {
    text: &'a str,
    end: usize,
    /// Where the first label ends that counts wherever in the line it stands.
    label: Option<usize>,
    /// Where the next triple quotes are, found for any place up to there.
    quotes: Option<usize>,
}

impl<'a> Line<'a> {
    /// The line that begins at `at`.
    fn at(text: &'a str, at: usize) -> Self {
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
        let line = &text[at..end];
        Self {
            text,
            end,
            label: label_end(line, Label::Anywhere).map(|label| at + label),
            quotes: line.find(QUOTES).map(|quotes| at + quotes),
        }
    }

    /// Where the first label of data ends in what is left from `at` on, its colon included. A label ends the walk, so
    /// one that counts anywhere still lies ahead.
    fn label_from(&self, at: usize) -> Option<usize> {
        let near = label_end(&self.text[at..self.end], Label::AtBeginning).map(|label| at + label);
        [near, self.label].into_iter().flatten().min()
    }

    /// Where the next triple quotes are from `at` on.
    fn quotes_from(&mut self, at: usize) -> Option<usize> {
        if self.quotes.is_some_and(|quotes| quotes < at) {
            self.quotes = self.text[at..self.end].find(QUOTES).map(|quotes| at + quotes);
        }
        self.quotes
    }
}

/// The name of a tag that opens at the beginning of a line and holds data.
fn tag_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('<')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let name = rest.get(..end).filter(|name| !name.is_empty())?;
    let is_tag = rest[end..].starts_with(['>', ' ']) && rest.contains('>');
    (is_tag && !INSTRUCTION_TAGS.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
}

/// Where a label has to stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// Within the first words.
    AtBeginning,
    /// Anywhere, because it is written like a label: with a capital.
    Anywhere,
}

/// Where in a line a label of data ends, its colon included.
fn label_end(line: &str, place: Label) -> Option<usize> {
    let begin = line.len()
        - line
            .trim_start_matches([' ', '\t', '#', '*', '-', '>', '[', '('])
            .len();
    let searched = match place {
        Label::AtBeginning => &line[..beginning_end(line, begin)],
        Label::Anywhere => line,
    };
    for (colon, _) in searched.match_indices(':') {
        let before = line[begin.min(colon)..colon].trim_end_matches(BEFORE_COLON);
        let word_at = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '-')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[word_at..];
        let is_label = match place {
            Label::AtBeginning => before.len() <= BEGINNING && before.split_whitespace().count() <= 5,
            Label::Anywhere => word.starts_with(char::is_uppercase),
        };
        let follows = line[colon + 1..].trim_start_matches('*');
        if is_label
            && (follows.is_empty() || follows.starts_with(char::is_whitespace))
            && DATA_LABELS.contains(&word.to_lowercase().as_str())
        {
            return Some(colon + 1);
        }
    }
    None
}

/// What may stand between a label and its colon.
const BEFORE_COLON: &[char] = &['*', '_', ' ', ']', ')'];
/// So many bytes are the beginning of a line.
const BEGINNING: usize = 48;

/// Where the beginning of a line ends that begins at `begin`, with the colon of its last label.
fn beginning_end(line: &str, begin: usize) -> usize {
    let near = line.floor_char_boundary(begin + BEGINNING);
    let is_far = |c: char| !BEFORE_COLON.contains(&c);
    let colon = line[near..].find(is_far).map_or(line.len(), |far| near + far);
    line.ceil_char_boundary(colon + 1)
}

fn is_list_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['-', '*', '•', '{', '[', '`'])
        || (rest.len() < line.len() && rest.starts_with(['.', ')']))
}
