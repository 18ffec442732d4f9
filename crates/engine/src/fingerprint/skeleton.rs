//! The leading instruction of a text in which instruction and a user's words stand together.

use super::canonical::USER_TEXT;
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
        while at < text.len() {
            let rest = &text[at..];
            let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let line = &rest[..end];
            if let Some(label) = label_end(line) {
                self.kept.push_str(&line[..label]);
                return true;
            }
            if let Some(behind) = self.block(rest, line) {
                at += behind;
                continue;
            }
            self.kept.push_str(line);
            at += end;
            let after = &text[at..];
            if line.trim_end().ends_with(':') && !after.trim().is_empty() && !is_list_item(after.trim_start())
            {
                return true;
            }
            if self.first_paragraph.is_none() && after.starts_with(['\n', '\r']) && !after.trim().is_empty() {
                self.first_paragraph = Some(at);
            }
        }
        false
    }

    /// A block of data that begins in this line: its place is kept. The bytes to go on behind.
    fn block(&mut self, rest: &str, line: &str) -> Option<usize> {
        let (open, close) = if let Some(at) = line.find("\"\"\"") {
            (at + 3, "\"\"\"".to_owned())
        } else if line.trim_start().starts_with("```") {
            (line.len(), "```".to_owned())
        } else {
            let tag = tag_of(line.trim_start()).filter(|_| self.unclosed < UNCLOSED_TAGS)?;
            let at = line.find('>')? + 1;
            (at, format!("</{tag}>"))
        };
        let body = &rest[open..];
        let Some(end) = body.find(&close) else {
            self.unclosed += 1;
            // Data to the very end, unless it is a tag that means nothing.
            if close.starts_with('<') {
                return None;
            }
            self.keep_block(&rest[..open], "");
            return Some(rest.len());
        };
        self.keep_block(&rest[..open], &close);
        Some(open + end + close.len())
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

/// The name of a tag that opens at the beginning of a line and holds data.
fn tag_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('<')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let name = rest.get(..end).filter(|name| !name.is_empty())?;
    let is_tag = rest[end..].starts_with(['>', ' ']) && rest.contains('>');
    (is_tag && !INSTRUCTION_TAGS.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
}

/// Where in a line a label of data ends, its colon included.
fn label_end(line: &str) -> Option<usize> {
    const LONGEST: usize = 48;
    let begin = line.len()
        - line
            .trim_start_matches([' ', '\t', '#', '*', '-', '>', '[', '('])
            .len();
    for (colon, _) in line.match_indices(':') {
        let before = line[begin.min(colon)..colon].trim_end_matches(['*', '_', ' ', ']', ')']);
        let word_at = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '-')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[word_at..];
        let begins_line = before.len() <= LONGEST && before.split_whitespace().count() <= 5;
        let is_label = begins_line || word.starts_with(char::is_uppercase);
        let lower = word.to_lowercase();
        let follows = line[colon + 1..].trim_start_matches('*');
        if is_label
            && (follows.is_empty() || follows.starts_with(char::is_whitespace))
            && DATA_LABELS.contains(&lower.as_str())
        {
            return Some(colon + 1);
        }
    }
    None
}

fn is_list_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['-', '*', '•', '{', '[', '`'])
        || (rest.len() < line.len() && rest.starts_with(['.', ')']))
}
