//! Where the members of a JSON object stand in its text. Skips over values without judging them, and without
//! recursion: a body may be nested as deeply as it likes.

use std::ops::Range;

/// One member: its key without the quotes, as written, and its value.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The members of an object, and where it ends.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) members: Vec<Member>,
    pub(super) end: usize,
}

/// The object that begins at `start`; `None` when none does, or when it never ends.
pub(super) fn members(text: &[u8], start: usize) -> Option<Object> {
    let mut members = Vec::new();
    if *text.get(start)? != b'{' {
        return None;
    }
    let mut at = space(text, start + 1);
    if *text.get(at)? == b'}' {
        return Some(Object { members, end: at + 1 });
    }
    loop {
        let key_end = string(text, at)?;
        let key = at + 1..key_end - 1;
        at = space(text, key_end);
        if *text.get(at)? != b':' {
            return None;
        }
        at = space(text, at + 1);
        let end = value(text, at)?;
        members.push(Member { key, value: at..end });
        at = space(text, end);
        match *text.get(at)? {
            b',' => at = space(text, at + 1),
            b'}' => return Some(Object { members, end: at + 1 }),
            _ => return None,
        }
    }
}

fn space(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Behind the string that begins at `at`.
fn string(text: &[u8], at: usize) -> Option<usize> {
    if *text.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Behind the value that begins at `at`.
fn value(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string(text, at),
        b'{' | b'[' => nested(text, at),
        _ => {
            let length = text[at..]
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace())?;
            (length > 0).then_some(at + length)
        }
    }
}

fn nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match *text.get(at)? {
            b'"' => {
                at = string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}
