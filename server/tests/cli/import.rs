//! `plumbline import`.

use serde_json::json;

use crate::program::Folder;

fn span(id: &str, parent: &str) -> serde_json::Value {
    json!({
        "traceId": "ab".repeat(16), "spanId": id.repeat(8), "parentSpanId": parent.repeat(8), "name": "chat",
        "startTimeUnixNano": "1795000000000000000", "endTimeUnixNano": "1795000001000000000",
        "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}}],
    })
}

fn request(spans: &[serde_json::Value]) -> serde_json::Value {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
}

#[test]
fn nothing_of_a_file_with_a_bad_line_is_stored_and_nothing_of_a_good_one_twice() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "one.json",
        &format!("{:#}", request(&[span("01", ""), span("02", "01")])),
    );
    let line = request(&[span("03", "01")]).to_string();
    write("lines.jsonl", &format!("{line}\n\n{line}\n"));
    let alone = request(&[span("04", "01")]).to_string();
    write("broken.jsonl", &format!("{alone}\n{{\n"));

    let dry = folder.run(&["import", "one.json", "--dry-run"]);
    assert!(
        dry.code == 0 && dry.stderr.contains("one.json: 2 steps"),
        "{dry:?}"
    );
    let done = folder.run(&["import", "one.json", "lines.jsonl", "broken.jsonl", "absent.json"]);
    assert_eq!(done.code, 1, "{done:?}");
    for said in [
        "one.json: 2 steps stored",
        "lines.jsonl: 1 steps stored, 1 were there already",
        "broken.jsonl: line 2:",
        "nothing of it was stored",
        "absent.json: it can't be read",
    ] {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    let again = folder.run(&["import", "one.json"]);
    assert!(
        again.code == 0 && again.stderr.contains("0 steps stored, 2 were there already"),
        "{again:?}"
    );
    let run = folder.run(&["runs", &"ab".repeat(16), "--json"]).json();
    assert_eq!(
        run["run"]["step_count"], 3,
        "the good line of the broken file is not among them: {run:#}"
    );
    // The root only repeats what the two below it used.
    assert_eq!(run["run"]["tokens"]["input_fresh"], 2_000, "{run:#}");
}

#[test]
fn a_trace_of_aitrace_begins_when_its_file_says() {
    let folder = Folder::new();
    let span = |id: &str, parent: Option<&str>, from: i64, to: Option<i64>| {
        json!({"span_id": id, "parent_span_id": parent, "name": id, "start_time": from, "end_time": to,
            "attributes": {"session_id": "s-9"}, "events": [], "status": "ok"})
    };
    let trace = json!({"trace_id": "b37b7332", "metadata": {}, "created_at": -9_000_000,
        "spans": [span("a", None, -9_000_000, Some(-1_000_000)), span("b", Some("a"), -5_000_000, Some(-2_000_000))]});
    let name = "b37b7332_1795000000.json";
    std::fs::write(folder.path().join(name), format!("{trace:#}")).unwrap();
    let done = folder.run(&["import", name]);
    assert!(
        done.code == 0 && done.stderr.contains("2 steps stored"),
        "{done:?}"
    );
    let again = folder.run(&["import", name, "--format", "aitrace"]);
    assert!(
        again.stderr.contains("0 steps stored, 2 were there already"),
        "{again:?}"
    );
    let run = folder.run(&["runs", "b37b7332", "--json"]).json();
    assert_eq!(run["run"]["started_at"], "2026-11-18T11:06:32Z", "{run:#}");
    assert_eq!(run["run"]["session_id"], "s-9");
}

#[test]
fn what_was_exported_is_imported_with_the_same_figures() {
    let folder = Folder::new();
    let seeded = folder.run(&["seed", "--days", "1", "--runs", "20"]);
    assert_eq!(seeded.code, 0, "{seeded:?}");
    let exported = folder.run(&["export", "steps", "--range", "90d"]);
    assert!(
        exported.code == 0 && exported.stdout.lines().count() > 20,
        "{}",
        exported.stderr
    );
    std::fs::write(folder.path().join("steps.jsonl"), &exported.stdout).unwrap();
    let again = folder.run(&["import", "steps.jsonl"]);
    let all = exported.stdout.lines().count();
    assert!(
        again.code == 0
            && again
                .stderr
                .contains(&format!("0 steps stored, {all} were there already")),
        "{again:?}"
    );
}

#[test]
fn exports_of_other_tools_become_runs_with_their_cost_sessions_and_users() {
    let folder = Folder::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/import");
    for (file, run_id, steps) in [
        ("langfuse.json", "lf-trace-1", 4),
        ("langsmith.jsonl", "6a000000-0000-7000-8000-000000000001", 3),
    ] {
        std::fs::copy(fixtures.join(file), folder.path().join(file)).unwrap();
        let done = folder.run(&["import", file]);
        let said = format!("{steps} steps stored");
        assert!(done.code == 0 && done.stderr.contains(&said), "{done:?}");
        let again = folder.run(&["import", file]);
        let said = format!("0 steps stored, {steps} were there already");
        assert!(again.code == 0 && again.stderr.contains(&said), "{again:?}");
        let run = folder.run(&["runs", run_id, "--json"]).json();
        assert_eq!(run["run"]["step_count"], steps, "{run:#}");
        assert_eq!(run["run"]["error_count"], 1, "{run:#}");
        // Nobody here knows what that model costs; they did.
        assert_eq!(run["run"]["cost_usd"], "0.0042", "{run:#}");
        assert_eq!(run["run"]["tokens"]["cache_read"], 1_000, "{run:#}");
        assert_eq!(
            (
                &run["run"]["session_id"],
                &run["run"]["user_id"],
                &run["run"]["release"]
            ),
            (&json!("s-7"), &json!("u-3"), &json!("4f2a91c")),
            "{run:#}"
        );
    }
    // The wrong one is named with its line, whichever tool it is said to be of.
    std::fs::write(
        folder.path().join("bad.jsonl"),
        "{\"id\":\"o\",\"traceId\":\"t\"}\n",
    )
    .unwrap();
    let bad = folder.run(&["import", "bad.jsonl", "--format", "langfuse"]);
    assert!(
        bad.code == 1 && bad.stderr.contains("bad.jsonl: line 1: it has no startTime"),
        "{bad:?}"
    );
    let bad = folder.run(&["import", "bad.jsonl", "--format", "langsmith"]);
    assert!(
        bad.code == 1 && bad.stderr.contains("line 1: it has no run_type"),
        "{bad:?}"
    );
}
