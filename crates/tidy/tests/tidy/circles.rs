//! Modules that know each other in a circle can't be read, tested or moved one at a time.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{File, Findings, files};

/// Edges between modules of one parent, each with a file where it comes from.
type Siblings = BTreeMap<(String, String), String>;

#[test]
fn modules_do_not_know_each_other_in_a_circle() {
    let mut findings =
        Findings::new("give what both need a module of its own, or let the one that knows more pass it down");
    let files = files();
    let crates = source_folders(&files);
    assert!(
        crates.iter().any(|folder| folder == "server/src") && crates.len() > 15,
        "{crates:?}"
    );
    for crate_folder in crates {
        let is_test = |file: &File| file.path.contains("/tests/") || file.path.ends_with("/tests.rs");
        let sources: Vec<&File> = files
            .iter()
            .filter(|file| file.is("rs") && file.is_below(&crate_folder) && !is_test(file))
            .collect();
        for (parent, edges) in edges(&crate_folder, &sources) {
            for ((from, to), place) in circles(&edges) {
                findings.add(place, format!("{parent}::{from} and {to} know each other"));
            }
        }
    }
}

/// `src` of every crate of ours.
fn source_folders(files: &[File]) -> Vec<String> {
    let manifests = files
        .iter()
        .filter_map(|file| file.path.strip_suffix("Cargo.toml"));
    manifests
        .map(|folder| format!("{folder}src"))
        .filter(|source| files.iter().any(|file| file.is_below(source)))
        .collect()
}

/// `app/src/pages/run.rs` is `["pages", "run"]`.
fn module(crate_folder: &str, path: &str) -> Vec<String> {
    let inner = path
        .trim_start_matches(crate_folder)
        .trim_start_matches('/')
        .trim_end_matches(".rs");
    match inner {
        "lib" | "main" => Vec::new(),
        _ => inner.split('/').map(str::to_owned).collect(),
    }
}

fn edges(crate_folder: &str, sources: &[&File]) -> BTreeMap<String, Siblings> {
    let modules: BTreeSet<Vec<String>> = sources
        .iter()
        .map(|file| module(crate_folder, &file.path))
        .collect();
    let mut found: BTreeMap<String, Siblings> = BTreeMap::new();
    for file in sources {
        let own = module(crate_folder, &file.path);
        for path in paths(&code(file)) {
            let other = resolved(&modules, &own, &path);
            let shared = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (own.get(shared), other.get(shared)) {
                let parent = [&["crate".to_owned()], &own[..shared]].concat().join("::");
                found
                    .entry(parent)
                    .or_default()
                    .insert((from.clone(), to.clone()), file.path.clone());
            }
        }
    }
    found
}

/// A file without its comments and without the tests at its end; other items that only tests see are part of it.
fn code(file: &File) -> String {
    let lines: Vec<&str> = file.text.lines().collect();
    let is_end = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod tests");
    let end = lines.windows(2).position(is_end).unwrap_or(lines.len());
    let code = lines[..end]
        .iter()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.copied().collect::<Vec<_>>().join("\n")
}

/// The module that a path leads into.
fn resolved(modules: &BTreeSet<Vec<String>>, own: &[String], path: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let (mut at, rest) = match ups {
        0 => (Vec::new(), &path[1..]),
        _ => (own[..own.len().saturating_sub(ups)].to_vec(), &path[ups..]),
    };
    for word in rest {
        at.push(word.clone());
        if !modules.contains(&at) {
            at.pop();
            break;
        }
    }
    at
}

/// Every path that begins with `crate` or `super`, those in braces one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_inner = at > 0 && tokens[at - 1] == "::";
        if (*token == "crate" || *token == "super") && !is_inner {
            collect(&tokens, at, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one path, or one of a group, and returns where it ends.
fn collect(tokens: &[&str], mut at: usize, begun: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let before = begun.len();
    while let Some(token) = tokens.get(at) {
        if *token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| *token != "}") {
                at = collect(tokens, at, begun, found);
                // Past the comma, or what stands behind an `as`.
                while tokens.get(at).is_some_and(|token| !["}", ","].contains(token)) {
                    at += 1;
                }
                at += usize::from(tokens.get(at) == Some(&","));
            }
            begun.truncate(before);
            return at + 1;
        }
        begun.push((*token).to_owned());
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.push(begun.clone());
    begun.truncate(before);
    at
}

/// Words, `::`, and every other character but space by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            _ if rest.starts_with("::") => 2,
            first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

/// The edges from whose end a way leads back to their beginning.
fn circles(edges: &Siblings) -> Siblings {
    let leads_back = |(from, to): &(String, String)| {
        let mut seen = BTreeSet::from([to]);
        let mut open = vec![to];
        while let Some(at) = open.pop() {
            let next = edges.keys().filter(|(a, _)| a == at).map(|(_, b)| b);
            open.extend(next.filter(|b| seen.insert(b)));
        }
        seen.contains(from)
    };
    edges
        .iter()
        .filter(|(edge, _)| leads_back(edge))
        .map(|(edge, place)| (edge.clone(), place.clone()))
        .collect()
}

#[test]
fn circles_are_recognised() {
    let file = |path: &str, text: &str| File {
        path: format!("x/src/{path}"),
        text: text.to_owned(),
    };
    let check = |sources: &[File], expected: &[&str]| {
        let found: Vec<String> = edges("x/src", &sources.iter().collect::<Vec<_>>())
            .iter()
            .flat_map(|(parent, edges)| {
                circles(edges)
                    .into_keys()
                    .map(move |(a, b)| format!("{parent}: {a} → {b}"))
            })
            .collect();
        assert_eq!(found, expected);
    };
    let ab = file("a.rs", "use crate::{b::{B, deep::C as D}, c};");
    let both = ["crate: a → b", "crate: b → a"];
    check(&[file("a.rs", "use crate::b::B;"), file("b.rs", "")], &[]);
    check(&[ab, file("b.rs", "fn f() { super::a::g(); }")], &both);
    // A child may know its parent, and a parent its child.
    check(
        &[file("a.rs", "mod b; use b::X;"), file("a/b.rs", "use super::Y;")],
        &[],
    );
    check(
        &[
            file("a.rs", "mod b;"),
            file("a/b.rs", "use crate::d::X;"),
            file("d.rs", "use crate::e;"),
            file("e.rs", "use crate::a::b;"),
        ],
        &["crate: a → d", "crate: d → e", "crate: e → a"],
    );
    check(
        &[
            file("a/b.rs", "use super::c::X;"),
            file("a/c.rs", "use super::b::{self};"),
        ],
        &["crate::a: b → c", "crate::a: c → b"],
    );
}
