//! Text with the bytes a condition points at marked, as it stands or as indented JSON.

use std::ops::Range;

use domain::{Condition, Place};

use super::lex::{TokenKind, pointer_bytes, tokens};

/// Bytes to mark, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The bytes; an empty range is a point.
    pub(crate) bytes: Range<usize>,
    /// What the mark's title says.
    pub(crate) title: String,
}

/// A stretch of text of one colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The text; empty for a mark at a point.
    pub(crate) text: String,
    /// The colour's class; empty for plain.
    pub(crate) class: &'static str,
    /// The title of the mark it lies in; empty where an earlier segment of the mark has it.
    pub(crate) mark: Option<String>,
}

/// Deeper levels of JSON are indented no further: blanks would grow with the square of what is shown.
const MAX_INDENT_LEVELS: usize = 32;
/// The most places of one condition that are marked; the sentence beside the text speaks of all.
const MAX_PLACES: usize = 64;

/// One line of a shown text.
pub(crate) type TextLine = Vec<Segment>;

/// The places of a step's conditions in the text of its output. What lies beyond the text is moved to its end;
/// pointers that lead nowhere are left out.
pub(crate) fn of_conditions(text: &str, conditions: &[Condition]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = conditions
        .iter()
        .flat_map(|found| of_condition(text, found))
        .collect();
    // Who marks everything points at nothing: a mark over the whole text gives way to any narrower one.
    let covers_all =
        |m: &Mark| text[..m.bytes.start].trim().is_empty() && text[m.bytes.end..].trim().is_empty();
    if marks.iter().any(|m| !covers_all(m)) {
        marks.retain(|m| !covers_all(m));
    }
    disjoint(marks)
}

/// The marks of one condition. All of them say the same: where they are, and why.
fn of_condition(text: &str, condition: &Condition) -> Vec<Mark> {
    let places: Vec<Range<usize>> = match &condition.place {
        None => Vec::new(),
        Some(Place::Pointer(pointer)) => pointer_bytes(text, pointer).into_iter().collect(),
        Some(place @ Place::Bytes { .. }) => {
            let mut bytes = place.bytes();
            bytes.truncate(MAX_PLACES);
            bytes
        }
    };
    let title = format!("{}: {}", place_words(text, &places), condition.message);
    places
        .into_iter()
        .map(|bytes| Mark {
            bytes: whole_characters(text, bytes.start, bytes.end),
            title: title.clone(),
        })
        .collect()
}

/// `byte 0`, `bytes 3 to 9`, `bytes 0 and 38`, `output ends here, byte 129`.
fn place_words(text: &str, places: &[Range<usize>]) -> String {
    match places {
        [one] if one.is_empty() && one.start == text.len() => format!("output ends here, byte {}", one.start),
        [one] if one.len() > 1 => format!("bytes {} to {}", one.start, one.end),
        [one] => format!("byte {}", one.start),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(|bytes| bytes.start.to_string()).collect();
            format!("bytes {} and {}", others.join(", "), last.start)
        }
        [] => String::new(),
    }
}

/// What the marks say, each thing once, in the order of the text.
pub(crate) fn notes(marks: &[Mark]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for note in marks.iter().flat_map(|mark| mark.title.split('\n')) {
        if notes.iter().all(|known| known != note) {
            notes.push(note.to_owned());
        }
    }
    notes
}

/// Whether a line holds nothing but marks that say where the text ends: it is no line of the text.
pub(crate) fn is_end_mark(line: &TextLine) -> bool {
    !line.is_empty()
        && line
            .iter()
            .all(|segment| segment.text.is_empty() && segment.mark.is_some())
}

/// Puts the marks at the text's end on a line of their own, where no long line pushes them out of sight.
fn push_end(lines: &mut Vec<TextLine>, end: Vec<Segment>) {
    if !end.is_empty() && lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(TextLine::new());
    }
    end.into_iter().for_each(|segment| push(lines, segment));
}

/// The smallest range of whole characters around `start..end`, within the text.
fn whole_characters(text: &str, start: usize, end: usize) -> Range<usize> {
    let is_point = end <= start;
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    if is_point {
        return start..start;
    }
    let mut end = end.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end.max(start)
}

/// Marks in order without overlap; where two meet, the later one keeps what is left of it.
fn disjoint(mut marks: Vec<Mark>) -> Vec<Mark> {
    marks.sort_by_key(|m| (m.bytes.start, std::cmp::Reverse(m.bytes.end)));
    let mut out: Vec<Mark> = Vec::new();
    for mut mark in marks {
        let taken_until = out.last().map_or(0, |m| m.bytes.end);
        if let Some(last) = out.last_mut()
            && last.bytes == mark.bytes
        {
            if !last.title.contains(&mark.title) {
                last.title = format!("{}\n{}", last.title, mark.title);
            }
            continue;
        }
        if mark.bytes.start < taken_until {
            if mark.bytes.end <= taken_until {
                continue;
            }
            mark.bytes.start = taken_until;
        }
        out.push(mark);
    }
    out
}

/// The text line by line as it stands, JSON coloured, marks kept.
pub(crate) fn raw_lines(text: &str, marks: &[Mark]) -> Vec<TextLine> {
    let mut lines = vec![TextLine::new()];
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    let spans = if looks_like_json {
        tokens(text)
            .into_iter()
            .map(|t| (t.bytes, t.kind.class()))
            .collect()
    } else {
        vec![(0..text.len(), "")]
    };
    let mut cutter = Cutter::new(text, marks);
    for (bytes, class) in spans {
        for segment in cutter.segments(bytes, class) {
            push_with_line_breaks(&mut lines, &segment);
        }
    }
    push_end(&mut lines, cutter.points_at_end());
    lines
}

