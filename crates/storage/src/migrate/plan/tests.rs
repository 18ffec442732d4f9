use super::*;

/// `table mode work` of each lock, or `unknown`.
fn check(sql: &str, expected: &[(&str, LockMode, Work)]) {
    let planned = plan(sql);
    assert_eq!(planned.len(), 1, "{sql}");
    let expected: Vec<TableLock> = expected
        .iter()
        .map(|(table, mode, work)| lock(table, *mode, *work))
        .collect();
    assert_eq!(planned[0].locks.as_deref(), Some(expected.as_slice()), "{sql}");
}

#[test]
fn what_is_new_locks_what_it_refers_to() {
    use LockMode::{AccessExclusive, ShareRowExclusive};
    check("create table a (b int)", &[]);
    check(
        "create table a (b uuid references projects on delete cascade, c uuid references projects (d))",
        &[("projects", ShareRowExclusive, Work::Moment)],
    );
    check("create table if not exists a (b uuid references a)", &[]);
    check(
        "create table a_default partition of a default",
        &[("a", AccessExclusive, Work::Moment)],
    );
}

#[test]
fn indexes_let_writers_wait_unless_they_are_built_beside_them() {
    use LockMode::{Share, ShareUpdateExclusive};
    check("create index i on steps (a, b)", &[("steps", Share, Work::Reads)]);
    check(
        "create unique index if not exists i on public.steps using btree (a)",
        &[("steps", Share, Work::Reads)],
    );
    check(
        "create index concurrently i on steps (a) where b",
        &[("steps", ShareUpdateExclusive, Work::Reads)],
    );
    check(
        "create index i on only steps (a)",
        &[
            ("steps", Share, Work::Moment),
            ("steps", ShareUpdateExclusive, Work::Reads),
        ],
    );
}

#[test]
fn a_changed_table_has_the_strongest_lock_of_its_actions() {
    use LockMode::{AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};
    let alter = |action: &str, mode: LockMode, work: Work| {
        check(
            &format!("alter table only steps {action}"),
            &[("steps", mode, work)],
        );
    };
    alter("add column a boolean", AccessExclusive, Work::Moment);
    alter(
        "add column a boolean not null default true",
        AccessExclusive,
        Work::Moment,
    );
    alter(
        "add column a uuid default gen_random_uuid()",
        AccessExclusive,
        Work::Rewrites,
    );
    alter("add column a bigserial", AccessExclusive, Work::Rewrites);
    alter("add column a int check (a > 0)", AccessExclusive, Work::Reads);
    alter("alter a type bigint", AccessExclusive, Work::Rewrites);
    alter("alter column a set not null", AccessExclusive, Work::Reads);
    alter("alter column a drop not null", AccessExclusive, Work::Moment);
    alter("drop column a", AccessExclusive, Work::Moment);
    alter("enable row level security", AccessExclusive, Work::Moment);
    alter(
        "add constraint c check (a > 0) not valid",
        AccessExclusive,
        Work::Moment,
    );
    alter("add constraint c check (a > 0)", AccessExclusive, Work::Reads);
    alter("validate constraint c", ShareUpdateExclusive, Work::Reads);
    alter(
        "set (fillfactor = 85, autovacuum_enabled = off)",
        ShareUpdateExclusive,
        Work::Moment,
    );
    alter(
        "add column a int, add constraint c check (a > 0 and b in (1, 2)), drop d",
        AccessExclusive,
        Work::Reads,
    );
    check(
        "alter table steps add constraint f foreign key (a) references runs (a) not valid",
        &[
            ("steps", ShareRowExclusive, Work::Moment),
            ("runs", ShareRowExclusive, Work::Moment),
        ],
    );
}

#[test]
fn rows_are_written_beside_readers_and_writers() {
    use LockMode::RowExclusive;
    for sql in [
        "update steps s set a = 1 where b = ';'",
        "delete from only steps",
        "insert into steps (a) select 1",
    ] {
        check(sql, &[("steps", RowExclusive, Work::Rows)]);
    }
}

#[test]
fn what_the_text_does_not_say_is_unknown() {
    for sql in [
        "do $$ begin alter table steps add column a int; end $$",
        "select some_function()",
        "cluster steps",
        "drop index i",
    ] {
        assert_eq!(plan(sql)[0].locks, None, "{sql}");
    }
}

/// A kind of statement that is new to this file is added to it, or it is a block of code.
#[test]
fn every_migration_is_understood() {
    for migration in crate::migrate::MIGRATOR.iter() {
        let planned = plan(migration.sql.as_str());
        assert!(!planned.is_empty(), "{}", migration.description);
        for statement in planned {
            assert!(
                statement.locks.is_some() || statement.sql.starts_with("do "),
                "{}: {}",
                migration.description,
                statement.sql
            );
        }
    }
}
