//! What docs/backup.md says, done: a dump of the private Postgres in use, restored beside the key of secrets and the spool
//! into a Postgres of another machine; and a copied data folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::given_postgres;
use crate::integrations::github;
use crate::program::{Folder, Server};

const ANOTHER_KEY: &str = "abababababababababababababababababababababababababababababababab";
/// The stand-in for GitHub is on this machine.
const SERVE: [&str; 4] = ["--addr", "127.0.0.1:0", "--allow-private-targets", "127.0.0.1"];
const SYNC: [&str; 4] = ["--allow-private-targets", "127.0.0.1", "sync-deploys", "--json"];

/// The folder with `pg_dump` and `pg_restore` of the Postgres that servers run here. npm's package has none.
fn client_programs() -> Option<PathBuf> {
    let found = private_postgres::find_binaries(None, None).ok()?;
    let folder = found.folder().to_owned();
    (folder.join("pg_dump").exists() && folder.join("pg_restore").exists()).then_some(folder)
}

fn must_run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn copy(from: &Path, to: &Path) {
    must_run(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn ingest(server: &Server, run_id: &str) {
    let step = json!({
        "run_id": run_id, "step_id": "s1", "step_name": "answer", "model": "m", "prompt": "What?", "output_code": "That.",
        "latency_ms": 640, "status_success": true
    });
    server.ingest("/ingest", &step, None);
}

fn runs(server: &Server) -> Vec<String> {
    let listed = server.json("/api/runs?limit=10");
    let ids = listed["items"].as_array().unwrap().iter();
    let mut ids: Vec<String> = ids
        .map(|run| run["run_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// A server's data: a run, and GitHub's token, sealed. The dump has both, and not the run that came after it.
fn made_and_dumped(folder: &Folder, programs: &Path) {
    let mut server = folder.serve(&SERVE);
    ingest(&server, "before");
    let origin = github().replace(':', "%3A").replace('/', "%2F");
    let form = format!("repository=acme%2Fsupport&api_url={origin}&deployments=on&token=ghp_canary");
    let saved = server.post_from("127.0.0.1", "/p/default/settings/integrations/github", &form);
    assert!(saved.contains("done=github_saved"), "{saved}");
    // A sync that is under way when the dump is made is under way in it too, until its claim ends.
    server.wait_until("its sync is done", |server| {
        let listed = server.json("/api/settings/integrations")["items"].clone();
        let all = listed.as_array().unwrap();
        all.iter()
            .any(|one| one["kind"] == "github" && !one["last_ok_at"].is_null())
    });
    must_run(
        Command::new(programs.join("pg_dump"))
            .args(["--format=custom", "--username=plumbline", "--host"])
            .arg(folder.path().join("data/run"))
            .arg("--file")
            .arg(folder.path().join("plumbline.dump"))
            .arg("plumbline"),
    );
    ingest(&server, "later");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_with_the_key_and_the_spool_is_restored_into_another_postgres() {
    let Some(programs) = client_programs() else {
        return;
    };
    let (folder, restored) = (Folder::new(), Folder::new());
    block_in_place(|| made_and_dumped(&folder, &programs));

    let postgres = given_postgres(&restored).await;
    postgres.query("create role plumbline_app nologin").await.unwrap();
    let url = postgres.url();
    must_run(
        Command::new(programs.join("pg_restore"))
            .args(["--no-owner", "--exit-on-error", "--dbname", &url])
            .arg(folder.path().join("plumbline.dump")),
    );
    let data = restored.path().join("data");
    std::fs::create_dir(&data).unwrap();
    copy(&folder.path().join("data/secret.key"), &data);
    // There is one as soon as a call has had to wait.
    let spool = folder.path().join("data/spool");
    if spool.exists() {
        copy(&spool, &data);
    }

    block_in_place(|| {
        let environment = [("DATABASE_URL", url.as_str())];
        let doctor = restored.run_with(&["doctor", "--recount", "--json"], &environment);
        assert_eq!(doctor.code, 0, "{doctor:?}");
        let synced = restored.run_with(&SYNC, &environment);
        assert_eq!(
            (synced.code, &synced.json()["error"]),
            (0, &Value::Null),
            "{synced:?}"
        );
        // The dump alone opens no secret.
        let with_another = [environment[0], ("PLUMBLINE_SECRET_KEY", ANOTHER_KEY)];
        let locked = restored.run_with(&SYNC, &with_another);
        assert_eq!(locked.code, 1, "{locked:?}");

        let mut server = restored.start_serving(&SERVE, &environment);
        server.wait_until_ready();
        assert_eq!(runs(&server), ["before"]);
        ingest(&server, "after");
        assert_eq!(runs(&server), ["after", "before"]);
        assert_eq!(server.stop(), Some(0), "{}", server.log());
    });
    postgres.stop().await.unwrap();
}

#[test]
fn the_data_folder_of_a_stopped_server_is_a_backup() {
    let (folder, restored) = (Folder::new(), Folder::new());
    let mut server = folder.serve(&[]);
    ingest(&server, "before");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    copy(&folder.path().join("data"), restored.path());
    let mut server = restored.serve(&[]);
    assert_eq!(runs(&server), ["before"]);
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    restored.assert_no_postgres();
}

#[test]
fn doctor_watches_the_age_of_the_last_backup() {
    let folder = Folder::new();
    let check = || folder.run(&["doctor", "--json"]).check("backup");
    let unwatched = check();
    assert_eq!(unwatched["status"], "ok");
    assert!(
        unwatched["message"].as_str().unwrap().contains("last-backup"),
        "{unwatched}"
    );
    let marker = folder.path().join("data/last-backup");
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(&marker, "").unwrap();
    assert_eq!(check()["status"], "ok");
    must_run(Command::new("touch").args(["-t", "202601010000"]).arg(&marker));
    assert_eq!(check()["status"], "warn");
}
