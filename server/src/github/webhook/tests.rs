use domain::deploy::DeployStatus;
use serde_json::{Value, json};

use super::*;

fn options() -> GithubOptions {
    GithubOptions {
        repository: "acme/support".to_owned(),
        environments: vec!["production".to_owned()],
        workflows: vec!["deploy.yml".to_owned()],
        releases: true,
        ..GithubOptions::default()
    }
}

fn hear(event: &str, payload: &Value, options: &GithubOptions) -> Said {
    said(event, payload.to_string().as_bytes(), options).unwrap()
}

fn deployment(environment: &str) -> Value {
    json!({
        "id": 42, "sha": "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1", "ref": "main", "environment": environment,
        "created_at": "2026-11-12T14:00:00Z"
    })
}

#[test]
fn a_payload_is_json_or_a_form_and_names_its_repository() {
    let json = br#"{"repository":{"full_name":"Acme/Support"}}"#;
    let form = b"payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22Acme%2FSupport%22%7D%7D";
    for (body, is_form) in [(&json[..], false), (&form[..], true)] {
        let payload = payload(body, is_form).unwrap();
        assert_eq!(repository(&payload).as_deref(), Some("acme/support"));
    }
    assert_eq!(payload(b"other=1", true), None);
    assert_eq!(repository(b"{}"), None);
    assert_eq!(repository(b"nonsense"), None);
}

#[test]
fn only_what_counts_is_a_deploy() {
    let payload = json!({ "deployment": deployment("production"), "workflow_run": null });
    assert!(matches!(
        hear("deployment", &payload, &options()),
        Said::Deploy(_)
    ));
    let staging = json!({ "deployment": deployment("staging") });
    assert_eq!(
        hear("deployment", &staging, &options()),
        Said::Nothing(NO_DEPLOYMENT)
    );
    let status = |state: &str| {
        json!({
            "deployment": deployment("production"),
            "deployment_status": { "state": state, "created_at": "2026-11-12T14:12:00Z" }
        })
    };
    let Said::Deploy(report) = hear("deployment_status", &status("success"), &options()) else {
        panic!("a state of a deployment is heard")
    };
    assert_eq!(report.record.status, Some(DeployStatus::Success));
    for state in ["inactive", "of the future"] {
        let said = hear("deployment_status", &status(state), &options());
        assert!(matches!(said, Said::Nothing(_)), "{state}");
    }
    let run = |path: &str, event: &str| {
        json!({
            "action": "completed",
            "workflow_run": {
                "id": 7, "head_branch": "main", "head_sha": "c4e2117a90", "path": path, "event": event,
                "status": "completed", "conclusion": "success", "created_at": "2026-11-12T14:00:00Z",
                "updated_at": "2026-11-12T14:09:00Z"
            }
        })
    };
    let deploy = ".github/workflows/deploy.yml";
    assert!(matches!(
        hear("workflow_run", &run(deploy, "push"), &options()),
        Said::Deploy(_)
    ));
    for (path, event) in [(deploy, "pull_request"), (".github/workflows/test.yml", "push")] {
        let said = hear("workflow_run", &run(path, event), &options());
        assert!(matches!(said, Said::Nothing(_)), "{path} {event}");
    }
    for (event, payload) in [("push", json!({ "ref": "refs/heads/main" })), ("star", json!({}))] {
        assert!(
            matches!(hear(event, &payload, &options()), Said::Nothing(_)),
            "{event}"
        );
    }
}

#[test]
fn a_release_without_its_commit_is_asked_for() {
    let release = |action: &str, target: &str| {
        json!({
            "action": action,
            "release": {
                "id": 3, "tag_name": "v1.2", "target_commitish": target, "published_at": "2026-11-12T14:00:00Z"
            }
        })
    };
    let sha = "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1";
    assert_eq!(
        hear("release", &release("published", "main"), &options()),
        Said::Ask
    );
    assert!(matches!(
        hear("release", &release("published", sha), &options()),
        Said::Deploy(_)
    ));
    assert!(matches!(
        hear("release", &release("deleted", sha), &options()),
        Said::Nothing(_)
    ));
    let without = GithubOptions {
        releases: false,
        ..options()
    };
    assert!(matches!(
        hear("release", &release("published", sha), &without),
        Said::Nothing(_)
    ));
}

#[test]
fn another_shape_is_an_error_and_no_deploy() {
    for event in ["deployment", "deployment_status", "workflow_run", "release"] {
        for payload in [
            "",
            "[]",
            "{}",
            "{\"deployment\":{\"id\":\"x\"}}",
            "{\"release\":{}}",
        ] {
            assert_eq!(
                said(event, payload.as_bytes(), &options()),
                Err(Unreadable),
                "{event}"
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_of_theirs_is_kept_short_and_leads_nowhere(text in "(?s).{0,700}") {
        let mut deployment = deployment("production");
        for name in ["ref", "description"] {
            deployment[name] = json!(text);
        }
        deployment["creator"] = json!({ "login": text });
        let payload = json!({
            "deployment": deployment,
            "deployment_status": {
                "state": "success", "created_at": "2026-11-12T14:12:00Z", "log_url": text, "environment_url": text
            },
            "workflow_run": {
                "id": 7, "head_branch": text, "head_sha": text, "display_title": text,
                "created_at": "2026-11-12T14:00:00Z", "head_commit": { "message": text }
            }
        });
        let Said::Deploy(report) = hear("deployment_status", &payload, &options()) else {
            panic!("it tells of a deploy")
        };
        let known = report.record(None).unwrap();
        let texts = [&known.title, &known.author, &known.branch, &known.url];
        for kept in texts.into_iter().flatten() {
            assert!(kept.chars().count() <= 501 && !kept.contains('\0'), "{kept:?}");
        }
        let url = known.url.unwrap();
        assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
        repository(text.as_bytes());
        super::payload(text.as_bytes(), true);
    }
}
