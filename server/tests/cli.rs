//! The real binary, as people and supervisors use it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "cli/accounts.rs"]
mod accounts;
#[path = "cli/backup.rs"]
mod backup;
#[path = "cli/encryption.rs"]
mod encryption;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/incidents.rs"]
mod incidents;
#[path = "cli/integrations.rs"]
mod integrations;
#[path = "cli/move_database.rs"]
mod move_database;
#[path = "cli/offline.rs"]
mod offline;
#[path = "cli/openapi.rs"]
mod openapi;
#[path = "cli/openid.rs"]
mod openid;
#[path = "cli/prices.rs"]
mod prices;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/reading.rs"]
mod reading;
#[path = "cli/schema.rs"]
mod schema;

use std::time::{Duration, Instant};

use private_postgres::{PrivatePostgres, Settings};
use program::{Folder, Output};

fn key_of(output: &Output) -> &str {
    output.stdout.trim()
}

#[test]
fn init_writes_a_configuration_that_is_read_and_never_replaces_one() {
    let folder = Folder::new();
    let first = folder.run(&["init"]);
    assert_eq!(first.code, 0, "{first:?}");
    let text = std::fs::read_to_string(folder.path().join("plumbline.toml")).unwrap();
    assert_eq!(
        folder.run(&["doctor", "--json"]).json()["config"]["file"],
        "plumbline.toml"
    );

    std::fs::write(folder.path().join("plumbline.toml"), "log = \"warn\"\n").unwrap();
    let second = folder.run(&["init"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("--force"), "{second:?}");
    assert_eq!(folder.run(&["init", "--force"]).code, 0);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("plumbline.toml")).unwrap(),
        text
    );
}

#[test]
fn a_broken_configuration_is_refused_by_name_and_never_shows_a_password() {
    let check = |text: &str, expected: &[&str]| {
        let folder = Folder::new();
        std::fs::write(folder.path().join("plumbline.toml"), text).unwrap();
        let output = folder.run(&["keys", "list"]);
        assert_eq!(output.code, 2, "{output:?}");
        for part in expected {
            assert!(output.stderr.contains(part), "{part}: {output:?}");
        }
        assert!(!output.stderr.contains("canary"), "{output:?}");
    };
    check(
        "adress = \"127.0.0.1:1\"",
        &["plumbline.toml", "line 1", "adress"],
    );
    check(
        "log = \"info\"\nqueue_steps = \"many\"",
        &["plumbline.toml", "line 2"],
    );
    check(
        "database_url = \"mysql://u:canary@h/d\"",
        &["database_url", "postgres://"],
    );
    check(
        "database_url = \"postgres://u:canary@h/d",
        &["plumbline.toml", "line 1"],
    );
}

#[test]
fn what_is_asked_for_wrongly_ends_with_2() {
    let check = |arguments: &[&str], expected: &str| {
        let output = Folder::new().run(arguments);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(expected), "{output:?}");
    };
    check(&["sing"], "sing");
    check(&["--addr", "nowhere", "doctor"], "--addr");
    check(&["--config", "missing.toml", "doctor"], "missing.toml");
    check(&["--public-url", "example.com", "doctor"], "public_url");
    check(&["keys", "add", "a", "--scope", "root"], "ingest");
    check(&["members", "add", "not-an-address"], "e-mail");
}

