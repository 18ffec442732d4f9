//! What of a text is somebody else's: quotations, code, quoted lines.

/// The same bytes with a space in place of each that stands in a quotation, in code or in a quoted line, so that places
/// in it are places in the text. A quotation that is not closed reaches to the end of its paragraph.
pub(crate) fn without(text: &str) -> Vec<u8> {
    let mut own = text.as_bytes().to_vec();
    let mut at = 0;
    let mut in_fence = false;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if is_fence || in_fence || trimmed.starts_with('>') {
            own[at..end].fill(b' ');
        }
        in_fence ^= is_fence;
        at = end;
    }
    let mut open: Option<(char, usize)> = None;
    let mut before = ' ';
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let after = characters.peek().map_or(' ', |(_, next)| *next);
        match open {
            Some((close, from)) if character == close && !is_inside_word(close, before, after) => {
                own[from..at].fill(b' ');
                open = None;
            }
            Some((_, from)) if character == '\n' && after == '\n' => {
                own[from..at].fill(b' ');
                open = None;
            }
            Some(_) => {}
            None => {
                // Behind a letter it is an apostrophe.
                let close = closing(character).filter(|_| character != '\'' || !before.is_alphanumeric());
                open = close.map(|close| (close, at + character.len_utf8()));
            }
        }
        before = character;
    }
    if let Some((_, from)) = open {
        own[from..].fill(b' ');
    }
    own
}

fn closing(open: char) -> Option<char> {
    Some(match open {
        '"' => '"',
        '“' => '”',
        '„' => '“',
        '«' => '»',
        '‹' => '›',
        '「' => '」',
        '『' => '』',
        '`' => '`',
        '\'' => '\'',
        '‘' => '’',
        _ => return None,
    })
}

/// Whether a mark is an apostrophe: it has letters around it.
fn is_inside_word(mark: char, before: char, after: char) -> bool {
    matches!(mark, '\'' | '’') && before.is_alphanumeric() && after.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_what_is_the_text_s_own() {
        let check = |text: &str, expected: &str| {
            let own = String::from_utf8_lossy(&without(text))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            assert_eq!(own, expected, "{text:?}");
        };
        check("I can't say.", "I can't say.");
        check(
            "He said \"I cannot help with that\" and left.",
            "He said \" \" and left.",
        );
        check("> I cannot help\nBut I can.", "But I can.");
        check("```\nI cannot help\n```\nDone", "Done");
        check("Use `I cannot help` here", "Use ` ` here");
        check("He wrote “I cannot help", "He wrote “");
        check("「できません」 と言う", "「 」 と言う");
    }
}
