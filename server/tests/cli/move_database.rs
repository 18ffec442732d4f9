//! `plumbline move-database`: the demo in the private Postgres, moved into another one by an ordinary owner, killed on the
//! way, and served from there.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use private_postgres::PrivatePostgres;
use tokio::task::block_in_place;

use crate::given_postgres;
use crate::program::{Folder, Output};

/// An empty database of somebody who may do no more than the owner of a managed one.
async fn empty_database(postgres: &PrivatePostgres) -> String {
    for statement in [
        "create role plumbline_app nologin",
        "create role mover login",
        "grant plumbline_app to mover",
        "alter database plumbline owner to mover",
    ] {
        postgres.query(statement).await.unwrap();
    }
    let url = postgres.url();
    url.replacen("postgres://plumbline@", "postgres://mover@", 1)
}

/// Lets a move into the database stand still once `api_keys` is there, until it is killed.
async fn stand_still(postgres: &PrivatePostgres) {
    for statement in [
        "create function stand_still() returns event_trigger language plpgsql as $$ begin
           if to_regclass('database_move') is not null then
             if exists (select from database_move where part = 'api_keys') then perform pg_sleep(600); end if;
           end if;
         end $$",
        "create event trigger stand_still on ddl_command_start when tag in ('ALTER TABLE')
         execute function stand_still()",
    ] {
        postgres.query(statement).await.unwrap();
    }
}

async fn go_on(postgres: &PrivatePostgres) {
    postgres.query("drop event trigger stand_still").await.unwrap();
}

/// Figures over all of the demo, and its runs.
fn figures(folder: &Folder) -> [String; 2] {
    let said = |arguments: &[&str]| {
        let output = folder.run(arguments);
        assert_eq!(output.code, 0, "{output:?}");
        output.stdout
    };
    [
        said(&["stats", "--days", "60", "--by", "step"]),
        said(&["export", "runs", "--range", "30d"]),
    ]
}

fn moved(folder: &Folder, url: &str, more: &[&str]) -> Output {
    let arguments: Vec<&str> = ["move-database", "--to", url]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    folder.run(&arguments)
}

/// Begins a move that will stand still, and kills it there.
fn killed_midway(folder: &Folder, url: &str) {
    let mut command = folder.command(&["move-database", "--to", url]);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = lines.any(|line| line.unwrap().contains("  api_keys, "));
    assert!(found, "it says how far it is");
    child.kill().unwrap();
    assert_eq!(
        child.wait().unwrap().code(),
        None,
        "it was killed before it was done"
    );
}

fn refused_where_it_must_not_go(folder: &Folder, url: &str) {
    let missing = moved(&Folder::new(), url, &[]);
    assert_eq!(missing.code, 4, "{missing:?}");
    let unusable = moved(folder, "mysql://u:canary@h/d", &[]);
    assert_eq!(unusable.code, 2, "{unusable:?}");
    assert!(!unusable.stderr.contains("canary"), "{unusable:?}");
    let planned = moved(folder, url, &["--plan"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    for part in ["(empty)", "\nsteps ", "\nrollups ", "Nothing was changed."] {
        assert!(planned.stdout.contains(part), "{part}: {planned:?}");
    }
    let mut server = folder.serve(&[]);
    let running = moved(folder, url, &[]);
    assert_eq!(running.code, 1, "{running:?}");
    assert!(running.stderr.contains("Stop it"), "{running:?}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_database_moves_to_another_postgres_though_it_is_killed_midway() {
    let (folder, given) = (Folder::new(), Folder::new());
    let postgres = given_postgres(&given).await;
    let url = empty_database(&postgres).await;
    postgres.query("create table precious (n integer)").await.unwrap();
    block_in_place(|| {
        assert_eq!(folder.run(&["init"]).code, 0);
        let seeded = folder.run(&["seed", "--days", "3", "--runs", "60"]);
        assert_eq!(seeded.code, 0, "{seeded:?}");
        let used = moved(&folder, &url, &[]);
        assert_eq!(used.code, 1, "{used:?}");
        assert!(used.stderr.contains("is not empty"), "{used:?}");
    });
    postgres.query("drop table precious").await.unwrap();
    stand_still(&postgres).await;
    let before = block_in_place(|| {
        refused_where_it_must_not_go(&folder, &url);
        let before = figures(&folder);
        killed_midway(&folder, &url);
        before
    });
    go_on(&postgres).await;
    block_in_place(|| {
        // What is half there is served by nobody, and the source is as it was.
        let environment = [("DATABASE_URL", url.as_str())];
        let half = folder.run_with(&["keys", "list"], &environment);
        assert_eq!(half.code, 1, "{half:?}");
        assert!(half.stderr.contains("has not been finished"), "{half:?}");
        let doctor = folder.run_with(&["doctor", "--json"], &environment);
        assert_eq!(doctor.check("schema")["status"], "fail", "{doctor:?}");
        let planned = moved(&folder, &url, &["--plan"]);
        assert!(planned.stdout.contains("parts copied before"), "{planned:?}");

        let done = moved(&folder, &url, &[]);
        assert_eq!(done.code, 0, "{done:?}");
        for part in [
            "parts are there already",
            "the same on both sides",
            "plumbline.toml says database_url now",
        ] {
            assert!(done.stderr.contains(part), "{part}: {done:?}");
        }
        assert!(
            !done.stderr.contains("  1 of "),
            "what was there was not copied again: {done:?}"
        );
        folder.assert_no_postgres();
        let file = std::fs::metadata(folder.path().join("plumbline.toml")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);

        // From here on the configuration's database is the new one.
        assert_eq!(figures(&folder), before);
        let recount = folder.run(&["doctor", "--recount", "--json"]);
        assert_eq!(recount.code, 0, "{recount:?}");
        let audit = folder.run(&["audit"]).stdout;
        assert!(audit.contains("database.move"), "{audit}");
        let mut server = folder.serve(&[]);
        let step = serde_json::json!({
            "run_id": "after", "step_id": "s1", "step_name": "answer", "model": "m", "prompt": "What?",
            "output_code": "That.", "latency_ms": 640, "status_success": true
        });
        server.ingest("/ingest", &step, None);
        assert_eq!(server.json("/api/runs?limit=1")["items"][0]["run_id"], "after");
        assert_eq!(server.stop(), Some(0), "{}", server.log());
        assert!(
            folder.path().join("data/postgres").exists(),
            "the source is never deleted"
        );
        folder.assert_no_postgres();
        assert_eq!(
            moved(&folder, &url, &[]).code,
            2,
            "there is nothing to move any more"
        );
    });
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_begins_anew_where_the_source_has_changed_since() {
    let (folder, given) = (Folder::new(), Folder::new());
    let postgres = given_postgres(&given).await;
    let url = empty_database(&postgres).await;
    stand_still(&postgres).await;
    block_in_place(|| {
        assert_eq!(folder.run(&["keys", "add", "first"]).code, 0);
        killed_midway(&folder, &url);
        assert_eq!(folder.run(&["keys", "add", "second"]).code, 0);
    });
    go_on(&postgres).await;
    block_in_place(|| {
        let done = moved(&folder, &url, &[]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stderr.contains("everything is copied again"), "{done:?}");
        assert!(
            done.stderr.contains("set DATABASE_URL"),
            "there is no file to write to: {done:?}"
        );
        let environment = [("DATABASE_URL", url.as_str())];
        let keys = folder.run_with(&["keys", "list"], &environment);
        assert!(
            keys.stdout.contains("first") && keys.stdout.contains("second"),
            "{keys:?}"
        );
    });
    postgres.stop().await.unwrap();
}
