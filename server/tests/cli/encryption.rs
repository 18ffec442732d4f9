//! What lies on the disk of a project with encrypted texts, and that they survive another key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Folder, Server};

const PLAIN: &str = "kestrels over the plain field";
const SEALED: &str = "herons under the sealed bridge";

fn speaking(run: &str, said: &str) -> Value {
    json!({
        "run_id": run, "step_id": "s", "step_name": "answer", "model": "m", "latency_ms": 5, "status_success": true,
        "prompt": said, "output_code": said, "prompt_template": said,
        "events": [{ "at": "2026-11-30T10:00:00Z", "name": "e", "attributes": { "said": said } }],
    })
}

/// Whether any file below a folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => holds(&path, text),
            kind if kind.is_file() => std::fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|window| window == text.as_bytes()),
            _ => false,
        }
    })
}

fn payload(server: &Server) -> Value {
    server.json("/api/runs/sealed/steps/s/payload")
}

#[test]
fn no_file_of_the_database_holds_an_encrypted_text_and_another_key_opens_it_after_rotation() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    server.ingest("/ingest", &speaking("plain", PLAIN), None);
    let switched = server.post_from("127.0.0.1", "/p/default/settings/encryption", "payloads=on");
    assert!(switched.contains("done=encrypted"), "{switched}");
    server.ingest("/ingest", &speaking("sealed", SEALED), None);
    let read = payload(&server);
    assert_eq!(
        (&read["input"], &read["output"]),
        (&json!(SEALED), &json!(SEALED)),
        "{read}"
    );
    assert_eq!(server.stop(), Some(0), "{}", server.log());

    // Tables, indexes and the write-ahead log, after Postgres has written all of it down.
    let data = folder.path().join("data");
    assert!(holds(&data, PLAIN), "the search finds what is stored in clear");
    assert!(!holds(&data, SEALED), "a file of the data folder holds the text");

    let key = data.join("secret.key");
    let new_key = folder.path().join("new.key");
    std::fs::write(&new_key, "cd".repeat(32)).unwrap();
    std::fs::set_permissions(&new_key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let rotated = folder.run(&["secrets", "rotate", "--to", "new.key"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    // With the old key it is closed, and the command says why.
    let export = ["export", "steps"];
    let closed = folder.run(&export);
    assert_ne!(closed.code, 0, "{closed:?}");
    assert!(closed.stderr.contains("encrypted"), "{closed:?}");
    std::fs::rename(&new_key, &key).unwrap();
    let open = folder.run(&export);
    assert_eq!(open.code, 0, "{open:?}");
    assert!(open.stdout.contains(SEALED), "{open:?}");
    folder.assert_no_postgres();
}
