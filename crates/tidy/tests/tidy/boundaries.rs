//! Who may know of what: the environment, the clock, SQL, the pages, and which crate which other.

use toml::{Table, Value};

use crate::repository::{File, Findings, files, read};

/// Fails where product code outside `allowed` says one of `words`.
fn only_in(allowed: &[&str], words: &[&str], advice: &'static str) {
    let mut findings = Findings::new(advice);
    let is_allowed = |file: &File| {
        allowed
            .iter()
            .any(|place| file.path == *place || file.is_below(place.trim_end_matches('/')))
    };
    for file in files()
        .iter()
        .filter(|file| file.is_product() && !is_allowed(file))
    {
        for (line, text) in file.code() {
            if words.iter().any(|word| contains_path(text, word)) {
                findings.add(format!("{}:{line}", file.path), text.trim());
            }
        }
    }
}

/// Whether `text` says `word` and not merely another path or name that ends like it.
fn contains_path(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

#[test]
fn only_the_configuration_reads_the_environment() {
    only_in(
        // The SDK is another program's: its options are read where that runs.
        &[
            "server/src/config.rs",
            "server/src/config",
            "sdk/rust/src/environment.rs",
        ],
        &["env::var", "env::vars"],
        "add a key to server/src/config.rs and pass the value in",
    );
}

#[test]
fn only_the_clock_asks_for_the_time() {
    only_in(
        &["server/src/clock.rs", "sdk/rust/src/clock.rs"],
        &["SystemTime::now", "OffsetDateTime::now_", "Utc::now"],
        "take `now: Timestamp` as an argument; handlers ask server::clock::now()",
    );
}

#[test]
fn only_storage_speaks_sql() {
    only_in(
        &["crates/storage"],
        &["sqlx", "PgPool"],
        "write a function in crates/storage that says what you need, and call it",
    );
}

#[test]
fn only_one_file_mounts_the_pages() {
    only_in(
        &["server/src/web.rs", "app/src", "crates/hydrate"],
        &[
            "leptos_axum",
            "app::App",
            "app::shell",
            "app::pages",
            "leptos_routes",
        ],
        "the server knows pages in server/src/web.rs alone; put what a page needs into its context there",
    );
    // The viewer is determined by sign-in and read by live updates: they share the pages' words for it;
    // a form comes back to its page as it was typed; a report is written in the words of the pages.
    only_in(
        &[
            "server/src/web.rs",
            "server/src/web",
            "server/src/auth.rs",
            "server/src/auth",
            "server/src/forms",
            "server/src/live.rs",
            "server/src/live",
            "server/src/api/detectors.rs",
            "server/src/tools/calls.rs",
            "server/src/api/forecast.rs",
            "server/src/api/analyses.rs",
            "server/src/analyses",
            "server/src/alerts/budgets.rs",
            "server/src/cli/report.rs",
            "server/src/cli/report",
            "crates/hydrate",
        ],
        &["app::"],
        "the server knows of `app` where pages are mounted, in sign-in, in forms, in live news, in forecasts (also those \
         that a model looks up), in trials of detectors, analyses and reports; nowhere else",
    );
}

#[test]
fn the_pure_crates_touch_nothing() {
    const OUTSIDE: [&str; 8] = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::time",
        "std::thread",
        "Instant::now",
        "tokio",
    ];
    let mut findings =
        Findings::new("domain, engine and otlp only compute: take what you need as an argument");
    let is_pure = |file: &&File| {
        ["crates/domain/src", "crates/engine/src", "crates/otlp/src"]
            .iter()
            .any(|folder| file.is_below(folder))
    };
    for file in files().iter().filter(is_pure) {
        for (line, text) in file.code() {
            if OUTSIDE.iter().any(|word| contains_path(text, word)) {
                findings.add(format!("{}:{line}", file.path), text.trim());
            }
        }
    }
}

#[test]
fn money_is_never_a_float() {
    const FLOATS: [&str; 6] = [
        ": f64",
        ": f32",
        ": Option<f64>",
        ": Option<f32>",
        ": Vec<f64>",
        ": &[f64]",
    ];
    const MONEY: [&str; 5] = ["usd", "cost", "price", "money", "dollar"];
    let mut findings = Findings::new("money is domain::NanoUsd: whole nano-dollars, exact");
    for file in files().iter().filter(|file| file.is_product()) {
        for (line, text) in file.code() {
            for (at, _) in FLOATS.iter().flat_map(|float| text.match_indices(float)) {
                let name = text[..at]
                    .rsplit(|before: char| !before.is_alphanumeric() && before != '_')
                    .next()
                    .unwrap_or_default();
                if MONEY.iter().any(|word| name.to_lowercase().contains(word)) {
                    findings.add(format!("{}:{line}", file.path), text.trim());
                }
            }
        }
    }
}

fn manifest(path: &str) -> Table {
    read(path).parse().unwrap()
}

