//! The style sheets: joined in the order `main.css` imports them, with the site's hashed names in every `url(…)`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Error, io};

/// Replaces each line `@import "other.css";` of the sheet by that file's text; other lines stay.
pub(crate) fn inline_imports(main: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(main).map_err(|source| io(main, source))?;
    let mut joined = String::new();
    for line in text.lines() {
        match line
            .trim()
            .strip_prefix("@import \"")
            .and_then(|rest| rest.strip_suffix("\";"))
        {
            Some(name) => {
                let path = main.with_file_name(name);
                joined.push_str(&fs::read_to_string(&path).map_err(|source| io(&path, source))?);
            }
            None => joined.push_str(line),
        }
        joined.push('\n');
    }
    Ok(joined)
}

/// Writes the hashed name into every `url(/…)`. Relative names, fragments and `data:` stay as they are.
pub(crate) fn rewrite_urls(sheet: &str, hashed: &BTreeMap<String, String>) -> Result<String, Error> {
    let mut rewritten = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some((before, after)) = rest.split_once("url(") {
        let Some((argument, tail)) = after.split_once(')') else {
            break;
        };
        let url = argument.trim().trim_matches(['"', '\'']);
        rewritten.push_str(before);
        if url.starts_with('/') {
            let target = hashed.get(url).ok_or_else(|| Error::UnknownUrl(url.to_owned()))?;
            rewritten.push_str(&format!("url(\"{target}\")"));
        } else {
            rewritten.push_str(&format!("url({argument})"));
        }
        rest = tail;
    }
    rewritten.push_str(rest);
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_get_hashed_names() {
        let hashed = BTreeMap::from([(
            "/fonts/inter.woff2".to_owned(),
            "/fonts/inter.0123.woff2".to_owned(),
        )]);
        let check = |sheet: &str, expected: Option<&str>| {
            assert_eq!(rewrite_urls(sheet, &hashed).ok().as_deref(), expected, "{sheet}");
        };
        check("a { color: red }", Some("a { color: red }"));
        check(
            "src: url(/fonts/inter.woff2);",
            Some("src: url(\"/fonts/inter.0123.woff2\");"),
        );
        check(
            "src: url('/fonts/inter.woff2') x",
            Some("src: url(\"/fonts/inter.0123.woff2\") x"),
        );
        check(
            "src: url( \"/fonts/inter.woff2\" )",
            Some("src: url(\"/fonts/inter.0123.woff2\")"),
        );
        check(
            "url(#clip) url(data:image/png;base64,AA==)",
            Some("url(#clip) url(data:image/png;base64,AA==)"),
        );
        check("url(/absent.png)", None);
        check("url(/unterminated", Some("url(/unterminated"));
    }
}
