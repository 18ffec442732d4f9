use serde_json::{Value, json};

use super::*;

const SHA: &str = "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1";
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn options() -> GithubOptions {
    GithubOptions {
        repository: "acme/support".to_owned(),
        workflows: vec!["deploy.yml".to_owned()],
        releases: true,
        ..GithubOptions::default()
    }
}

fn deployment() -> Deployment {
    serde_json::from_value(json!({
        "id": 42, "sha": SHA, "ref": "main", "environment": "production", "description": "the answer",
        "creator": { "login": "jonas" }, "created_at": "2026-11-12T14:00:00Z", "updated_at": "2026-11-12T14:12:00Z"
    }))
    .unwrap()
}

fn states(all: &[(&str, &str)]) -> Vec<DeploymentState> {
    let state = |(state, time): &(&str, &str)| {
        let log = "https://github.com/acme/support/actions/runs/1";
        json!({ "state": state, "created_at": format!("2026-11-12T{time}:00Z"), "log_url": log })
    };
    serde_json::from_value(all.iter().map(state).collect()).unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2026-11-12T{text}:00Z")).unwrap()
}

#[test]
fn a_deployment_is_what_its_states_say() {
    let check = |all: &[(&str, &str)], status: DeployStatus, started: Option<&str>, live: Option<&str>| {
        let report = deployment().with_states(&options(), &states(all)).unwrap();
        let deploy = report.record(None).unwrap().applied_to(None, NOW);
        let live = live.map(time);
        assert_eq!(
            (deploy.status, deploy.started_at, deploy.completed_at),
            (status, started.map(time), live),
            "{all:?}"
        );
    };
    use DeployStatus::{Cancelled, Failure, InProgress, Success};
    check(&[], InProgress, None, None);
    check(&[("queued", "14:01")], InProgress, Some("14:00"), None);
    let live = [
        ("success", "14:12"),
        ("in_progress", "14:05"),
        ("queued", "14:01"),
    ];
    check(&live, Success, Some("14:05"), Some("14:12"));
    check(
        &[&[("inactive", "15:00")], &live[..]].concat(),
        Success,
        Some("14:05"),
        Some("14:12"),
    );
    check(
        &[("failure", "14:12"), ("in_progress", "14:05")],
        Failure,
        Some("14:05"),
        None,
    );
    check(&[("error", "14:12")], Failure, Some("14:00"), None);
    check(&[("inactive", "14:12")], Cancelled, Some("14:00"), None);
}

#[test]
fn events_of_a_deployment_agree_in_whatever_order_they_come() {
    let (deployment, options) = (deployment(), options());
    let states = states(&[
        ("success", "14:12"),
        ("in_progress", "14:05"),
        ("inactive", "15:00"),
    ]);
    let of = |index: usize| deployment.changed(&options, None, &states[index]);
    assert_eq!(of(2), None, "when it was live is not said");
    let reports = [deployment.made(&options, None), of(1), of(0)];
    let mut ends = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut known = None;
        for index in order {
            let report = reports[index].clone().unwrap();
            let record = report.record(known.as_ref()).unwrap();
            known = Some(record.applied_to(known, NOW));
        }
        let deploy = known.unwrap();
        assert_eq!(
            (deploy.id.as_str(), deploy.status, deploy.completed_at),
            ("github-deployment-42", DeployStatus::Success, Some(time("14:12"))),
            "{order:?}"
        );
        ends.push(deploy.started_at);
    }
    assert_eq!(ends[0], Some(time("14:05")));
}

fn run(change: Value) -> Run {
    let mut run = json!({
        "id": 7, "name": "Deploy", "display_title": "Switch the model", "head_branch": "main", "head_sha": SHA,
        "path": ".github/workflows/deploy.yml", "event": "push", "status": "completed", "conclusion": "success",
        "html_url": "https://github.com/acme/support/actions/runs/7", "run_attempt": 1,
        "created_at": "2026-11-12T14:00:00Z", "run_started_at": "2026-11-12T14:01:00Z",
        "updated_at": "2026-11-12T14:09:00Z", "actor": { "login": "jonas" }, "pull_requests": [],
        "head_commit": { "message": "Switch the model (#2)\n\nIt is better" }
    });
    for (name, value) in change.as_object().unwrap() {
        run[name] = value.clone();
    }
    serde_json::from_value(run).unwrap()
}

