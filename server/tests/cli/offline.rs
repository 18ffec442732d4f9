//! No telemetry: everything works in a network that leads nowhere, and nothing complains of it.

use std::process::{Command, Stdio};

use crate::program::{Folder, Output, finish};

#[test]
fn nothing_needs_a_network() {
    let folder = Folder::new();
    let Some(seeded) = run(&folder, &["seed", "--days", "1", "--runs", "5"]) else {
        eprintln!("skipped: this machine lets a test make no network of its own (unshare --net)");
        return;
    };
    assert_eq!(seeded.code, 0, "{seeded:?}");
    let stats = run(&folder, &["stats", "--json"]).unwrap();
    assert_eq!(stats.code, 0, "{stats:?}");
    let serve = offline(&folder.command(&["--addr", "127.0.0.1:3000", "serve"])).unwrap();
    let mut server = folder.start_server(serve);
    server.wait_for("dashboard  http://");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let log = server.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Runs a command in such a network; `None` where a test may not make one.
fn run(folder: &Folder, arguments: &[&str]) -> Option<Output> {
    let mut command = offline(&folder.command(arguments))?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(finish(command.spawn().unwrap()))
}

/// The same command in a network of its own, in which not even the loopback device is up.
fn offline(command: &Command) -> Option<Command> {
    // Who is not root needs a namespace of users for it, in which they stay who they are.
    let flags: &[&str] = if rustix::process::geteuid().is_root() {
        &["--net"]
    } else {
        &["--map-current-user", "--net"]
    };
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(flags);
        unshare
    };
    let may = unshare().arg("true").stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut offline = unshare();
    offline.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => offline.env(name, value),
            None => offline.env_remove(name),
        };
    }
    offline.current_dir(command.get_current_dir()?);
    Some(offline)
}
