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
pub(crate) struct Piece {
    /// The text; empty for a mark at a point.
    pub(crate) text: String,
    /// The colour's class; empty for plain.
    pub(crate) class: &'static str,
    /// The title of the mark it lies in.
    pub(crate) mark: Option<String>,
}

/// One line of a shown text.
pub(crate) type TextLine = Vec<Piece>;

/// The places of a step's conditions in the text of its output. What lies beyond the text is moved to its end;
/// pointers that lead nowhere are left out.
pub(crate) fn of_conditions(text: &str, conditions: &[Condition]) -> Vec<Mark> {
    let mark = |condition: &Condition| {
        let bytes = match condition.place.as_ref()? {
            Place::Bytes { start, end } => whole_characters(text, *start, *end),
            Place::Pointer(pointer) => pointer_bytes(text, pointer)?,
        };
        let title = if bytes.is_empty() {
            format!("byte {}: {}", bytes.start, condition.message)
        } else {
            format!("bytes {} to {}: {}", bytes.start, bytes.end, condition.message)
        };
        Some(Mark { bytes, title })
    };
    let mut marks: Vec<Mark> = conditions.iter().filter_map(mark).collect();
    // Who marks everything points at nothing: a mark over the whole text gives way to any narrower one.
    let covers_all =
        |m: &Mark| text[..m.bytes.start].trim().is_empty() && text[m.bytes.end..].trim().is_empty();
    if marks.iter().any(|m| !covers_all(m)) {
        marks.retain(|m| !covers_all(m));
    }
    disjoint(marks)
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
            last.title = format!("{}\n{}", last.title, mark.title);
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
        for piece in cutter.pieces(bytes, class) {
            push_with_line_breaks(&mut lines, &piece);
        }
    }
    for piece in cutter.points_at_end() {
        push(&mut lines, piece);
    }
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
        for piece in cutter.pieces(token.bytes.clone(), token.kind.class()) {
            push(&mut lines, piece);
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
    for piece in cutter.points_at_end() {
        push(&mut lines, piece);
    }
    Some(lines)
}

/// The text with its marks as one stretch without lines or colours: for texts too long to take apart.
pub(crate) fn plain_pieces(text: &str, marks: &[Mark]) -> TextLine {
    let mut cutter = Cutter::new(text, marks);
    let mut line = cutter.pieces(0..text.len(), "");
    line.extend(cutter.points_at_end());
    line
}

fn plain(text: &str) -> Piece {
    Piece {
        text: text.to_owned(),
        class: "",
        mark: None,
    }
}

fn new_line(lines: &mut Vec<TextLine>, depth: usize) {
    lines.push(TextLine::new());
    if depth > 0 {
        push(lines, plain(&"  ".repeat(depth)));
    }
}

fn push(lines: &mut [TextLine], piece: Piece) {
    let Some(line) = lines.last_mut() else { return };
    match line.last_mut() {
        Some(last) if last.class == piece.class && last.mark == piece.mark && !piece.text.is_empty() => {
            last.text.push_str(&piece.text);
        }
        _ => line.push(piece),
    }
}

