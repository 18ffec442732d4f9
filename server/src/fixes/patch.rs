//! What a model proposes, held to the files as they are: each edit replaces words that stand in its file exactly once.

use domain::fix::{FixDraft, FixedFile};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::github::contents::TextFile;
use crate::models::Tool;

/// By which a model answers.
pub(super) const PROPOSE: &str = "propose_fix";
/// Edits of one fix.
const MAX_EDITS: usize = 20;
/// The largest file after a fix, in bytes.
const MAX_AFTER_BYTES: usize = 100_000;
const MAX_TITLE_CHARS: usize = 100;
const MAX_EXPLANATION_CHARS: usize = 4_000;

/// The tool that a fix is proposed by.
pub(super) fn tool() -> Tool {
    Tool {
        name: PROPOSE.to_owned(),
        description:
            "Proposes the smallest change to the files that were shown; no edits where none of them helps."
                .to_owned(),
        parameters: json!({
            "type": "object", "additionalProperties": false, "required": ["title", "explanation", "edits"],
            "properties": {
                "title": { "type": "string", "description": "What the change does, in one line of at most 100 characters" },
                "explanation": { "type": "string", "description": "Why this ends the incident, and what it does not do, in plain sentences" },
                "edits": { "type": "array", "maxItems": MAX_EDITS, "items": {
                    "type": "object", "additionalProperties": false, "required": ["path", "find", "replace"],
                    "properties": {
                        "path": { "type": "string", "description": "A file that was shown" },
                        "find": { "type": "string", "description": "Words that stand in it exactly once, letter by letter" },
                        "replace": { "type": "string", "description": "What is to stand there instead" },
                    },
                } },
            },
        }),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Proposed {
    title: String,
    explanation: String,
    edits: Vec<Edit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Edit {
    path: String,
    find: String,
    replace: String,
}

/// The fix that a model proposes for these files, or why it is none, in words for people.
pub(super) fn draft(files: &[TextFile], proposed: &Value) -> Result<FixDraft, String> {
    let proposed = Proposed::deserialize(proposed)
        .map_err(|_other_shape| "The model proposed something that is no change; ask again".to_owned())?;
    let mut fixed: Vec<FixedFile> = files
        .iter()
        .map(|file| FixedFile {
            path: file.path.clone(),
            blob_sha: file.blob_sha.clone(),
            before: file.text.clone(),
            after: file.text.clone(),
        })
        .collect();
    for edit in proposed.edits.iter().take(MAX_EDITS) {
        let shown = domain::text::first_line(&edit.path, 120);
        let file = fixed
            .iter_mut()
            .find(|file| file.path == edit.path)
            .ok_or_else(|| format!("The model wants to change {shown}, which it was not shown; ask again"))?;
        if edit.find.is_empty() || file.after.matches(&edit.find).count() != 1 {
            return Err(format!(
                "The model’s change does not fit {shown}: what it replaces does not stand there once; ask again"
            ));
        }
        file.after = file.after.replacen(&edit.find, &edit.replace, 1);
        let hides = edit
            .replace
            .chars()
            .any(|c| is_unseen(c) && !edit.find.contains(c));
        if file.after.len() > MAX_AFTER_BYTES || hides {
            return Err(format!(
                "The model makes of {shown} what is no text, or too large; ask again"
            ));
        }
    }
    fixed.retain(|file| file.before != file.after);
    let words = |text: &str, chars: usize| -> String {
        let text = text.replace('\0', "\u{fffd}");
        text.trim().chars().take(chars).collect()
    };
    let explanation = words(&proposed.explanation, MAX_EXPLANATION_CHARS);
    if fixed.is_empty() {
        let why = domain::text::first_line(&explanation, 300);
        return Err(format!("The model proposes no change. It says: {why}"));
    }
    let title = domain::text::first_line(&words(&proposed.title, MAX_EXPLANATION_CHARS), MAX_TITLE_CHARS);
    Ok(FixDraft {
        title: if title.is_empty() {
            "Fix for an incident".to_owned()
        } else {
            title
        },
        explanation,
        files: fixed,
    })
}

/// Whether a page does not show the character, or shows others elsewhere because of it: whoever looks at the change would
/// not see what it is.
fn is_unseen(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    );
    is_format || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<TextFile> {
        ["a.json", "b.json"]
            .map(|path| TextFile {
                path: path.to_owned(),
                blob_sha: format!("sha of {path}"),
                text: "one two two three".to_owned(),
            })
            .into()
    }

    fn edits(edits: &[(&str, &str, &str)]) -> Value {
        let edits: Vec<Value> = edits
            .iter()
            .map(|(path, find, replace)| json!({ "path": path, "find": find, "replace": replace }))
            .collect();
        json!({ "title": "t\nu", "explanation": "because", "edits": edits })
    }

    #[test]
    fn edits_are_made_where_they_fit() {
        let fix = draft(
            &files(),
            &edits(&[("b.json", "one", "1"), ("b.json", "1 two two", "12")]),
        )
        .unwrap();
        assert_eq!(fix.files.len(), 1);
        let file = &fix.files[0];
        assert_eq!(
            (file.path.as_str(), file.before.as_str(), file.after.as_str()),
            ("b.json", "one two two three", "12 three")
        );
        assert!(!fix.title.contains('\n'), "{}", fix.title);
    }

    #[test]
    fn what_does_not_fit_is_no_fix() {
        let check = |wrong: &[(&str, &str, &str)], words: &str| {
            let refused = draft(&files(), &edits(wrong)).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        };
        check(&[], "no change. It says: because");
        check(&[("a.json", "one", "one")], "no change");
        check(&[("a.json", "two", "2")], "does not stand there once");
        check(&[("a.json", "", "x")], "does not stand there once");
        check(&[("a.json", "four", "4")], "does not stand there once");
        check(&[("../secrets", "one", "1")], "was not shown");
        check(&[("a.json", "one", "\u{0}")], "no text");
        // Shown in another order than it runs in.
        check(&[("a.json", "one", "a \u{202e}b\u{2066}c")], "no text");
        check(&[("a.json", "one", "o\u{200b}ne")], "no text");
        assert!(draft(&files(), &json!("x")).is_err());
    }
}
