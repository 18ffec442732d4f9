//! Commands that read: the same from the local database and from a server elsewhere.

use serde_json::{Value, json};

use crate::program::{Folder, Output, Server};

/// A folder with twelve days of demo data, and a server on it.
fn seeded() -> (Folder, Server) {
    seeded_with("60")
}

fn seeded_with(runs_a_day: &str) -> (Folder, Server) {
    let folder = Folder::new();
    let seed = folder.run(&["seed", "--days", "12", "--runs", runs_a_day]);
    assert_eq!(seed.code, 0, "{seed:?}");
    let server = folder.serve(&[]);
    (folder, server)
}

/// Runs a command here and through the API.
fn both(folder: &Folder, server: &Server, arguments: &[&str]) -> [Output; 2] {
    let url = server.url();
    let remote: Vec<&str> = arguments.iter().copied().chain(["--url", &url]).collect();
    let ask = || [folder.run(arguments), folder.run(&remote)];
    let [local, remote] = ask();
    // What is expected of a month passes a cent now and then, and an hour or a day may begin between the two: asked once
    // more they say the same.
    if local.stdout == remote.stdout {
        [local, remote]
    } else {
        ask()
    }
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn every_read_is_the_same_here_and_from_a_server() {
    let (folder, mut server) = seeded();
    for arguments in [
        &["stats", "--days", "13", "--json"][..],
        &["stats", "--days", "13", "--by", "model"],
        &["stats", "--by", "step", "--label", "prod-frontend"],
        &["runs", "--limit", "7", "--json"],
        &["runs", "--limit", "7", "--severity", "critical"],
        &["runs", "cascade-demo"],
        &["runs", "cascade-demo", "--json"],
        &["deploys"],
        &["deploys", "--json"],
        &["deploys", "demo-pr-2"],
        &["deploys", "demo-pr-2", "--json"],
        &["forecast"],
        &["forecast", "--label", "prod-frontend"],
        &["tail", "--no-follow", "-n", "3"],
        &["tail", "--no-follow", "-n", "2", "--steps", "--json"],
        &["export", "runs", "--csv", "--range", "7d"],
        &["export", "steps", "-q", "cascade-demo"],
        &["export", "series", "--by", "key", "--metric", "calls", "--csv"],
        &["export", "series", "--metric", "latency_p95", "--bucket", "1h"],
    ] {
        let [local, remote] = both(&folder, &server, arguments);
        assert_eq!(local.code, 0, "{arguments:?} {local:?}");
        assert!(local.stdout.lines().count() > 1, "{arguments:?} {local:?}");
        assert_eq!(local.stdout, remote.stdout, "{arguments:?} {remote:?}");
        assert!(
            !local.stdout.contains('\u{1b}'),
            "no colours in a pipe: {local:?}"
        );
    }
    // The figures are those of the API. Just after midnight the oldest runs lie on a fourteenth day.
    let stats = folder.run(&["stats", "--days", "14", "--json"]).json();
    let cost = server.json("/api/cost?from=2020-01-01T00:00:00Z");
    assert_eq!(stats["total"]["cost_nano_usd"], cost["cost_nano_usd"]);
    let calls: i64 = folder
        .run(&["export", "series", "--metric", "calls"])
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["value"]
                .as_i64()
                .unwrap()
        })
        .sum();
    assert_eq!(stats["total"]["calls"], calls);
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    // And without a server, which stops its Postgres again.
    assert_eq!(folder.run(&["runs", "cascade-demo"]).code, 0);
    folder.assert_no_postgres();

    let removed = folder.run(&["seed", "--remove"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(
        removed.stderr.contains("holds no demo data any more"),
        "{removed:?}"
    );
    assert_eq!(folder.run(&["runs", "--json"]).json()["items"], json!([]));
    assert_eq!(folder.run(&["deploys", "--json"]).json()["items"], json!([]));
    assert_eq!(folder.run(&["runs", "cascade-demo"]).code, 4);
    let recount = folder.run(&["doctor", "--recount"]);
    assert_eq!(recount.code, 0, "{recount:?}");
    let again = folder.run(&["seed", "--remove"]);
    assert!(again.stderr.contains("has no demo data"), "{again:?}");
    assert_eq!(folder.run(&["seed", "--remove", "--days", "3"]).code, 2);
}

#[test]
fn tables_fit_the_width() {
    let (folder, _server) = seeded();
    for arguments in [
        &["stats"][..],
        &["runs"],
        &["runs", "cascade-demo"],
        &["deploys"],
        &["deploys", "demo-pr-2"],
        &["tail", "--no-follow"],
        &["tail", "--no-follow", "--steps"],
        &["report"],
        &["forecast"],
    ] {
        for width in [80, 200] {
            let columns = width.to_string();
            let output = folder.run_with(arguments, &[("COLUMNS", &columns)]);
            assert_eq!(output.code, 0, "{output:?}");
            assert!(
                widest(&output.stdout) <= width,
                "{arguments:?} at {width}:\n{}",
                output.stdout
            );
            let coloured: Vec<&str> = arguments.iter().copied().chain(["--color", "always"]).collect();
            let coloured = folder.run_with(&coloured, &[("COLUMNS", &columns)]);
            assert!(coloured.stdout.contains("\u{1b}["), "{coloured:?}");
        }
    }
    let wide = folder.run(&["runs", "--width", "200"]);
    assert!(wide.stdout.contains("PROBLEM"), "{wide:?}");
    let narrow = folder.run(&["runs", "--width", "80"]);
    assert!(!narrow.stdout.contains("PROBLEM"), "{narrow:?}");
}

#[test]
fn the_report_names_the_deploy_that_raised_the_bill() {
    // So many that some lie between two of the deploys, as in the demo.
    let (folder, server) = seeded_with("640");
    let [text, remote] = both(&folder, &server, &["report", "--days", "13", "--width", "100"]);
    assert_eq!(text.code, 0, "{text:?}");
    let verdict = text.stdout.lines().nth(2).unwrap();
    assert!(
        verdict.starts_with("After PR 2 cost per call of prod-frontend rose"),
        "{}",
        text.stdout
    );
    for part in [
        "switch summary endpoint to claude-sonnet",
        "◆",
        "By key",
        "By model",
        "What shipped",
        "prod-frontend",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
    assert_eq!(text.stdout, remote.stdout);

    let markdown = folder
        .run(&["report", "--days", "13", "--format", "markdown"])
        .stdout;
    for part in [
        "**[After PR 2 ",
        "/deploys/demo-pr-2)**",
        "| prod-frontend |",
        "## By key",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }

    let path = folder.path().join("report.html");
    let out = path.to_str().unwrap();
    let written = folder.run(&["report", "--days", "13", "--format", "html", "--out", out]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{written:?}");
    let html = std::fs::read_to_string(&path).unwrap();
    for part in [
        "After PR 2 cost per call of prod-frontend rose",
        "<path class=\"line c1\"",
        "deploy-line cause",
        "Cost per day by key",
        "Cost per call per day by key",
        "@media print",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for foreign in ["<script", "<link", "url(", "@import", "src="] {
        assert!(
            !html.contains(foreign),
            "{foreign} in a file that needs nothing else"
        );
    }

    let json = folder.run(&["report", "--days", "13", "--json"]).json();
    assert_eq!(json["verdict"]["deploy_id"], "demo-pr-2");
    // Of a key that nothing happened to, no deploy is said to have raised the bill. The slowest of its two dozen calls
    // between two deploys are by chance much faster than those of two days, once in some forty dates.
    let quiet = folder
        .run(&["report", "--days", "13", "--label", "internal-tools", "--json"])
        .json();
    let verdict = quiet["verdict"]["sentence"].as_str().unwrap();
    assert!(!verdict.contains("cost per call of"), "{quiet}");
    assert_eq!(folder.run(&["report", "--format", "pdf"]).code, 2);
}

#[test]
fn exit_codes_say_what_went_wrong() {
    let folder = Folder::new();
    let made = folder.run(&["keys", "add", "reader", "--scope", "read"]);
    let ingest = folder.run(&["keys", "add", "sender", "--scope", "ingest"]);
    let server = folder.serve(&[]);
    let url = server.url();
    let read = |verb: &[&str], key: &str| {
        let environment = [("PLUMBLINE_URL", url.as_str()), ("PLUMBLINE_KEY", key)];
        folder.run_with(verb, &environment)
    };
    let key = made.stdout.trim();
    assert_eq!(read(&["stats"], key).code, 0);
    for (verb, key, code) in [
        (&["runs", "nothing"][..], key, 4),
        (&["deploys", "nothing"], key, 4),
        (&["runs"], "pl_live_unknown", 3),
        (&["tail"], "pl_live_unknown", 3),
        (&["runs"], ingest.stdout.trim(), 3),
        (&["runs", "--severity", "loud"], key, 2),
        (&["runs", "--cursor", "nonsense"], key, 2),
        (&["runs", "--cost-min", "much"], key, 2),
        (&["stats", "--by", "user"], key, 2),
        (&["export", "series", "--status", "ok"], key, 2),
        (&["runs", "--project", "other"], key, 4),
    ] {
        let output = read(verb, key);
        assert_eq!(output.code, code, "{verb:?} {output:?}");
        assert!(output.stderr.contains("error: "), "{output:?}");
        assert!(
            !format!("{output:?}").contains(key),
            "no key is ever printed: {output:?}"
        );
    }
    let severity = read(&["runs", "--severity", "loud"], key);
    assert!(
        severity.stderr.contains("--severity is ok, warning or critical"),
        "{severity:?}"
    );
    let nobody = folder.run(&["stats", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(
        nobody.stderr.contains("no answer from http://127.0.0.1:1"),
        "{nobody:?}"
    );
    assert_eq!(folder.run(&["stats", "--url", "nowhere"]).code, 2);
    // The key came from the environment and is in no help text either.
    let help = read(&["stats", "--help"], key);
    assert!(
        help.stdout.contains("PLUMBLINE_KEY") && !help.stdout.contains(key),
        "{help:?}"
    );
}

/// A step of a run.
fn step(run_id: &str, step_id: &str) -> Value {
    json!({
        "run_id": run_id, "step_id": step_id, "step_name": "answer", "model": "claude-haiku-4-5",
        "prompt": "What is an observatory?", "output_code": "A place to look from.", "latency_ms": 640,
        "input_tokens": 120, "output_tokens": 24, "session_id": "s-1", "user_id": "u-1", "tags": ["vip"],
        "attributes": { "customer": "acme" }, "events": [{ "name": "retry" }], "ttft_ms": 90,
        "stop_reason": "end_turn", "environment": "production", "release": "9be04a7"
    })
}

#[test]
fn tail_follows_what_comes_in() {
    let folder = Folder::new();
    let key = folder
        .run(&["keys", "add", "reader", "--scope", "read"])
        .stdout
        .trim()
        .to_owned();
    let server = folder.serve(&[]);
    server.ingest("/ingest", &step("before", "s"), None);
    let url = server.url();
    for arguments in [
        &["tail", "--width", "120"][..],
        &["tail", "--url", &url, "--key", &key, "--width", "120"],
    ] {
        let tail = folder.start(arguments);
        tail.line_with("before");
        let run_id = format!("run {}", arguments.len());
        server.ingest("/ingest", &step(&run_id, "s"), None);
        let line = tail.line_with(&run_id);
        assert!(line.contains(" ok ") && line.contains("640 ms"), "{line}");
        server.ingest("/ingest", &step(&run_id, "t"), None);
        tail.line_with(&run_id);
        assert_eq!(tail.interrupt(), Some(0));
    }
    let steps = folder.start(&["tail", "--steps", "--json", "-n", "0", "--label", "default"]);
    // Only what is new is said: it listens once its first line is there.
    server.ingest("/ingest", &step("later", "first"), None);
    let mut first = None;
    for attempt in 0.. {
        server.ingest("/ingest", &step("later", &format!("step-{attempt}")), None);
        if let Some(line) = steps.try_line() {
            first = Some(line);
            break;
        }
    }
    let line: Value = serde_json::from_str(&first.unwrap()).unwrap();
    assert_eq!(line["run_id"], "later");
    assert_eq!(steps.interrupt(), Some(0));
}

#[test]
fn what_is_exported_can_be_sent_to_another_server() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    for (run_id, step_id) in [("a", "s"), ("a", "t"), ("b, \"quoted\"", "s")] {
        let mut body = step(run_id, step_id);
        if step_id == "t" {
            body["parent_step_id"] = json!("s");
            body["status_success"] = json!(false);
            body["error"] = json!("=cmd()");
        }
        server.ingest("/ingest", &body, None);
    }
    let exported = folder.run(&["export", "steps"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let steps: Vec<Value> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(steps.len(), 3);

    let other_folder = Folder::new();
    let other = other_folder.serve(&[]);
    other.ingest("/ingest/batch", &json!({ "steps": steps }), None);
    for path in [
        "/api/runs/a",
        "/api/runs/a/steps/s/payload",
        "/api/runs/b%2C%20%22quoted%22",
        "/api/cost?from=2020-01-01T00:00:00Z",
    ] {
        assert_eq!(server.json(path), other.json(path), "{path}");
    }

    let csv = folder.run(&["export", "runs", "--csv"]).stdout;
    assert!(csv.starts_with("run_id,name,status,"), "{csv}");
    assert!(csv.contains("\"b, \"\"quoted\"\"\",answer,ok"), "{csv}");
    assert!(csv.contains("'=cmd()"), "no formula for a spreadsheet: {csv}");
    let path = folder.path().join("runs.jsonl");
    let written = folder.run(&["export", "runs", "--out", path.to_str().unwrap()]);
    assert!(written.stderr.contains("2 lines in"), "{written:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 2);
}

#[test]
fn who_reads_only_the_first_lines_disturbs_nothing() {
    let (folder, _server) = seeded();
    for arguments in [
        &["export", "steps", "--without-texts"][..],
        &["runs", "--limit", "700"],
        &["report"],
    ] {
        let (code, stderr) = folder.head(arguments);
        assert_eq!(code, Some(0), "{arguments:?} {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panic"), "{stderr}");
    }
}

/// Figures of another database than the one that was named would be taken for its.
#[test]
fn what_reads_the_local_database_alone_refuses_where_a_server_is_named() {
    let folder = Folder::new();
    let elsewhere = [("PLUMBLINE_URL", "https://elsewhere.example.com")];
    for verb in [
        &["incidents"][..],
        &["correlate"],
        &["explain", "4f3a"],
        &["watch", "--once"],
        &["analyze"],
        &["sync-deploys"],
        &["jobs"],
        &["audit"],
        &["mcp"],
    ] {
        let refused = folder.run_with(verb, &elsewhere);
        assert_eq!(refused.code, 2, "{verb:?} {refused:?}");
        assert!(
            refused.stderr.contains("https://elsewhere.example.com"),
            "{verb:?} {refused:?}"
        );
    }
    let flag = folder.run(&["incidents", "--url", "https://elsewhere.example.com"]);
    assert_eq!(flag.code, 2, "{flag:?}");
    assert!(!folder.path().join("data").exists(), "no database was made");
    assert_eq!(folder.run_with(&["incidents"], &[("PLUMBLINE_URL", "")]).code, 0);
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.run(&["completions", shell]);
        assert_eq!(script.code, 0, "{script:?}");
        for word in ["report", "tail", "completions", "without-texts"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(folder.run(&["completions", "cmd"]).code, 2);
    let page = folder.run(&["man", "report"]).stdout;
    for part in [".TH plumbline-report 1", "\\-\\-format", "PLUMBLINE_URL"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("upstream"),
        "flags of serve are not of report: {page}"
    );
    assert_eq!(folder.run(&["man", "nothing"]).code, 4);
    let pages = folder.path().join("man");
    let written = folder.run(&["man", "--out", pages.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{written:?}");
    for name in ["plumbline.1", "plumbline-keys-add.1", "plumbline-export.1"] {
        assert!(pages.join(name).exists(), "{name}");
    }
    // None of this needs a configuration, or a database.
    std::fs::write(folder.path().join("plumbline.toml"), "nonsense = 1\n").unwrap();
    assert_eq!(folder.run(&["completions", "bash"]).code, 0);
    assert!(!folder.path().join("data").exists());
}
