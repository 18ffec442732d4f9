//! The script that loads the WASM: the modules it fetches later get their hashed names.

use std::collections::BTreeMap;

use crate::Error;

/// How the script names a file that lies beside it.
const BESIDE: &str = "new URL(\"./";

/// Writes the hashed name into every `new URL("./…", import.meta.url)`. `folder` is where the script lies.
pub(crate) fn rewrite_urls(
    script: &str,
    folder: &str,
    hashed: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let mut rewritten = String::with_capacity(script.len());
    let mut rest = script;
    while let Some((before, after)) = rest.split_once(BESIDE) {
        let Some((name, tail)) = after.split_once('"') else {
            break;
        };
        let path = format!("{folder}/{name}");
        let target = hashed
            .get(&path)
            .and_then(|target| target.strip_prefix(folder))
            .ok_or(Error::UnknownUrl(path))?;
        rewritten.push_str(&format!("{before}new URL(\".{target}\""));
        rest = tail;
    }
    rewritten.push_str(rest);
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_get_hashed_names() {
        let hashed = BTreeMap::from([("/pkg/run.wasm".to_owned(), "/pkg/run.0123.wasm".to_owned())]);
        let check = |script: &str, expected: Option<&str>| {
            let found = rewrite_urls(script, "/pkg", &hashed);
            assert_eq!(found.ok().as_deref(), expected, "{script}");
        };
        check("fetch(url)", Some("fetch(url)"));
        check(
            "a(new URL(\"./run.wasm\", import.meta.url)); b(new URL(\"./run.wasm\", import.meta.url))",
            Some(
                "a(new URL(\"./run.0123.wasm\", import.meta.url)); b(new URL(\"./run.0123.wasm\", import.meta.url))",
            ),
        );
        check("new URL(\"./absent.wasm\", import.meta.url)", None);
    }
}
