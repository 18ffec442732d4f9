//! Syncs with GitHub, against a stand-in of its API.

use std::sync::OnceLock;

use domain::Timestamp;
use serde_json::{Value, json};
use server::github::connection::{self, Draft};
use server::github::task::{Synced, Syncing};
use storage::integrations::{self, GITHUB, Integration};
use tokio_util::sync::CancellationToken;

use crate::app::TestApp;
use crate::github_stand_in::{GithubStandIn, REPOSITORY, Refusal, TOKEN};
use crate::people::default_project;

/// A server whose project is connected to the stand-in.
pub(crate) async fn connected(github: &GithubStandIn, change: impl FnOnce(&mut Draft)) -> TestApp {
    let app = TestApp::with(|config| config.allow_private_targets = "127.0.0.1".parse().unwrap()).await;
    let mut draft = Draft {
        repository: REPOSITORY.to_owned(),
        api_url: github.origin.clone(),
        deployments: true,
        token: Some(TOKEN.to_owned()),
        ..Draft::default()
    };
    change(&mut draft);
    let (state, project) = (&app.state, default_project(&app).await.id);
    connection::save(
        &state.db,
        &state.secrets,
        &state.outbound,
        project,
        &draft,
        "mara",
    )
    .await
    .unwrap();
    app
}

pub(crate) fn syncing(app: &TestApp) -> Syncing {
    Syncing {
        db: app.state.db.clone(),
        secrets: app.state.secrets.clone(),
        outbound: app.state.outbound.clone(),
    }
}

async fn sync(app: &TestApp) -> Synced {
    sync_since(app, None).await
}

async fn sync_since(app: &TestApp, since: Option<Timestamp>) -> Synced {
    let project = default_project(app).await.id;
    let synced = syncing(app)
        .sync_next(Some(project), since, &CancellationToken::new())
        .await
        .unwrap();
    synced.unwrap_or_else(|| panic!("another one is at it"))
}

pub(crate) async fn deploys(app: &TestApp) -> Vec<Value> {
    app.get("/api/deploys?limit=500").await.1["items"]
        .as_array()
        .unwrap()
        .clone()
}

pub(crate) async fn connection_of(app: &TestApp) -> Integration {
    let project = default_project(app).await.id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    integrations::get(&mut snapshot, project, GITHUB)
        .await
        .unwrap()
        .unwrap()
}

fn sha(n: u64) -> String {
    format!("{n:07x}{}", "a".repeat(33))
}

/// So many minutes before the tests began, to the second.
fn ago(minutes: i64) -> String {
    static BEGAN: OnceLock<i64> = OnceLock::new();
    let second = BEGAN.get_or_init(|| server::clock::now().micros() / 1_000_000 * 1_000_000);
    Timestamp::from_micros(second - minutes * 60_000_000).to_string()
}

