//! The command that sends the first step, in three languages, ready to paste.

/// A way to send the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Curl,
    TypeScript,
    Python,
}

impl Way {
    /// All of them, in the order of the tabs.
    pub(super) const ALL: [Self; 3] = [Self::Curl, Self::TypeScript, Self::Python];

    /// The word in the URL.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::TypeScript => "typescript",
            Self::Python => "python",
        }
    }

    /// The word on the tab.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::TypeScript => "TypeScript",
            Self::Python => "Python",
        }
    }

    /// Reads the URL's word.
    pub(super) fn parse(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|way| way.as_str() == word)
            .unwrap_or(Self::Curl)
    }
}

/// The run that the step belongs to.
pub(super) const RUN_ID: &str = "hello-1";

/// What stands in place of a key that can't be shown.
pub(super) const KEY_PLACEHOLDER: &str = "YOUR_KEY";

/// The step: it answers a yes or no question with prose, so there is something to find.
pub(super) const STEP: &str = r#"{
    "run_id": "hello-1",
    "step_name": "classify-intent",
    "model": "claude-haiku-4-5",
    "prompt": "Answer yes or no: is this a refund request?",
    "output_code": "Probably, but it depends on the order.",
    "input_tokens": 48, "output_tokens": 11, "latency_ms": 640
  }"#;

pub(super) fn command(way: Way, origin: &str, key: &str) -> String {
    match way {
        Way::Curl => format!(
            "curl {origin}/ingest \\\n  -H \"Authorization: Bearer {key}\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{STEP}'"
        ),
        Way::TypeScript => format!(
            "const answer = await fetch(\"{origin}/ingest\", {{\n  method: \"POST\",\n  headers: {{\n    \"Authorization\": \"Bearer {key}\",\n    \"Content-Type\": \"application/json\",\n  }},\n  body: JSON.stringify({STEP}),\n}});\nconsole.log(answer.status, await answer.text());"
        ),
        Way::Python => format!(
            "import json, urllib.request\n\nrequest = urllib.request.Request(\n  \"{origin}/ingest\",\n  headers={{\n    \"Authorization\": \"Bearer {key}\",\n    \"Content-Type\": \"application/json\",\n  }},\n  data=json.dumps({STEP}).encode(),\n)\nprint(urllib.request.urlopen(request).read().decode())"
        ),
    }
}

/// Words that are coloured as keywords.
const KEYWORDS: [&str; 12] = [
    "curl", "await", "const", "import", "from", "for", "in", "with", "as", "use", "let", "fn",
];

/// The command cut into segments with the class that colours each (`tk-k` keyword, `tk-s` text, `tk-c` a line that is a
/// comment), `""` for the rest.
/// Joined, they are the command again.
pub(crate) fn coloured(command: &str) -> Vec<(&'static str, String)> {
    let mut segments: Vec<(&'static str, String)> = Vec::new();
    let mut rest = command;
    while let Some(first) = rest.chars().next() {
        let at_line = segments.last().is_none_or(|(_, text)| text.ends_with('\n'));
        let (class, length) = if at_line && (rest.starts_with("# ") || rest.starts_with("// ")) {
            ("tk-c", rest.find('\n').unwrap_or(rest.len()))
        } else if first == '"' || first == '\'' {
            let inside = &rest[first.len_utf8()..];
            let length = inside
                .find(first)
                .map_or(rest.len(), |end| end + 2 * first.len_utf8());
            ("tk-s", length)
        } else if first.is_alphanumeric() {
            let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            let class = if KEYWORDS.contains(&&rest[..length]) {
                "tk-k"
            } else {
                ""
            };
            (class, length)
        } else {
            ("", first.len_utf8())
        };
        match segments.last_mut() {
            Some((last, so_far)) if *last == class => so_far.push_str(&rest[..length]),
            _ => segments.push((class, rest[..length].to_owned())),
        }
        rest = &rest[length..];
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_json_of_that_run() {
        let step: serde_json::Value = serde_json::from_str(STEP).unwrap();
        assert_eq!(step["run_id"], RUN_ID);
    }

    #[test]
    fn commands_hold_key_address_and_step() {
        for way in Way::ALL {
            let text = command(way, "http://127.0.0.1:3000", "pl_live_x");
            for part in ["http://127.0.0.1:3000/ingest", "Bearer pl_live_x", STEP] {
                assert!(text.contains(part), "{way:?} lacks {part}");
            }
            assert_eq!(Way::parse(way.as_str()), way);
        }
        assert_eq!(Way::parse("cobol"), Way::Curl);
    }

    #[test]
    fn colours_change_no_character() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let segments = coloured(text);
            let segments: Vec<(&str, &str)> = segments
                .iter()
                .map(|(class, text)| (*class, text.as_str()))
                .collect();
            assert_eq!(segments, expected);
        };
        check("curl x", &[("tk-k", "curl"), ("", " x")]);
        check(
            "-d '{\"a\": 1}' é",
            &[("", "-d "), ("tk-s", "'{\"a\": 1}'"), ("", " é")],
        );
        check("# it's\nx", &[("tk-c", "# it's"), ("", "\nx")]);
        check("a # b", &[("", "a # b")]);
        check("\"open", &[("tk-s", "\"open")]);
        check("", &[]);
        for way in Way::ALL {
            let text = command(way, "http://h", "k");
            let joined: String = coloured(&text).into_iter().map(|(_, segment)| segment).collect();
            assert_eq!(joined, text);
        }
    }
}