/// The text as indented JSON, marks kept; `None` when it is not JSON.
pub(crate) fn json_lines(text: &str, marks: &[Mark]) -> Option<Vec<TextLine>> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let tokens: Vec<_> = tokens(text)
        .into_iter()
        .filter(|t| t.kind != TokenKind::Space)
        .collect();
    let mut lines = vec![TextLine::new()];
    let mut cutter = Cutter::new(text, marks);
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map(|t| t.kind);
        let is_empty_pair =
            |a: TokenKind, b: Option<TokenKind>| a == TokenKind::Open && b == Some(TokenKind::Close);
        let closes_empty = index > 0 && is_empty_pair(tokens[index - 1].kind, Some(token.kind));
        if token.kind == TokenKind::Close && !closes_empty {
            depth = depth.saturating_sub(1);
            new_line(&mut lines, depth);
        }
        for segment in cutter.segments(token.bytes.clone(), token.kind.class()) {
            push(&mut lines, segment);
        }
        match token.kind {
            TokenKind::Open if !is_empty_pair(token.kind, next) => {
                depth += 1;
                new_line(&mut lines, depth);
            }
            TokenKind::Comma => new_line(&mut lines, depth),
            TokenKind::Colon => push(&mut lines, plain(" ")),
            _ => {}
        }
    }
    push_end(&mut lines, cutter.points_at_end());
    Some(lines)
}

/// The text with its marks as one stretch without lines or colours: for texts too long to take apart.
pub(crate) fn plain_segments(text: &str, marks: &[Mark]) -> TextLine {
    let mut cutter = Cutter::new(text, marks);
    let mut line = cutter.segments(0..text.len(), "");
    let end = cutter.points_at_end();
    if !end.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        line.push(plain("\n"));
    }
    line.extend(end);
    line
}

fn plain(text: &str) -> Segment {
    Segment {
        text: text.to_owned(),
        class: "",
        mark: None,
    }
}

fn new_line(lines: &mut Vec<TextLine>, depth: usize) {
    lines.push(TextLine::new());
    if depth > 0 {
        push(lines, plain(&"  ".repeat(depth.min(MAX_INDENT_LEVELS))));
    }
}

fn push(lines: &mut [TextLine], segment: Segment) {
    let Some(line) = lines.last_mut() else { return };
    match line.last_mut() {
        // The rest of a mark has no title, and goes on where its beginning ended.
        Some(last)
            if last.class == segment.class
                && !segment.text.is_empty()
                && (last.mark == segment.mark
                    || (last.mark.is_some() && segment.mark.as_deref() == Some(""))) =>
        {
            last.text.push_str(&segment.text);
        }
        _ => line.push(segment),
    }
}

fn push_with_line_breaks(lines: &mut Vec<TextLine>, segment: &Segment) {
    let rest_of_mark = segment.mark.as_ref().map(|_| String::new());
    for (n, part) in segment.text.split('\n').enumerate() {
        if n > 0 {
            lines.push(TextLine::new());
        }
        if !part.is_empty() || segment.text.is_empty() {
            push(
                lines,
                Segment {
                    text: part.trim_end_matches('\r').to_owned(),
                    class: segment.class,
                    mark: if n == 0 {
                        segment.mark.clone()
                    } else {
                        rest_of_mark.clone()
                    },
                },
            );
        }
    }
}

/// Hands out stretches of text from left to right, cut where marks begin and end.
struct Cutter<'a> {
    text: &'a str,
    marks: &'a [Mark],
    next: usize,
    /// A segment of the next mark was handed out.
    is_titled: bool,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, marks: &'a [Mark]) -> Self {
        Self {
            text,
            marks,
            next: 0,
            is_titled: false,
        }
    }

    fn segments(&mut self, bytes: Range<usize>, class: &'static str) -> Vec<Segment> {
        let text = self.text;
        let segment = |range: Range<usize>, title: Option<&str>| Segment {
            text: text.get(range).unwrap_or_default().to_owned(),
            class,
            mark: title.map(str::to_owned),
        };
        let mut out = Vec::new();
        let mut at = bytes.start;
        while let Some(mark) = self.marks.get(self.next) {
            if mark.bytes.start >= bytes.end {
                break;
            }
            if mark.bytes.start > at {
                out.push(segment(at..mark.bytes.start, None));
                at = mark.bytes.start;
            }
            let end = mark.bytes.end.min(bytes.end);
            if mark.bytes.is_empty() || end > at {
                let title = if self.is_titled { "" } else { mark.title.as_str() };
                out.push(segment(at..end.max(at), Some(title)));
                self.is_titled = true;
                at = end.max(at);
            }
            if mark.bytes.end > bytes.end {
                break;
            }
            self.next += 1;
            self.is_titled = false;
        }
        if at < bytes.end {
            out.push(segment(at..bytes.end, None));
        }
        out
    }

    /// The marks at points behind everything that was handed out.
    fn points_at_end(&mut self) -> Vec<Segment> {
        let points = self.marks.iter().skip(self.next).filter(|m| m.bytes.is_empty());
        let segments = points
            .map(|mark| Segment {
                text: String::new(),
                class: "",
                mark: Some(mark.title.clone()),
            })
            .collect();
        self.next = self.marks.len();
        segments
    }
}

#[cfg(test)]
mod tests;
