//! Cuts the application's WASM where `#[wasm_split]` says, and makes one script of the two that belong to it.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use wasm_split_cli_support::{Options, transform};

/// The script that loads the modules, as the splitter calls it. It ends up inside `plumbline.js`.
const LOADER: &str = "__wasm_split.js";

/// Whether there is anything to cut: leptos marks what it is linked into.
pub(crate) fn are_marked(wasm: &[u8]) -> bool {
    let mark = b"__wasm_split_unstable";
    wasm.windows(mark.len()).any(|bytes| bytes == mark)
}

/// Writes every module but the first into `folder`, with the script that loads them. Returns the first.
pub(crate) fn cut(wasm: &[u8], folder: &Path) -> anyhow::Result<Vec<u8>> {
    fs::create_dir_all(folder)?;
    let first = folder.join("first.wasm");
    let link_name = format!("./{LOADER}");
    let mut options = Options::new(wasm);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.link_name = &link_name;
    options.main_module = "./plumbline.js";
    transform(options).map_err(|report| anyhow::anyhow!("{report:?}"))?;
    let bytes = fs::read(&first)?;
    fs::remove_file(first)?;
    Ok(bytes)
}

/// Makes the loader a part of `plumbline.js`. They import each other, so their names could not both carry a hash;
/// and one file is one request fewer.
pub(crate) fn join_scripts(folder: &Path) -> anyhow::Result<()> {
    let (main, loader) = (folder.join("plumbline.js"), folder.join(LOADER));
    let script = fs::read_to_string(&main)?;
    fs::write(&main, joined(&script, &fs::read_to_string(&loader)?)?)?;
    fs::remove_file(loader)?;
    Ok(())
}

fn joined(script: &str, loader: &str) -> anyhow::Result<String> {
    // One import for each module, all of the same file.
    let mut imported_as = Vec::new();
    let mut rest = String::new();
    for line in script.lines() {
        match line
            .strip_prefix("import * as ")
            .and_then(|line| line.split_once(" from "))
        {
            Some((name, file)) if file.contains(LOADER) => imported_as.push(name),
            _ => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    ensure!(!imported_as.is_empty(), "plumbline.js does not import the loader");

    let mut functions = Vec::new();
    let mut body = String::new();
    for line in loader.lines() {
        if line.starts_with("import {") {
            // What it imports is now in the same file.
            continue;
        }
        let line = match line.strip_prefix("export const ") {
            Some(definition) => {
                functions.extend(definition.split_once(' ').map(|(name, _)| name));
                format!("const {definition}")
            }
            None => line.to_owned(),
        };
        body.push_str(&line);
        body.push('\n');
    }
    ensure!(!functions.is_empty(), "the loader loads nothing");
    let functions = format!("{{ {} }}", functions.join(", "));
    for name in imported_as {
        body.push_str(&format!("const {name} = {functions};\n"));
    }
    Ok(format!("{rest}\n{body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_script_loads_all() {
        let script = "import * as import1 from \"./__wasm_split.js\"\nimport * as import2 from \"./__wasm_split.js\"\n\
                      function initSync() {}\nuse(import1, import2);\n";
        let loader = "import { initSync } from \"./plumbline.js\";\n\nfunction load() {}\n\
                      export const load_run = load();\nexport const load_prompts = load();\n";
        let expected = "function initSync() {}\nuse(import1, import2);\n\n\nfunction load() {}\n\
                        const load_run = load();\nconst load_prompts = load();\n\
                        const import1 = { load_run, load_prompts };\nconst import2 = { load_run, load_prompts };\n";
        assert_eq!(joined(script, loader).ok().as_deref(), Some(expected));
        assert!(joined("function initSync() {}", loader).is_err());
        assert!(joined(script, "function load() {}").is_err());
    }
}
