//! `plumbline sync-deploys`, and what `doctor` says of the key of secrets.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::program::Folder;

/// A GitHub with one deployment, which is live; its address.
pub(crate) fn github() -> String {
    const SHA: &str = "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let now = server::clock::now();
            let body = if head.contains("/statuses?") {
                format!("[{{\"state\":\"success\",\"created_at\":\"{now}\"}}]")
            } else if head.contains("/deployments?") {
                format!(
                    "[{{\"id\":7,\"sha\":\"{SHA}\",\"environment\":\"production\",\"created_at\":\"{now}\"}}]"
                )
            } else {
                "[]".to_owned()
            };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    origin
}

#[test]
fn sync_deploys_asks_now_and_says_what_came_of_it() {
    let folder = Folder::new();
    let key = folder.path().join("data/secret.key");
    let fresh = folder.run(&["doctor", "--json"]);
    let says = fresh.check("secrets")["message"].as_str().unwrap().to_owned();
    assert!(
        says.starts_with("the first start makes their key") && !key.exists(),
        "{says}"
    );
    let unconnected = folder.run(&["sync-deploys"]);
    assert_eq!(unconnected.code, 4, "{unconnected:?}");
    assert!(
        unconnected.stderr.contains("Settings → Integrations"),
        "{unconnected:?}"
    );

    let mut server = folder.serve(&["--addr", "127.0.0.1:0", "--allow-private-targets", "127.0.0.1"]);
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let origin = github().replace(':', "%3A").replace('/', "%2F");
    let settings = |more: &str| format!("repository=acme%2Fsupport&api_url={origin}&deployments=on{more}");
    let path = "/p/default/settings/integrations/github";
    // Paused, so that the server does not ask before us.
    let saved = server.post_from("127.0.0.1", path, &settings("&paused=on"));
    assert!(saved.contains("done=github_saved&made="), "{saved}");
    let paused = folder.run(&["sync-deploys"]);
    assert_eq!(paused.code, 1, "{paused:?}");
    assert!(paused.stderr.contains("is paused"), "{paused:?}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());

    // What was sealed with one key is sealed with another, however often that is asked for.
    let new_key = folder.path().join("new.key");
    std::fs::write(&new_key, "cd".repeat(32)).unwrap();
    let rotated = folder.run(&["secrets", "rotate", "--to", "new.key"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let again = folder.run(&["secrets", "rotate", "--to", "new.key"]);
    assert_eq!(again.code, 0, "{again:?}");
    // A third key is none that anything is sealed with, and the server's is no longer one.
    std::fs::write(folder.path().join("third.key"), "ef".repeat(32)).unwrap();
    let neither = folder.run(&["secrets", "rotate", "--to", "third.key"]);
    assert_eq!(neither.code, 1, "{neither:?}");
    assert!(neither.stderr.contains("another key"), "{neither:?}");
    std::fs::set_permissions(&new_key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&new_key, &key).unwrap();

    // Without the allowance, the private address is not called.
    let mut server = folder.serve(&[]);
    let refused = server.post_from("127.0.0.1", path, &settings(""));
    assert!(refused.contains("error=github_api_url"), "{refused}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let mut server = folder.serve(&["--addr", "127.0.0.1:0", "--allow-private-targets", "127.0.0.1"]);
    let saved = server.post_from("127.0.0.1", path, &settings(""));
    assert!(saved.contains("done=github_saved"), "{saved}");
    // Now the server asks by itself, and both may be at it.
    while server.json("/api/deploys")["items"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        std::thread::yield_now();
    }
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let synced = folder.run(&["--allow-private-targets", "127.0.0.1", "sync-deploys", "--json"]);
    assert_eq!(synced.code, 0, "{synced:?}");
    let json = synced.json();
    assert_eq!(
        (&json["recorded"], &json["error"]),
        (&0.into(), &serde_json::Value::Null),
        "{json}"
    );
    let since = ["--since", "2026-01-01T00:00:00Z"];
    let words = [
        "--allow-private-targets",
        "127.0.0.1",
        "sync-deploys",
        since[0],
        since[1],
    ];
    let again = folder.run(&words);
    assert!(again.stdout.contains("of 1 that counted"), "{again:?}");
    let elsewhere = folder.run(&["sync-deploys", "--json"]);
    assert_eq!(elsewhere.code, 1, "{elsewhere:?}");
    let says = elsewhere.json()["error"].as_str().unwrap().to_owned();
    assert!(says.contains("PLUMBLINE_ALLOW_PRIVATE_TARGETS"), "{says}");
    folder.assert_no_postgres();

    let doctor = |environment: &[(&str, &str)]| folder.run_with(&["doctor", "--json"], environment);
    let kept = doctor(&[]).check("secrets");
    assert_eq!(kept["status"], "ok");
    assert!(kept["message"].as_str().unwrap().contains("secret.key"), "{kept}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(doctor(&[]).check("secrets")["status"], "warn");
    std::fs::write(&key, "canary").unwrap();
    let broken = doctor(&[]);
    assert_eq!(
        (broken.code, &broken.check("secrets")["status"]),
        (1, &"fail".into())
    );
    assert!(!format!("{broken:?}").contains("canary"), "{broken:?}");
    let own = "ab".repeat(32);
    let from_environment = doctor(&[("PLUMBLINE_SECRET_KEY", &own)]);
    let says = from_environment.check("secrets")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(says.contains("PLUMBLINE_SECRET_KEY"), "{says}");
    assert!(!from_environment.stdout.contains(&own), "{from_environment:?}");
    let wrong = doctor(&[("PLUMBLINE_SECRET_KEY", "canary")]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(!wrong.stderr.contains("canary"), "{wrong:?}");
}
