//! The text of a migration as statements, and a statement as words.

/// The statements of a script, without comments and without the `;` between them.
pub(super) fn statements(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut rest = script;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '-' if rest.starts_with("--") => {
                rest = rest
                    .find('\n')
                    .map_or("", |end| rest.get(end..).unwrap_or_default());
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/").map_or("", |(_comment, behind)| behind);
                continue;
            }
            ';' => {
                finish(&mut statement, &mut found);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            '\'' | '"' => quoted(rest, next),
            '$' => dollar_quoted(rest),
            other => other.len_utf8(),
        };
        let (taken, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        statement.push_str(taken);
        rest = behind;
    }
    finish(&mut statement, &mut found);
    found
}

fn finish(statement: &mut String, found: &mut Vec<String>) {
    let text = statement.trim();
    if !text.is_empty() {
        found.push(text.to_owned());
    }
    statement.clear();
}

/// Bytes of what `text` begins with, up to the next `quote`. A doubled one ends and begins again, which comes to the same.
fn quoted(text: &str, quote: char) -> usize {
    let inside = text.get(1..).unwrap_or_default();
    inside.find(quote).map_or(text.len(), |end| end + 2)
}

/// Bytes of a `$$…$$` or `$tag$…$tag$`; of the `$` alone where it begins none, as `$1` does not.
fn dollar_quoted(text: &str) -> usize {
    let tag_end = text.get(1..).and_then(|inside| inside.find('$'));
    let Some(tag) = tag_end.and_then(|end| text.get(..end + 2)) else {
        return 1;
    };
    let is_tag = tag
        .trim_matches('$')
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_tag || tag.chars().nth(1).is_some_and(|first| first.is_ascii_digit()) {
        return 1;
    }
    let inside = text.get(tag.len()..).unwrap_or_default();
    inside
        .find(tag)
        .map_or(text.len(), |end| tag.len() + end + tag.len())
}

/// The words of a statement in lower case; each of `(`, `)` and `,` is a word, and so is a text.
pub(super) fn words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = statement;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\'' => quoted(rest, next),
            '$' => dollar_quoted(rest),
            other => other.len_utf8(),
        };
        let (taken, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = behind;
        match next {
            '(' | ')' | ',' => {
                end_word(&mut word, &mut words);
                words.push(taken.to_owned());
            }
            space if space.is_whitespace() => end_word(&mut word, &mut words),
            _ => word.push_str(taken),
        }
    }
    end_word(&mut word, &mut words);
    words
}

fn end_word(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(word.to_lowercase().replace('"', ""));
        word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_postgres_ends_them() {
        let check = |script: &str, expected: &[&str]| assert_eq!(statements(script), expected, "{script}");
        check("select 1; select 2", &["select 1", "select 2"]);
        check("-- a; b\nselect 1;\n", &["select 1"]);
        check("/* a; b */ select 1", &["select 1"]);
        check("select ';', 'it''s; so'", &["select ';', 'it''s; so'"]);
        check("select \"a;b\"", &["select \"a;b\""]);
        check(
            "do $$ begin; end $$; select 2",
            &["do $$ begin; end $$", "select 2"],
        );
        check(
            "do $body$ $$; $$ $body$; select 2",
            &["do $body$ $$; $$ $body$", "select 2"],
        );
        check("select $1; select $2", &["select $1", "select $2"]);
        check("", &[]);
        check("select 'open; select", &["select 'open; select"]);
        check("select 'Größe;'; select 'ß'", &["select 'Größe;'", "select 'ß'"]);
    }

    #[test]
    fn words_are_lower_case_and_texts_stay_whole() {
        assert_eq!(
            words("Create table \"A\" (b text default 'x (y, z)')"),
            [
                "create",
                "table",
                "a",
                "(",
                "b",
                "text",
                "default",
                "'x (y, z)'",
                ")"
            ]
        );
    }
}