fn push_with_line_breaks(lines: &mut Vec<TextLine>, piece: &Piece) {
    for (n, part) in piece.text.split('\n').enumerate() {
        if n > 0 {
            lines.push(TextLine::new());
        }
        if !part.is_empty() || piece.text.is_empty() {
            push(
                lines,
                Piece {
                    text: part.trim_end_matches('\r').to_owned(),
                    ..piece.clone()
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
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, marks: &'a [Mark]) -> Self {
        Self { text, marks, next: 0 }
    }

    fn pieces(&mut self, bytes: Range<usize>, class: &'static str) -> Vec<Piece> {
        let piece = |range: Range<usize>, mark: Option<&Mark>| Piece {
            text: self.text.get(range).unwrap_or_default().to_owned(),
            class,
            mark: mark.map(|m| m.title.clone()),
        };
        let mut out = Vec::new();
        let mut at = bytes.start;
        while let Some(mark) = self.marks.get(self.next) {
            if mark.bytes.start >= bytes.end {
                break;
            }
            if mark.bytes.start > at {
                out.push(piece(at..mark.bytes.start, None));
                at = mark.bytes.start;
            }
            let end = mark.bytes.end.min(bytes.end);
            if mark.bytes.is_empty() || end > at {
                out.push(piece(at..end.max(at), Some(mark)));
                at = end.max(at);
            }
            if mark.bytes.end > bytes.end {
                break;
            }
            self.next += 1;
        }
        if at < bytes.end {
            out.push(piece(at..bytes.end, None));
        }
        out
    }

    /// The marks at points behind everything that was handed out.
    fn points_at_end(&mut self) -> Vec<Piece> {
        let points = self.marks.iter().skip(self.next).filter(|m| m.bytes.is_empty());
        let pieces = points
            .map(|mark| Piece {
                text: String::new(),
                class: "",
                mark: Some(mark.title.clone()),
            })
            .collect();
        self.next = self.marks.len();
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: usize, end: usize) -> Condition {
        Condition {
            code: 3011,
            layer: 3,
            name: "bracket_imbalance".to_owned(),
            points: 25,
            message: "never closed".to_owned(),
            observed: String::new(),
            expected: String::new(),
            place: Some(Place::Bytes { start, end }),
            sample: None,
        }
    }

    /// Lines joined by `/`, marks in `<>`.
    fn drawn(lines: &[TextLine]) -> String {
        let piece = |p: &Piece| match p.mark {
            Some(_) => format!("<{}>", p.text),
            None => p.text.clone(),
        };
        let lines: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(piece).collect())
            .collect();
        lines.join("/")
    }

    #[test]
    fn marks_in_raw_text() {
        let check = |text: &str, places: &[(usize, usize)], expected: &str| {
            let conditions: Vec<_> = places.iter().map(|(start, end)| at(*start, *end)).collect();
            let marks = of_conditions(text, &conditions);
            assert_eq!(drawn(&raw_lines(text, &marks)), expected, "{text} {places:?}");
            let stretch = drawn(&[plain_pieces(text, &marks)]);
            assert_eq!(stretch.replace('\n', "/"), expected, "{text} {places:?}");
        };
        check("abc", &[], "abc");
        check("", &[], "");
        check("abcdef", &[(1, 3)], "a<bc>def");
        check("abc", &[(3, 3)], "abc<>");
        check("abc", &[(0, 0)], "<>abc");
        check("abc", &[(1, 1)], "a<>bc");
        check("", &[(0, 0)], "<>");
        check("abc", &[(2, 99)], "ab<c>");
        check("abc", &[(50, 99)], "abc<>");
        check("abc", &[(2, 1)], "ab<>c");
        check("aüb", &[(2, 3)], "a<ü>b");
        check("aüb", &[(1, 2)], "a<ü>b");
        check("abcdef", &[(0, 3), (2, 5)], "<abc><de>f");
        check("abcdef", &[(0, 6), (2, 3)], "ab<c>def");
        check("abc", &[(1, 2), (1, 2)], "a<b>c");
        check("{\n\"a\":[", &[(0, 1), (6, 7), (7, 7)], "<{>/\"a\":<[><>");
    }

    #[test]
    fn a_mark_over_everything_gives_way_to_a_narrower_one() {
        let text = "{ \"a\": [ ";
        let all = at(0, text.len());
        let titles = |conditions: &[Condition]| of_conditions(text, conditions).len();
        assert_eq!(titles(&[all.clone(), at(0, 1), at(7, 8)]), 2);
        assert_eq!(titles(&[all]), 1);
    }

    #[test]
    fn a_mark_over_several_lines_or_tokens_is_cut() {
        let marks = of_conditions("ab\ncd", &[at(1, 4)]);
        assert_eq!(drawn(&raw_lines("ab\ncd", &marks)), "a<b>/<c>d");
        let text = r#"[1,2]"#;
        let marks = of_conditions(text, &[at(0, 4)]);
        assert_eq!(drawn(&json_lines(text, &marks).unwrap()), "<[>/  <1><,>/  <2>/]");
    }

    #[test]
    fn indented_json() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                json_lines(text, &[]).as_deref().map(drawn).as_deref(),
                expected,
                "{text}"
            );
        };
        check(r#"{"b":1.0,"a":[]}"#, Some(r#"{/  "b": 1.0,/  "a": []/}"#));
        check("{}", Some("{}"));
        check("[[1]]", Some("[/  [/    1/  ]/]"));
        check("12", Some("12"));
        check(r#"{"a":"#, None);
        check("words", None);
        check("", None);
    }

    #[test]
    fn pointers_are_marked_too() {
        let mut condition = at(0, 0);
        condition.place = Some(Place::Pointer("/a/0".to_owned()));
        let text = r#"{"a":["x"]}"#;
        let marks = of_conditions(text, &[condition.clone()]);
        assert_eq!(drawn(&raw_lines(text, &marks)), r#"{"a":[<"x">]}"#);
        assert_eq!(of_conditions("words", &[condition]), []);
    }
}
