//! Documents name everything that exists, so that they cannot fall behind.

use std::collections::BTreeSet;

use crate::repository::{File, Findings, files, read};

#[test]
fn the_guide_to_ingest_names_every_field() {
    let native = read("server/src/ingest/native.rs");
    let (_, list) = native.split_once("\nraw_step!(").unwrap();
    let (list, _) = list.split_once("\n);").unwrap();
    let fields: Vec<_> = list
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(fields.len() > 30, "the list of fields was not found: {fields:?}");
    must_name_each("server/src/ingest/native.rs", fields);
    let kinds = domain::StepKind::ALL.iter().map(|kind| kind.as_str());
    must_name_each("domain::StepKind", kinds);
}

#[test]
fn the_guide_to_ingest_names_every_error() {
    // `cross_site` and what else only forms can meet is not made in these.
    let makers = [
        "server/src/ingest.rs",
        "server/src/error.rs",
        "server/src/request_body.rs",
        "server/src/step_builder.rs",
    ];
    let sources = files();
    let answers = |file: &&File| {
        makers.contains(&file.path.as_str()) || (file.is_below("server/src/ingest") && file.is_product())
    };
    let mut codes = BTreeSet::new();
    for file in sources.iter().filter(answers) {
        for (at, _) in file.text.match_indices("reason: \"") {
            codes.extend(file.text[at..].split('"').nth(1));
        }
        // `StatusCode::NAME, "code"`, in whatever lines
        for behind in file.text.split("StatusCode::").skip(1) {
            let behind = behind.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
            let code = behind
                .strip_prefix(',')
                .and_then(|behind| behind.trim_start().strip_prefix('"'));
            codes.extend(code.and_then(|code| code.split('"').next()));
        }
    }
    // What only readers and forms are answered.
    for elsewhere in ["conflict", "not_found", "timeout"] {
        assert!(
            codes.remove(elsewhere),
            "{elsewhere} exists no longer; remove it here"
        );
    }
    assert!(codes.len() >= 9, "the codes were not found: {codes:?}");
    must_name_each("server/src/ingest", codes);
}