#[test]
fn a_key_is_rotated_with_its_label_and_scopes() {
    let folder = Folder::new();
    let made = folder.run(&["keys", "add", "prod", "--scope", "ingest"]);
    let rotated = folder.run(&["keys", "rotate", "prod", "--json"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let new = rotated.json();
    assert_eq!(
        (&new["label"], &new["scopes"]),
        (&"prod".into(), &serde_json::json!(["ingest"]))
    );
    assert_ne!(new["key"], key_of(&made));
    let listed = folder.run(&["keys", "list", "--json"]).json();
    let revoked = |item: &serde_json::Value| !item["revoked_at"].is_null();
    let states: Vec<bool> = listed["items"].as_array().unwrap().iter().map(revoked).collect();
    assert_eq!(states, [false, true], "{listed}");
    assert_eq!(folder.run(&["keys", "rotate", "prod", "--keep"]).code, 0);
    let ambiguous = folder.run(&["keys", "rotate", "prod"]);
    assert_eq!(ambiguous.code, 2, "{ambiguous:?}");
}

#[test]
fn keys_are_managed_without_a_server() {
    let folder = Folder::new();
    let made = folder.run(&["keys", "add", "prod"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        key_of(&made).starts_with("pl_live_") && !key_of(&made).contains('\n'),
        "{made:?}"
    );
    assert!(
        !made.stderr.contains(key_of(&made)),
        "the key is on stdout alone: {made:?}"
    );
    folder.assert_no_postgres();

    let limited = folder
        .run(&["keys", "add", "prod", "--scope", "ingest", "--json"])
        .json();
    assert_eq!(limited["scopes"], serde_json::json!(["ingest"]));
    let listed = folder.run(&["keys", "list", "--json"]);
    assert!(
        !listed.stdout.contains(key_of(&made)),
        "lists never show a key: {listed:?}"
    );
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 2);

    let unclear = folder.run(&["keys", "revoke", "prod"]);
    assert_eq!(unclear.code, 2, "{unclear:?}");
    let id = limited["id"].as_str().unwrap();
    assert!(unclear.stderr.contains(id), "{unclear:?}");
    assert_eq!(folder.run(&["keys", "revoke", id]).code, 0);
    assert_eq!(
        folder.run(&["keys", "revoke", "prod"]).code,
        0,
        "only one key is left of that label"
    );
    assert_eq!(folder.run(&["keys", "revoke", "prod"]).code, 4);
    assert_eq!(folder.run(&["keys", "list", "--project", "other"]).code, 4);
    let table = folder.run(&["keys", "list"]).stdout;
    assert_eq!(table.matches("revoked").count(), 2, "{table}");
    folder.assert_no_postgres();
}

#[test]
fn commands_work_beside_a_running_server_and_leave_it_running() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let made = folder.run(&["keys", "add", "beside"]);
    assert_eq!(made.code, 0, "{made:?}");
    let listed = folder.run(&["keys", "list"]);
    assert!(listed.stdout.contains("beside"), "{listed:?}");
    assert_eq!(folder.run(&["keys", "revoke", "beside"]).code, 0);
    let doctor = folder.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert_eq!(folder.run(&["migrate"]).code, 0);
    let addr = server.url().replace("http://", "");
    let health = folder.run(&["--addr", &addr, "health"]);
    assert_eq!(
        (health.code, health.json()["status"].as_str()),
        (0, Some("ok")),
        "{health:?}"
    );
    assert!(server.answers(), "{}", server.log());
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let health = folder.run(&["--addr", &addr, "health"]);
    assert_eq!(health.code, 1, "{health:?}");
    assert!(
        health.stderr.contains("nothing answers on 127.0.0.1"),
        "{health:?}"
    );
    folder.assert_no_postgres();
}

#[test]
fn doctor_prints_the_configuration_and_what_fails() {
    let folder = Folder::new();
    let fresh = folder.run(&["doctor", "--json"]);
    assert_eq!(fresh.code, 0, "{fresh:?}");
    assert!(!folder.path().join("data").exists(), "looking makes nothing");

    let url = "postgres://somebody:canary@127.0.0.1:1/nothing";
    let failing = folder.run_with(&["doctor", "--json"], &[("DATABASE_URL", url)]);
    assert_eq!(failing.code, 1, "{failing:?}");
    let database = failing.check("database");
    assert_eq!(database["status"], "fail");
    assert!(
        database["advice"].as_str().unwrap().contains("DATABASE_URL"),
        "{database}"
    );
    assert!(
        !format!("{failing:?}").contains("canary"),
        "no password is ever printed: {failing:?}"
    );

    let exposed = folder.run(&["--addr", "0.0.0.0:3000", "doctor", "--json"]);
    assert_eq!(
        (exposed.code, exposed.check("accounts")["status"].as_str()),
        (1, Some("fail")),
        "{exposed:?}"
    );
    let text = folder.run(&["--addr", "0.0.0.0:3000", "doctor"]);
    assert!(
        text.stdout.contains("FAIL") && text.stdout.contains("→"),
        "{text:?}"
    );
}

#[test]
fn stopping_is_clean_and_prompt() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    // An open page: its stream would go on for minutes.
    let _page = server.open_stream("/live/default");
    let begun = Instant::now();
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    folder.assert_no_postgres();
    let log = std::fs::read_to_string(folder.path().join("data/postgres.log")).unwrap_or_default();
    let mut again = folder.serve(&[]);
    assert!(!log.contains("not properly shut down"), "{log}");
    assert_eq!(again.stop(), Some(0), "{}", again.log());
}