fn dependencies(manifest: &Table) -> Vec<(&String, &Value)> {
    let tables = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(Value::as_table))
        .chain([manifest]);
    tables
        .filter_map(|table| table.get("dependencies")?.as_table())
        .flatten()
        .collect()
}

#[test]
fn crates_depend_in_one_direction() {
    // What each crate may know of the others. Tests may know more.
    const KNOWS: [(&str, &[&str]); 19] = [
        ("app", &["domain", "engine", "storage"]),
        ("bench", &["domain", "otlp", "private_postgres"]),
        ("bench/incidents", &["domain", "engine", "incident_generator"]),
        // What judges the engine must not know how it works.
        ("bench/incidents/generator", &[]),
        ("crates/browser_bindings", &[]),
        ("crates/domain", &[]),
        ("crates/embed", &[]),
        ("crates/engine", &["domain"]),
        ("crates/engine_in_browser", &["domain", "engine"]),
        ("crates/hydrate", &["app"]),
        ("crates/otlp", &["domain", "engine"]),
        ("crates/private_postgres", &[]),
        ("crates/spool", &[]),
        ("crates/storage", &["domain"]),
        ("crates/test_postgres", &["private_postgres"]),
        ("crates/tidy", &[]),
        (
            "server",
            &[
                "app",
                "domain",
                "engine",
                "otlp",
                "private_postgres",
                "spool",
                "storage",
            ],
        ),
        ("fuzz", &["domain", "engine", "otlp", "spool"]),
        // Users compile it without the rest.
        ("sdk/rust", &[]),
    ];
    let name_of = |folder: &str| match folder {
        "bench/incidents" => "bench_incidents".to_owned(),
        "bench/incidents/generator" => "incident_generator".to_owned(),
        _ => folder.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    let ours: Vec<_> = KNOWS.iter().map(|(folder, _)| name_of(folder)).collect();
    let mut findings = Findings::new(
        "ARCHITECTURE.md draws the direction; what two crates share belongs into the one they both know",
    );
    for file in files() {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let Some((_, allowed)) = KNOWS.iter().find(|(known, _)| *known == folder) else {
            findings.add(&file.path, "a new crate: say here what it may know of");
            continue;
        };
        for (name, _) in dependencies(&manifest(&file.path)) {
            if ours.contains(name) && !allowed.contains(&name.as_str()) {
                findings.add(&file.path, format!("must not know `{name}`"));
            }
        }
    }
}

#[test]
fn the_pure_crates_depend_on_little() {
    let mut findings = Findings::new(
        "domain and engine are compiled for the browser too and have no clock and no I/O: think twice, then allow it here",
    );
    let mut check = |folder: &str, allowed: &[&str]| {
        let path = format!("{folder}/Cargo.toml");
        for (name, how) in dependencies(&manifest(&path)) {
            // Describes what the API answers with; off in the browser.
            let describes = name == "utoipa" && how.get("optional").and_then(Value::as_bool) == Some(true);
            if !describes && !allowed.contains(&name.as_str()) {
                findings.add(&path, name);
            }
        }
    };
    check(
        "crates/domain",
        &[
            "percent-encoding",
            "serde",
            "serde_json",
            "thiserror",
            "time",
            "uuid",
        ],
    );
    check(
        "crates/engine",
        &[
            "bitcode",
            "domain",
            "hex",
            "hmac",
            "regex",
            "regex-lite",
            "serde",
            "serde_json",
            "sha2",
        ],
    );
    check(
        "crates/hydrate",
        &[
            "app",
            "console_error_panic_hook",
            "leptos",
            "wasm-bindgen",
            "wasm-bindgen-futures",
        ],
    );
}

#[test]
fn the_browser_gets_no_server_code() {
    let app = manifest("app/Cargo.toml");
    for (name, how) in dependencies(&app) {
        if ["storage", "axum", "leptos_axum", "http", "tracing"].contains(&name.as_str()) {
            assert_eq!(
                how.get("optional").and_then(Value::as_bool),
                Some(true),
                "app/Cargo.toml: `{name}` has to be optional and behind the feature `ssr`"
            );
        }
    }
}

#[test]
fn both_leptos_tables_say_the_same() {
    let table = |path: &str| -> Table {
        let whole = manifest(path);
        let tables = whole["workspace"]["metadata"]["leptos"]
            .as_array()
            .unwrap()
            .clone();
        tables[0].as_table().unwrap().clone()
    };
    let (cargo, leptos) = (table("Cargo.toml"), table("Leptos.toml"));
    let mut findings =
        Findings::new("the server reads Leptos.toml and cargo-leptos reads Cargo.toml: make them equal");
    for (key, value) in &leptos {
        if cargo.get(key) != Some(value) {
            findings.add(
                "Leptos.toml",
                format!("{key} = {value}, in Cargo.toml {:?}", cargo.get(key)),
            );
        }
    }
}
