//! What a move would do, and what is in its way.

use domain::text;
use storage::relocation::{Part, Target, TargetState};

use super::super::output;
use crate::config::DatabaseUrl;
use crate::database::Database;

/// Why the move can't begin, one sentence each, with what to do.
pub(super) fn obstacles(target: &Target, url: &DatabaseUrl) -> Vec<String> {
    let mut found = Vec::new();
    let Target {
        state,
        user,
        encoding,
        may_create,
        may_act,
    } = target;
    if *state == TargetState::InUse {
        found.push(format!(
            "the {url} is not empty. Name an empty one; if a move into it was finished before, only database_url is left to \
             be set"
        ));
    }
    if encoding != "UTF8" {
        found.push(format!(
            "the {url} keeps texts as {encoding}. Make it with `createdb --encoding UTF8 --template template0`"
        ));
    }
    if !may_create {
        found.push(format!(
            "{user} may not create tables in the {url}. Make it the database's owner"
        ));
    }
    if !may_act {
        found.push(format!(
            "{user} can't act as plumbline_app. Let an administrator run: create role plumbline_app nologin; grant \
             plumbline_app to {user}"
        ));
    }
    found
}

/// The databases, and what is in the source by table.
pub(super) fn print(source: &Database, target: &Database, found: &Target, parts: &[Part]) {
    let state = match found.state {
        TargetState::Empty => "empty".to_owned(),
        TargetState::Unfinished { copied } => format!("{copied} of {} parts copied before", parts.len()),
        TargetState::InUse => "not empty".to_owned(),
    };
    let bytes: i64 = parts.iter().map(|part| part.bytes).sum();
    output::line(&format!("from  {}", source.description()));
    output::line(&format!("to    {} ({state})", target.description()));
    output::line("");
    output::table(["TABLE", "PARTS", "ON DISK"], &by_table(parts));
    output::line("");
    output::line(&format!(
        "{} on disk in {} parts. How much is free there can't be asked over SQL: as much is needed, and while rows come in the \
         same again for the write-ahead log.",
        mebibytes(bytes),
        text::grouped(parts.len() as u64)
    ));
}

/// A row for each table, in the order in which they are copied.
fn by_table(parts: &[Part]) -> Vec<[String; 3]> {
    parts
        .chunk_by(|one, next| one.table == next.table)
        .filter_map(|of_table| {
            let bytes = of_table.iter().map(|part| part.bytes).sum();
            let table = of_table.first()?.table.clone();
            Some([table, of_table.len().to_string(), mebibytes(bytes)])
        })
        .collect()
}

fn mebibytes(bytes: i64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_said_with_what_to_do() {
        let check = |change: fn(&mut Target), expected: &[&str]| {
            let mut target = Target {
                state: TargetState::Empty,
                user: "mover".to_owned(),
                encoding: "UTF8".to_owned(),
                may_create: true,
                may_act: true,
            };
            change(&mut target);
            let url: DatabaseUrl = "postgres://mover:canary@h/d".parse().unwrap();
            let found = obstacles(&target, &url);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (said, part) in found.iter().zip(expected) {
                assert!(said.contains(part) && !said.contains("canary"), "{said}");
            }
        };
        check(|_| {}, &[]);
        check(|target| target.state = TargetState::Unfinished { copied: 3 }, &[]);
        check(|target| target.state = TargetState::InUse, &["not empty"]);
        check(
            |target| target.encoding = "LATIN1".to_owned(),
            &["--encoding UTF8"],
        );
        check(
            |target| {
                target.may_create = false;
                target.may_act = false;
            },
            &["owner", "grant plumbline_app to mover"],
        );
    }
}
