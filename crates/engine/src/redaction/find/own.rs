//! What an own pattern matches. One search takes time linear in what it looks through, but it may look far beyond the match
//! that it ends with, and the next one again. So a search looks through a window of the text, and there are so many
//! searches at most; then all of the text is hidden.

use regex::Regex;

use crate::redaction::{MAX_VALUES, MIN_OWN_BYTES};

/// What a search looks through. A value of up to half of it is found wherever it stands.
const WINDOW_BYTES: usize = 16 * 1024;
/// The same for a match that goes on to the window's end.
const MAX_WINDOW_BYTES: usize = 256 * 1024;

pub(in crate::redaction) fn find(pattern: &Regex, text: &str, push: &mut impl FnMut(usize, usize)) {
    let (mut at, mut window, mut searches) = (0, WINDOW_BYTES, 0);
    while at < text.len() {
        searches += 1;
        if searches > MAX_VALUES {
            push(0, text.len());
            return;
        }
        let end = text.floor_char_boundary((at + window).min(text.len()));
        let is_last = end == text.len();
        let found = text
            .get(..end)
            .and_then(|looked_through| pattern.find_at(looked_through, at));
        match found {
            Some(value) if value.end() == end && !is_last && window < MAX_WINDOW_BYTES => {
                window *= 2;
                continue;
            }
            Some(value) if value.end() > value.start() => {
                if value.len() >= MIN_OWN_BYTES {
                    push(value.start(), value.end());
                }
                at = value.end();
            }
            Some(empty) => at = text.ceil_char_boundary((empty.end() + 1).min(text.len())),
            None if is_last => return,
            None => at = text.floor_char_boundary(at + window / 2),
        }
        window = WINDOW_BYTES;
    }
}