/// Deployments that went live, an hour apart, the latest last.
pub(crate) fn shipped(github: &GithubStandIn, count: u64) {
    for n in 1..=count {
        let hours = i64::try_from(count - n).unwrap() * 60;
        let (live, began, made) = (ago(hours + 200), ago(hours + 205), ago(hours + 210));
        github.deploy(n, &sha(n), &made, &[("success", &live), ("in_progress", &began)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_read_once_and_then_only_what_changed() {
    let github = GithubStandIn::start().await;
    github.small_pages(3);
    shipped(&github, 8);
    github.pull(&sha(8), 2, "Switch the model");
    let app = connected(&github, |_| {}).await;
    let first = sync(&app).await;
    assert_eq!((first.error, first.totals.recorded), (None, 8));
    let all = deploys(&app).await;
    assert_eq!(all.len(), 8);
    assert_eq!(
        (
            &all[0]["id"],
            &all[0]["pr_number"],
            &all[0]["title"],
            &all[0]["author"],
            &all[0]["status"]
        ),
        (
            &json!("github-deployment-8"),
            &json!(2),
            &json!("Switch the model"),
            &json!("mara"),
            &json!("success")
        )
    );
    assert_eq!(
        (&all[0]["started_at"], &all[0]["completed_at"]),
        (&json!(ago(205)), &json!(ago(200)))
    );
    // Three pages, and for each deployment its states and its pull request.
    assert_eq!(github.asked().len(), 3 + 8 * 2);
    // Nothing new: one question, which costs nothing, and nothing is written down.
    let second = sync(&app).await;
    assert_eq!(
        (second.error, second.totals.recorded, second.totals.corrected),
        (None, 0, 0)
    );
    let asked = github.asked();
    assert_eq!(
        asked.iter().map(|asked| asked.status).collect::<Vec<_>>(),
        [304],
        "{asked:?}"
    );
    let (_, log) = app.get("/api/audit?what=deploy").await;
    let rows = log["items"].as_array().unwrap();
    let recorded: i64 = rows
        .iter()
        .map(|row| row["details"]["recorded"].as_i64().unwrap())
        .sum();
    assert_eq!((rows.len(), recorded), (3, 8), "{log}");
    // One more: the first page, and what is new on it.
    let (began, made) = (ago(2), ago(3));
    github.deploy(9, &sha(9), &made, &[("in_progress", &began)]);
    let third = sync(&app).await;
    assert_eq!((third.totals.recorded, third.totals.corrected), (1, 0));
    let paths: Vec<String> = github.asked().into_iter().map(|asked| asked.path).collect();
    let at = |rest: &str| format!("/repos/{REPOSITORY}{rest}");
    assert_eq!(
        paths,
        [
            at("/deployments?per_page=100"),
            at("/deployments/9/statuses?per_page=100"),
            at(&format!("/commits/{}/pulls?per_page=100", sha(9))),
            format!("/repos/{REPOSITORY}/deployments?per_page=3&page=2"),
        ]
    );
    assert_eq!(deploys(&app).await[0]["status"], "in_progress");
    // It goes live; its states alone say so.
    let live = ago(1);
    github.deploy(9, &sha(9), &made, &[("success", &live), ("in_progress", &began)]);
    let fourth = sync(&app).await;
    assert_eq!((fourth.totals.recorded, fourth.totals.corrected), (0, 1));
    let latest = &deploys(&app).await[0];
    assert_eq!(
        (&latest["status"], &latest["completed_at"]),
        (&json!("success"), &json!(live))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_calls_is_obeyed_and_the_sync_goes_on_where_it_was() {
    let github = GithubStandIn::start().await;
    github.small_pages(2);
    shipped(&github, 6);
    let app = connected(&github, |_| {}).await;
    github.allow(Some(8));
    let first = sync(&app).await;
    let error = first.error.unwrap();
    assert!(
        error.starts_with("GitHub's limit of calls is reached; the sync goes on at "),
        "{error}"
    );
    let wait_s = (first.next_at.micros() - server::clock::now().micros()) / 1_000_000;
    assert!((590..=602).contains(&wait_s), "{wait_s}");
    let written = deploys(&app).await.len();
    assert!((2..6).contains(&written), "{written}");
    let connection = connection_of(&app).await;
    assert_eq!(connection.due_at, first.next_at);
    // A server does not ask before.
    assert_eq!(
        syncing(&app)
            .sync_next(None, None, &CancellationToken::new())
            .await
            .unwrap(),
        None
    );
    github.allow(None);
    github.asked();
    let second = sync(&app).await;
    assert_eq!(second.error, None);
    let all = deploys(&app).await;
    assert_eq!(all.len(), 6);
    // What was written down is not asked for again.
    let states = github.asked();
    let states = states.iter().filter(|asked| asked.path.contains("/statuses"));
    assert_eq!(states.count(), 6 - written);
    let connection = connection_of(&app).await;
    assert_eq!((connection.last_error, connection.is_claimed), (None, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_said_in_words_and_tried_again() {
    let github = GithubStandIn::start().await;
    shipped(&github, 1);
    let app = connected(&github, |_| {}).await;
    let refusal = |status: u16, headers: &[(&'static str, &str)], message: &str| Refusal {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: json!({ "message": message }),
    };
    for (refused, words, wait_s) in [
        (refusal(502, &[], ""), "answered 502; it is asked again", 60),
        (refusal(503, &[], ""), "answered 503; it is asked again", 120),
        (
            refusal(
                403,
                &[("retry-after", "30")],
                "You have exceeded a secondary rate limit",
            ),
            "limit of calls is reached",
            30,
        ),
        (
            refusal(403, &[], "Resource not accessible by personal access token"),
            "The token needs to read deployments",
            1_200,
        ),
        (refusal(404, &[], "Not Found"), "knows no such repository", 2_400),
        (
            refusal(
                301,
                &[("location", "http://169.254.169.254/")],
                "Moved Permanently",
            ),
            "the repository has moved",
            3_600,
        ),
    ] {
        github.refuse(&[refused]);
        let synced = sync(&app).await;
        let error = synced.error.unwrap();
        assert!(error.contains(words), "{error}");
        let waited = (synced.next_at.micros() - server::clock::now().micros()) / 1_000_000;
        assert!((wait_s - 5..=wait_s).contains(&waited), "{words} {waited}");
        let connection = connection_of(&app).await;
        assert_eq!(connection.last_error.as_deref(), Some(error.as_str()));
    }
    assert!(deploys(&app).await.is_empty());
    assert_eq!(sync(&app).await.error, None);
    assert_eq!(deploys(&app).await.len(), 1);
    let connection = connection_of(&app).await;
    assert!(connection.last_ok_at.is_some() && connection.last_error.is_none());

    let app = connected(&github, |draft| {
        draft.token = Some("ghp_expired0123456".to_owned())
    })
    .await;
    let error = sync(&app).await.error.unwrap();
    assert!(error.contains("does not take the token"), "{error}");
    // A token of another server's key: nothing is asked with it.
    github.asked();
    let other = Syncing {
        secrets: server::secrets::Secrets::with_key(&server::config::SecretKey::new([9; 32])),
        ..syncing(&app)
    };
    let project = default_project(&app).await.id;
    let error = other
        .sync_next(Some(project), None, &CancellationToken::new())
        .await
        .unwrap()
        .unwrap()
        .error
        .unwrap();
    assert!(error.contains("another key than this server has"), "{error}");
    assert!(github.asked().is_empty());
}

fn run(id: u64, attempt: u64, minutes: i64, conclusion: Option<&str>) -> Value {
    json!({
        "id": id, "name": "Deploy", "display_title": "Deploy", "head_branch": "main", "head_sha": sha(id),
        "path": ".github/workflows/deploy.yml", "event": "push", "run_attempt": attempt,
        "status": if conclusion.is_some() { "completed" } else { "in_progress" }, "conclusion": conclusion,
        "html_url": format!("https://github.com/acme/support/actions/runs/{id}"), "created_at": ago(minutes),
        "run_started_at": ago(minutes), "updated_at": ago(minutes - 4), "actor": { "login": "jonas" },
        "head_commit": { "message": format!("Ship {id} (#{id})") }, "pull_requests": [],
        "repository": { "full_name": REPOSITORY }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_workflows_and_releases_count_where_that_is_set() {
    let github = GithubStandIn::start().await;
    github.run(run(1, 1, 90, Some("success")));
    github.run(run(2, 1, 80, Some("failure")));
    github.run(run(3, 1, 70, Some("skipped")));
    github.run(run(4, 1, 60, None));
    let mut of_topic = run(5, 1, 50, Some("success"));
    of_topic["head_branch"] = json!("topic");
    github.run(of_topic);
    let mut tests = run(6, 1, 40, Some("success"));
    tests["path"] = json!(".github/workflows/test.yml");
    github.run(tests);
    let out = json!({
        "id": 9, "tag_name": "v1.2", "target_commitish": "main", "name": "Better answers", "draft": false,
        "prerelease": false, "created_at": ago(45), "published_at": ago(30), "author": { "login": "mara" },
        "html_url": "https://github.com/acme/support/releases/tag/v1.2"
    });
    github.release(out.clone(), &sha(77));
    let mut draft = out;
    (draft["id"], draft["draft"], draft["tag_name"]) = (json!(10), json!(true), json!("v1.3"));
    github.release(draft, &sha(78));
    let app = connected(&github, |draft| {
        draft.deployments = false;
        draft.workflows = "deploy.yml".to_owned();
        draft.branch = "main".to_owned();
        draft.releases = true;
    })
    .await;
    assert_eq!(sync(&app).await.error, None);
    let seen = async || -> Vec<(String, String)> {
        let mut all: Vec<_> = deploys(&app)
            .await
            .iter()
            .map(|one| {
                let word = |name: &str| one[name].as_str().unwrap().to_owned();
                (word("id"), word("status"))
            })
            .collect();
        all.sort();
        all
    };
    let pair = |id: &str, status: &str| (id.to_owned(), status.to_owned());
    let expected = [
        pair("github-release-9", "success"),
        pair("github-run-1", "success"),
        pair("github-run-2", "failure"),
        pair("github-run-4", "in_progress"),
    ];
    assert_eq!(seen().await, expected);
    let (_, release) = app.get("/api/deploys/github-release-9").await;
    assert_eq!(
        (&release["sha"], &release["title"]),
        (&json!(sha(77)), &json!("Better answers"))
    );
    let (_, first) = app.get("/api/deploys/github-run-1").await;
    assert_eq!(
        (&first["pr_number"], &first["title"], &first["branch"]),
        (&json!(1), &json!("Ship 1 (#1)"), &json!("main"))
    );
    // One ends, one is run again, and nothing is recorded of what did not change.
    github.run(run(4, 1, 60, Some("success")));
    let mut again = run(1, 2, 90, Some("success"));
    again["run_started_at"] = json!(ago(10));
    github.run(again);
    let synced = sync(&app).await;
    assert_eq!(
        (synced.error, synced.totals.recorded, synced.totals.corrected),
        (None, 1, 1)
    );
    let mut expected = expected.to_vec();
    expected.insert(2, pair("github-run-1-2", "success"));
    expected[4] = pair("github-run-4", "success");
    assert_eq!(seen().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn since_reads_again_what_is_known_and_corrects_it() {
    let github = GithubStandIn::start().await;
    shipped(&github, 2);
    let app = connected(&github, |_| {}).await;
    sync(&app).await;
    // Somebody corrects what shipped, long after; no list says so.
    let wrong = json!({ "id": "github-deployment-1", "sha": sha(1), "status": "failure" });
    assert_eq!(app.post("/api/deploys", &wrong).await.0, 200);
    assert_eq!(sync(&app).await.totals.corrected, 0);
    let since = Timestamp::parse_rfc3339(&ago(10_000)).unwrap();
    assert_eq!(sync_since(&app, Some(since)).await.totals.corrected, 1);
    let (_, first) = app.get("/api/deploys/github-deployment-1").await;
    assert_eq!(first["status"], "success");
}
