//! Every test has a time limit that names it, whatever crate it is in: cargo starts test programs through a script.

use std::path::PathBuf;
use std::process::Command;

use crate::repository::{read, root};

#[test]
fn cargo_starts_tests_with_a_time_limit() {
    let configuration: toml::Table = read(".cargo/config.toml").parse().unwrap();
    assert_eq!(
        configuration["target"]["cfg(unix)"]["runner"].as_str(),
        Some("scripts/run_program")
    );
}

/// Runs `program`, a script, as cargo would run a test program, with a second more than the minute after which the
/// harness notices a slow test by itself.
fn run(name: &str, program: &str) -> (Option<i32>, String) {
    // The script knows test programs by their folder.
    let folder: PathBuf = std::env::temp_dir().join(format!("plumbline-tidy-{}-{name}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/bin", folder.join("deps")).unwrap();
    let output = Command::new(root().join("scripts/run_program"))
        .arg(folder.join("deps/sh"))
        .args(["-c", program])
        .env("PLUMBLINE_TEST_SECONDS", "61")
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_test_that_hangs_is_named_and_stopped() {
    let (code, output) = run(
        "hangs",
        "echo 'test one::quick ... ok'; echo 'test two::stuck has been running for over 60 seconds'; exec sleep 600",
    );
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("test two::stuck has not ended after 61 s"),
        "{output}"
    );
}

#[test]
fn a_slow_test_that_ends_is_let_go_on() {
    let (code, output) = run(
        "ends",
        "echo 'test two::slow has been running for over 60 seconds'; echo 'test two::slow ... ok'; sleep 2.5; \
         echo 'test result: ok'; exit 7",
    );
    assert_eq!(code, Some(7), "the program's own code: {output}");
    assert!(output.ends_with("test result: ok\n"), "{output}");
}
