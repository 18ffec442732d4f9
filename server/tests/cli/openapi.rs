//! `plumbline openapi`, and the page of the guide that is made of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::program::Folder;

#[test]
fn the_page_of_the_api_has_every_route_and_type() {
    let described = Folder::new().run(&["openapi"]);
    assert_eq!(described.code, 0, "{described:?}");
    let document = described.json();
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/api_page"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = script.stdin.take().unwrap();
    input.write_all(described.stdout.as_bytes()).unwrap();
    drop(input);
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!(" {path}`\n")), "{path}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("\n### {name}\n")), "{name}");
    }
}
