//! People, from the command line: the first account, invitations, passwords, removal, and what was written down.

use serde_json::Value;

use crate::program::{Folder, Output};

/// The link that a command printed, and nothing else on stdout.
fn link<'a>(output: &'a Output, page: &str) -> &'a str {
    assert_eq!(output.code, 0, "{output:?}");
    let url = output.stdout.trim();
    let begin = format!("http://127.0.0.1:3000/{page}?token=");
    assert!(
        url.starts_with(&begin) && url.len() == begin.len() + 43,
        "{output:?}"
    );
    url
}

fn roles(folder: &Folder) -> Vec<(String, String)> {
    let people = folder.run(&["members", "list", "--json"]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = people["items"].as_array().unwrap().iter();
    items
        .map(|person| (text(&person["email"]), text(&person["role"])))
        .collect()
}

#[test]
fn the_first_account_opens_the_network() {
    let folder = Folder::new();
    let refused = folder.run(&["--addr", "0.0.0.0:0", "serve"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("plumbline members add"), "{refused:?}");
    folder.assert_no_postgres();

    let early = folder.run(&["members", "invite", "bob@example.com"]);
    assert!(
        early.code == 2 && early.stderr.contains("members add"),
        "{early:?}"
    );
    let viewer = folder.run(&["members", "add", "Ada@example.com"]);
    assert_eq!(viewer.code, 2, "the first account must be an admin: {viewer:?}");
    let given = [
        "members",
        "add",
        "ada@example.com",
        "--role",
        "admin",
        "--password-stdin",
    ];
    for weak in ["short\n", "1234567890\n", "ada@example.com\n"] {
        assert_eq!(folder.run_reading(&given, weak).code, 2, "{weak}");
    }
    let admin = folder.run(&["members", "add", "Ada@example.com", "--role", "admin"]);
    assert_eq!(admin.code, 0, "{admin:?}");
    assert_eq!(
        admin.stdout.trim().chars().count(),
        20,
        "a password, and nothing else: {admin:?}"
    );
    let mut server = folder.serve(&["--addr", "0.0.0.0:0"]);
    assert_eq!(server.stop(), Some(0), "{}", server.log());

    // Nobody else's password is made here, and none that was typed is ignored.
    let second = folder.run_reading(
        &[
            "members",
            "add",
            "bob@example.com",
            "--role",
            "admin",
            "--password-stdin",
        ],
        "blue kettle sings at noon\n",
    );
    assert!(
        second.code == 2 && second.stderr.contains("members invite"),
        "{second:?}"
    );
    assert_eq!(
        roles(&folder),
        [("ada@example.com".to_owned(), "admin".to_owned())]
    );
}

#[test]
fn people_are_invited_reset_and_removed() {
    let folder = Folder::new();
    // Beside a server, whose Postgres the commands use.
    let mut server = folder.serve(&[]);
    folder.run(&["members", "add", "ada@example.com", "--role", "admin"]);
    let invited = folder.run(&["members", "invite", "Bob@example.com", "--role", "admin"]);
    link(&invited, "invite");
    assert!(
        invited
            .stderr
            .contains("bob@example.com joins project default as admin"),
        "{invited:?}"
    );
    let listed = folder.run(&["members", "list", "--json"]).json();
    assert_eq!(listed["invited"][0]["email"], "bob@example.com");
    assert!(folder.run(&["members", "list"]).stdout.contains("invited until"));
    let again = folder.run(&["members", "invite", "ada@example.com"]);
    assert!(again.code == 1 && again.stderr.contains("already"), "{again:?}");
    assert_eq!(
        folder
            .run(&["members", "invite", "x@y", "--project", "none"])
            .code,
        4
    );
    let as_json = folder
        .run(&["members", "invite", "cy@example.com", "--json"])
        .json();
    assert!(
        as_json["url"].as_str().unwrap().contains("/invite?token="),
        "{as_json}"
    );

    link(
        &folder.run(&["members", "reset-password", "ADA@example.com"]),
        "reset",
    );
    let reset = ["members", "reset-password", "ada@example.com", "--password-stdin"];
    assert_eq!(folder.run_reading(&reset, "short\n").code, 2);
    let set = folder.run_reading(&reset, "blue kettle sings at noon\n");
    assert_eq!((set.code, set.stdout.as_str()), (0, ""), "{set:?}");
    assert_eq!(
        folder
            .run(&["members", "reset-password", "none@example.com"])
            .code,
        4
    );

    let last = folder.run(&["members", "remove", "ada@example.com"]);
    assert!(
        last.code == 1 && last.stderr.contains("only admin of project default"),
        "{last:?}"
    );
    for arguments in [
        &["accounts", "remove", "ada@example.com"][..],
        &["accounts", "remove", "ada@example.com", "--force"],
        &["accounts", "admin", "ada@example.com", "--revoke"],
    ] {
        let last = folder.run(arguments);
        assert!(
            last.code == 1 && last.stderr.contains("only admin of this server"),
            "{last:?}"
        );
    }
    assert_eq!(folder.run(&["accounts", "remove", "none@example.com"]).code, 4);
    let accounts = folder.run(&["accounts", "list", "--json"]).json();
    assert_eq!(
        (
            &accounts["items"][0]["instance_admin"],
            &accounts["items"][0]["projects"]
        ),
        (&Value::from(true), &serde_json::json!(["default"]))
    );

    let log = folder.run(&["audit", "--json", "--limit", "500"]);
    let log = log.json();
    let actions: Vec<(&str, &str)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|row| (row["action"].as_str().unwrap(), row["subject"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            ("key.make", "default"),
            ("account.make", "ada@example.com"),
            ("member.add", "ada@example.com"),
            ("invitation.make", "bob@example.com"),
            ("invitation.make", "cy@example.com"),
            ("password.reset_link", "ada@example.com"),
            ("password.reset", "ada@example.com"),
        ]
    );
    assert!(!log.to_string().contains("kettle"), "{log}");
    let resets = folder
        .run(&["audit", "--what", "password", "--who", "ADA", "--json"])
        .json();
    assert_eq!(resets["items"].as_array().unwrap().len(), 2);
    let of_project = folder.run(&["audit", "--project", "default"]).stdout;
    assert!(
        of_project.contains("invitation.make") && !of_project.contains("password"),
        "{of_project}"
    );
    assert_eq!(folder.run(&["audit", "--from", "yesterday"]).code, 2);
    let later = folder.run(&["audit", "--from", "2999-01-01", "--json"]).json();
    assert_eq!(later["items"], serde_json::json!([]));
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

/// The resident memory of a process, in bytes.
#[cfg(target_os = "linux")]
fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024
}

/// M1: 19 MiB of argon2 stayed in the allocator for each thread that had ever hashed.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_sign_ins() {
    const AT_ONCE: usize = 16;
    let folder = Folder::new();
    folder.run(&["members", "add", "ada@example.com", "--role", "admin"]);
    let mut server = folder.serve(&["--addr", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1"]);
    let round = |begin: usize| {
        std::thread::scope(|scope| {
            for n in begin..begin + AT_ONCE {
                let server = &server;
                let body = format!("email=person{n}%40example.com&password=guess");
                scope.spawn(move || {
                    server.post_from(&format!("10.0.{}.{}", n / 250, n % 250), "/login", &body)
                });
            }
        });
    };
    round(0);
    let before = resident_bytes(server.pid());
    for n in 1..13 {
        round(n * AT_ONCE);
    }
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(
        grown < 60 * 1_024 * 1_024,
        "{grown} bytes more after 192 attempts"
    );
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(server.log().contains("a sign-in failed"), "{}", server.log());
}