#[test]
fn a_run_is_a_deploy_when_it_went_well() {
    let deploy = |change: Value| {
        let report = run(change).report(&options())?;
        Some(report.record(None)?.applied_to(None, NOW))
    };
    let live = deploy(json!({})).unwrap();
    assert_eq!(
        (
            live.id.as_str(),
            live.title.as_deref(),
            live.pr_number,
            live.author.as_deref()
        ),
        (
            "github-run-7",
            Some("Switch the model (#2)"),
            Some(2),
            Some("jonas")
        )
    );
    assert_eq!(
        (live.started_at, live.completed_at, live.branch.as_deref()),
        (Some(time("14:01")), Some(time("14:09")), Some("main"))
    );
    let again = deploy(json!({ "run_attempt": 3 })).unwrap();
    assert_eq!(again.id, "github-run-7-3");
    let check = |change: Value, status: DeployStatus| {
        let deploy = deploy(change).unwrap();
        assert_eq!((deploy.status, deploy.completed_at), (status, None));
    };
    check(
        json!({ "status": "in_progress", "conclusion": null }),
        DeployStatus::InProgress,
    );
    check(json!({ "conclusion": "timed_out" }), DeployStatus::Failure);
    check(json!({ "conclusion": "cancelled" }), DeployStatus::Cancelled);
    // Nothing shipped, so nothing is said of one that is not known.
    assert_eq!(deploy(json!({ "conclusion": "skipped" })), None);
    let skipped = run(json!({ "conclusion": "skipped" }))
        .report(&options())
        .unwrap();
    let ended = skipped
        .record(Some(&live))
        .unwrap()
        .applied_to(Some(live.clone()), NOW);
    assert_eq!(ended.status, DeployStatus::Cancelled);
    // What happens to the run's logs later is no other end of it.
    let later = run(json!({ "updated_at": "2026-12-12T14:09:00Z" }))
        .report(&options())
        .unwrap();
    let record = later.record(Some(&live)).unwrap();
    assert_eq!(record.applied_to(Some(live.clone()), NOW), live);
    assert_eq!(deploy(json!({ "head_sha": "main" })), None);
}

#[test]
fn a_release_names_its_commit_or_not() {
    let release = |change: Value| -> Release {
        let mut release = json!({
            "id": 3, "tag_name": "v1.2", "target_commitish": "main", "name": "Better answers", "draft": false,
            "prerelease": false, "created_at": "2026-11-12T13:00:00Z", "published_at": "2026-11-12T14:00:00Z",
            "html_url": "https://github.com/acme/support/releases/tag/v1.2", "author": { "login": "jonas" }
        });
        for (name, value) in change.as_object().unwrap() {
            release[name] = value.clone();
        }
        serde_json::from_value(release).unwrap()
    };
    assert_eq!(release(json!({})).named_sha(), None);
    // A branch of that name is not a sha.
    assert_eq!(
        release(json!({ "target_commitish": "deadbeef" })).named_sha(),
        None
    );
    assert_eq!(
        release(json!({ "target_commitish": SHA })).named_sha().as_deref(),
        Some(SHA)
    );
    assert!(release(json!({})).is_out());
    assert!(!release(json!({ "draft": true })).is_out() && !release(json!({ "prerelease": true })).is_out());
    let report = release(json!({})).report(&options(), SHA.to_owned());
    let deploy = report.record(None).unwrap().applied_to(None, NOW);
    assert_eq!(
        (deploy.id.as_str(), deploy.title.as_deref(), deploy.completed_at),
        ("github-release-3", Some("Better answers"), Some(time("14:00")))
    );
}

#[test]
fn a_commit_s_pull_request_is_the_merged_one() {
    let pulls: Vec<Pull> = serde_json::from_value(json!([
        { "number": 5, "title": "another", "user": null, "html_url": null, "merged_at": null },
        { "number": 2, "title": "Switch the model", "user": { "login": "mara" },
          "html_url": "https://github.com/acme/support/pull/2", "merged_at": "2026-11-12T13:50:00Z" }
    ]))
    .unwrap();
    let pull = pull_of(SHA, &pulls);
    assert_eq!((pull.pr_number, pull.author.as_deref()), (Some(2), Some("mara")));
    assert_eq!(pull_of(SHA, &pulls[..1]).pr_number, Some(5));
    assert_eq!(pull_of(SHA, &[]).pr_number, None);
    let report = deployment().with_states(&options(), &[]).unwrap();
    let deploy = with_pull(report, &pull).record(None).unwrap();
    assert_eq!(
        (deploy.title.as_deref(), deploy.url.as_deref()),
        (
            Some("Switch the model"),
            Some("https://github.com/acme/support/pull/2")
        )
    );
}

#[test]
fn texts_of_others_are_cut_and_links_are_of_the_web() {
    assert_eq!(cut(Some("a\0b\nsecond line")).as_deref(), Some("ab"));
    assert_eq!(cut(Some(" \n ")), None);
    assert_eq!(
        cut(Some(&"x".repeat(900))).unwrap().chars().count(),
        MAX_CHARS + 1
    );
    for bad in ["javascript:alert(1)", "data:text/html,x", "/x", "https://a\u{7}b"] {
        assert_eq!(web(Some(bad)), None, "{bad}");
    }
    assert_eq!(web(Some("https://a.dev/x")).as_deref(), Some("https://a.dev/x"));
}