/// Fails unless docs/ingest.md says each of `words` as `code`.
fn must_name_each<'a>(source: &str, words: impl IntoIterator<Item = &'a str>) {
    let guide = read("docs/ingest.md");
    let mut findings =
        Findings::new("describe it in docs/ingest.md: what it means, its type and its default");
    for word in words {
        if !guide.contains(&format!("`{word}`")) {
            findings.add(source, format!("docs/ingest.md says nothing of `{word}`"));
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let all = files();
    let mut findings = Findings::new("correct the link, or write the document");
    for file in all.iter().filter(|file| file.is("md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..]
                .split([')', '#', ' '])
                .next()
                .unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !crate::repository::root().join(folder).join(target).exists() {
                findings.add(&file.path, format!("{target} does not exist"));
            }
        }
    }
}

/// A newcomer looks for what the map names. A row may begin with a whole path and go on with what lies beside it.
#[test]
fn files_that_documents_name_are_there() {
    const DOCUMENTS: [&str; 4] = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/security-answers.md",
    ];
    let all = files();
    let mut findings = Findings::new("name the file where it is now, by enough of its path");
    let mut named = 0;
    let documents = all
        .iter()
        .filter(|file| DOCUMENTS.contains(&file.path.as_str()) || file.is_below("docs/adr"));
    for document in documents {
        for (line, text) in document.lines() {
            for path in text.split('`').skip(1).step_by(2).filter_map(path_of) {
                named += 1;
                // As the end of a file's path, or as a folder in it.
                let part = format!("/{}", path.trim_end_matches('/'));
                let is_there = |file: &File| {
                    let whole = format!("/{}", file.path);
                    whole.ends_with(&part) || whole.contains(&format!("{part}/"))
                };
                if !all.iter().any(is_there) {
                    findings.add(format!("{}:{line}", document.path), format!("there is no {path}"));
                }
            }
        }
    }
    assert!(named > 500, "{named} paths were found");
}

/// What of a word in backticks is the path of a file or a folder; `ingest.rs::ingest_one` names a function in a file.
/// Patterns such as `<noun>.rs` or `name.rs` are none, nor are routes or what is made by a build.
fn path_of(word: &str) -> Option<&str> {
    const FOLDERS: [&str; 12] = [
        "app",
        "bench",
        "crates",
        "data",
        "docs",
        "end2end",
        "packaging",
        "public",
        "scripts",
        "sdk",
        "server",
        "style",
    ];
    const KINDS: [&str; 12] = [
        "rs", "md", "ts", "py", "sql", "json", "toml", "tsv", "css", "yaml", "html", "sh",
    ];
    const MADE: [&str; 4] = ["name", "target", "artifacts", "node_modules"];
    let path = word.split("::").next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_.-@".contains(c);
    let is_made_up = |part: &str| MADE.contains(&part) || part.starts_with("name.");
    if path.is_empty() || path.starts_with(['/', '.']) || !path.chars().all(is_plain) {
        return None;
    }
    if path.split('/').any(is_made_up) {
        return None;
    }
    let is_file = path
        .rsplit_once('.')
        .is_some_and(|(stem, kind)| !stem.is_empty() && KINDS.contains(&kind));
    let is_below_the_root = path
        .split_once('/')
        .is_some_and(|(folder, _)| FOLDERS.contains(&folder));
    (is_file || is_below_the_root || path.ends_with('/')).then_some(path)
}

#[test]
fn paths_are_recognised() {
    let check = |word: &str, expected: Option<&str>| {
        assert_eq!(path_of(word), expected, "{word}");
    };
    check("server/src/router.rs", Some("server/src/router.rs"));
    check("ingest.rs::ingest_one", Some("ingest.rs"));
    check(
        "crates/engine/src/redaction/find/",
        Some("crates/engine/src/redaction/find/"),
    );
    check("data/advisories.tsv", Some("data/advisories.tsv"));
    check("scripts/package", Some("scripts/package"));
    check("text/event-stream", None);
    check("server/src/api/<noun>.rs", None);
    check("name.hydrate.spec.ts", None);
    check("target/site", None);
    check("/api/openapi.json", None);
    check("RunStatus::of", None);
    check("domain, engine ← otlp", None);
}

/// Whoever is awake searches a runbook for what they see.
#[test]
fn runbooks_quote_what_the_product_says() {
    let all = files();
    let mut sources = String::new();
    for file in all.iter().filter(|file| file.is_product()) {
        // A text goes on in the next line behind a `\`.
        let mut parts = file.text.split("\\\n");
        sources.push_str(parts.next().unwrap_or_default());
        for part in parts {
            sources.push_str(part.trim_start());
        }
    }
    let mut findings = Findings::new("quote the message as it is now");
    let mut quoted = 0;
    for file in all.iter().filter(|file| file.is_below("docs/runbooks")) {
        let (_, said) = file.text.split_once("## What is said").unwrap_or_default();
        for line in said.lines().filter(|line| line.starts_with("| `")) {
            let cell = line
                .trim_start_matches("| ")
                .split(" | ")
                .next()
                .unwrap_or_default();
            let message = cell
                .strip_prefix("`` ")
                .and_then(|cell| cell.strip_suffix(" ``"))
                .unwrap_or_else(|| cell.trim_matches('`'));
            quoted += 1;
            for part in message.split('…').map(str::trim).filter(|part| part.len() >= 6) {
                if !sources.contains(part) {
                    findings.add(&file.path, format!("nothing says `{part}`"));
                }
            }
        }
    }
    assert!(quoted > 30, "{quoted} messages were found");
}

#[test]
fn every_page_of_the_guide_is_in_its_table_of_contents() {
    let contents = read("docs/SUMMARY.md");
    let mut findings = Findings::new("add a line to docs/SUMMARY.md");
    for file in files()
        .iter()
        .filter(|file| file.is_below("docs") && file.is("md"))
    {
        let page = file.path.trim_start_matches("docs/");
        let is_part = page != "SUMMARY.md" && !page.starts_with("snippets/") && !page.starts_with("images/");
        if is_part && !contents.contains(&format!("]({page})")) {
            findings.add(&file.path, "it is not in the table of contents");
        }
    }
}

#[test]
fn the_guide_to_scoring_has_every_code_as_the_engine_has_it() {
    let guide = read("docs/scoring.md");
    let written = guide
        .split_once("<!-- codes -->")
        .and_then(|(_, rest)| rest.split_once("<!-- /codes -->"))
        .map_or("", |(table, _)| table.trim());
    assert_eq!(
        written,
        engine::codes::markdown_table().trim(),
        "\n→ cargo run -p engine --example codes_table\n"
    );
}

#[test]
fn decisions_are_numbered_and_dated() {
    let mut findings = Findings::new(
        "name it NNNN-what-was-decided.md, give it the lines `Status:` and `Date:` and the headings of the others",
    );
    let all = files();
    let decisions: Vec<_> = all.iter().filter(|file| file.is_below("docs/adr")).collect();
    for (index, file) in decisions.iter().enumerate() {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if !name.starts_with(&format!("{:04}-", index + 1)) {
            findings.add(&file.path, format!("the next number is {:04}", index + 1));
        }
        for part in [
            "\nStatus: ",
            "\nDate: 20",
            "\n## Context",
            "\n## Decision",
            "\n## Consequences",
        ] {
            if !file.text.contains(part) {
                findings.add(&file.path, format!("`{}` is missing", part.trim()));
            }
        }
    }
}