#[test]
fn a_second_server_on_the_folder_is_refused_and_harms_nothing() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let second = folder.run(&["--addr", "127.0.0.1:0", "serve"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(
        second.stderr.contains("already uses the data folder"),
        "{second:?}"
    );
    assert!(server.answers(), "{}", server.log());
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let output = folder.run(&["--addr", &addr, "serve"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains(&addr) && output.stderr.contains("--addr"),
        "{output:?}"
    );
    assert!(!folder.path().join("data").exists(), "nothing was started");
}

#[test]
fn a_killed_server_starts_again_with_everything_it_had() {
    let folder = Folder::new();
    let made = folder.run(&["keys", "add", "kept"]);
    let mut server = folder.serve(&[]);
    server.kill();
    // Its Postgres runs on; a command adopts it, and so does the next server.
    let listed = folder.run(&["keys", "list"]);
    assert!(listed.stdout.contains("kept"), "{listed:?}");
    let mut server = folder.serve(&[]);
    server.kill();
    let mut server = folder.serve(&[]);
    assert!(folder.run(&["keys", "list"]).stdout.contains("kept"), "{made:?}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    folder.assert_no_postgres();
}

#[test]
fn seeding_fills_a_project_through_the_pipeline_and_only_once() {
    let folder = Folder::new();
    let seed = ["seed", "--days", "3", "--runs", "100"];
    let first = folder.run(&seed);
    assert_eq!(first.code, 0, "{first:?}");
    for part in ["made up", "project default", "/p/default/runs/cascade-demo"] {
        assert!(first.stderr.contains(part), "{part}: {first:?}");
    }
    folder.assert_no_postgres();
    assert_eq!(folder.run(&["seed", "--project", "other"]).code, 4);
    assert_eq!(folder.run(&["seed", "--days", "0"]).code, 2);

    let mut server = folder.serve(&[]);
    let runs = server.json("/api/runs?limit=200");
    let listed = runs["items"].as_array().unwrap().len();
    assert!(listed > 40, "three days and the cascade: {listed}");

    let cascade = server.json("/api/runs/cascade-demo");
    let codes = |step_id: &str| -> Vec<u64> {
        let steps = cascade["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step_id"] == step_id).unwrap();
        let conditions = step["conditions"].as_array().unwrap();
        let mut codes: Vec<u64> = conditions
            .iter()
            .map(|found| found["code"].as_u64().unwrap())
            .collect();
        codes.sort_unstable();
        codes
    };
    assert_eq!(
        codes("parse-request"),
        [2001, 3011, 3014],
        "it stops in the middle of its JSON"
    );
    assert!(codes("enrich-context").contains(&4007), "it waits for nothing");
    assert_eq!(
        codes("generate-response"),
        [1001, 1002],
        "it reads entities of nothing"
    );
    assert!(
        codes("decide-next-18").contains(&4012),
        "and an agent goes round in circles"
    );
    assert_eq!(cascade["run"]["severity"], "critical");

    assert!(
        first.stderr.contains("conditions marked real or noise"),
        "{first:?}"
    );

    // The command line and the API tell the same. Just after midnight the oldest runs lie on a fifth day.
    let printed = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&folder.run(arguments).stdout).unwrap()
    };
    let stats = printed(&["stats", "--days", "5", "--by", "model", "--json"]);
    let cost = server.json("/api/cost?from=2020-01-01T00:00:00Z");
    assert_eq!(stats["total"]["cost_nano_usd"], cost["cost_nano_usd"], "{stats}");
    let (deploys, listed) = (printed(&["deploys", "--json"]), server.json("/api/deploys"));
    let count = |list: &serde_json::Value| list["items"].as_array().unwrap().len();
    assert_eq!(count(&deploys), count(&listed), "{deploys}");
    assert_eq!(folder.run(&["stats", "--by", "user"]).code, 2);

    // Beside the server, which the pages of the demo are open on.
    let again = folder.run(&seed);
    assert!(again.stderr.contains("\n0 steps stored"), "{again:?}");
    assert!(!again.stderr.contains("marked"), "marks are made once: {again:?}");
    assert_eq!(server.json("/api/runs?limit=200")["items"], runs["items"]);
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let recount = folder.run(&["doctor", "--recount"]);
    assert_eq!(
        recount.code, 0,
        "totals and series are those of real traffic: {recount:?}"
    );
}

/// A Postgres as an operator has one, in the folder `given`.
async fn given_postgres(folder: &Folder) -> PrivatePostgres {
    let settings = Settings {
        data_dir: folder.path().join("given"),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 50,
    };
    PrivatePostgres::start(settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_is_waited_for_and_never_stopped() {
    let folder = Folder::new();
    let url = {
        let postgres = given_postgres(&folder).await;
        postgres.stop().await.unwrap();
        postgres.url()
    };
    let mut server = folder.start_serving(&["--addr", "127.0.0.1:0"], &[("DATABASE_URL", &url)]);
    server.wait_for("waiting for the database plumbline");
    let postgres = given_postgres(&folder).await;
    server.wait_until_ready();
    assert!(
        !folder.path().join("data/postgres").exists(),
        "no private Postgres beside a given one"
    );
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert_eq!(
        postgres.query("select 1").await.unwrap().len(),
        1,
        "it is not ours to stop"
    );
    postgres.stop().await.unwrap();
}
