//! What a migration locks, worked out from its text by what Postgres documents of each statement
//! (<https://www.postgresql.org/docs/current/explicit-locking.html>, and the notes of each command). A statement that
//! is not known here is said to be unknown, never to be harmless.

use super::statements::{statements, words};

/// How strong a lock of a table is, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// As every write takes it: readers and writers go on.
    RowExclusive,
    /// Readers and writers go on; other changes of the schema wait.
    ShareUpdateExclusive,
    /// Writers wait.
    Share,
    /// Writers wait.
    ShareRowExclusive,
    /// Readers and writers wait.
    AccessExclusive,
}

/// How long a lock is needed for. It is held to the end of the migration in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A change of the catalogue: milliseconds, whatever the table's size.
    Moment,
    /// The rows that the statement names.
    Rows,
    /// The whole table is read.
    Reads,
    /// The whole table is written anew.
    Rewrites,
}

/// A lock of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLock {
    pub table: String,
    pub mode: LockMode,
    pub work: Work,
}

/// A statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStatement {
    pub sql: String,
    /// None where the text does not say, as that of a `do` block.
    pub locks: Option<Vec<TableLock>>,
}

impl LockMode {
    /// Its name in Postgres' documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who waits meanwhile.
    pub fn who_waits(self) -> &'static str {
        match self {
            Self::RowExclusive | Self::ShareUpdateExclusive => "nobody waits",
            Self::Share | Self::ShareRowExclusive => "writers wait",
            Self::AccessExclusive => "readers and writers wait",
        }
    }
}

impl Work {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moment => "a moment",
            Self::Rows => "as long as its rows take",
            Self::Reads => "while the table is read",
            Self::Rewrites => "while the table is written anew",
        }
    }
}

/// The statements of a migration, in their order.
pub(super) fn plan(script: &str) -> Vec<PlannedStatement> {
    statements(script)
        .into_iter()
        .map(|sql| PlannedStatement {
            locks: locks(&words(&sql)),
            sql,
        })
        .collect()
}

fn lock(table: &str, mode: LockMode, work: Work) -> TableLock {
    TableLock {
        table: table.strip_prefix("public.").unwrap_or(table).to_owned(),
        mode,
        work,
    }
}

fn locks(words: &[String]) -> Option<Vec<TableLock>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["create", "table", rest @ ..] => Some(created_table(rest)),
        ["create", "unique", "index", rest @ ..] | ["create", "index", rest @ ..] => created_index(rest),
        ["create" | "drop" | "alter", "policy", rest @ ..] => Some(vec![lock(
            after(rest, "on")?,
            LockMode::AccessExclusive,
            Work::Moment,
        )]),
        ["create", "trigger", rest @ ..] => Some(vec![lock(
            after(rest, "on")?,
            LockMode::ShareRowExclusive,
            Work::Moment,
        )]),
        ["drop", "trigger", rest @ ..] => Some(vec![lock(
            after(rest, "on")?,
            LockMode::AccessExclusive,
            Work::Moment,
        )]),
        ["alter", "table", rest @ ..] => altered_table(skip_words(rest, &["if", "exists", "only"])),
        ["drop", "table", rest @ ..] => Some(
            skip_words(rest, &["if", "exists"])
                .iter()
                .filter(|word| !matches!(**word, "," | "cascade" | "restrict"))
                .map(|table| lock(table, LockMode::AccessExclusive, Work::Moment))
                .collect(),
        ),
        ["truncate", rest @ ..] => {
            let table = skip_words(rest, &["table", "only"]).first()?;
            Some(vec![lock(table, LockMode::AccessExclusive, Work::Moment)])
        }
        ["update", rest @ ..] => written(rest, &["only"]),
        ["delete", rest @ ..] => written(rest, &["from", "only"]),
        ["insert", rest @ ..] => written(rest, &["into"]),
        [
            "create",
            "function" | "procedure" | "sequence" | "type" | "schema" | "role" | "extension",
            ..,
        ]
        | ["create", "or", "replace", "function" | "procedure", ..]
        | [
            "drop" | "alter",
            "function" | "procedure" | "sequence" | "role",
            ..,
        ]
        | ["grant" | "revoke" | "comment" | "set", ..]
        | ["select", "setval", ..] => Some(Vec::new()),
        _ => None,
    }
}

/// The rest of `words` behind those that only qualify what follows.
fn skip_words<'a, 'b>(words: &'b [&'a str], qualifiers: &[&str]) -> &'b [&'a str] {
    let skipped = words
        .iter()
        .take_while(|word| qualifiers.contains(*word) || **word == "not")
        .count();
    words.get(skipped..).unwrap_or_default()
}

/// The word behind `word`.
fn after<'a>(words: &[&'a str], word: &str) -> Option<&'a str> {
    let at = words.iter().position(|found| *found == word)?;
    words.get(at + 1).copied()
}

/// A new table is nobody's yet. Those that it refers to must not lose rows meanwhile, and a parent gets it at once.
fn created_table(words: &[&str]) -> Vec<TableLock> {
    let mut locks = Vec::new();
    if let Some(parent) = after(words, "of").filter(|_| words.contains(&"partition")) {
        locks.push(lock(parent, LockMode::AccessExclusive, Work::Moment));
    }
    let own = skip_words(words, &["if", "exists"]).first().copied();
    for referred in referred(words).filter(|referred| Some(*referred) != own) {
        let found = lock(referred, LockMode::ShareRowExclusive, Work::Moment);
        if !locks.contains(&found) {
            locks.push(found);
        }
    }
    locks
}

fn referred<'a>(words: &[&'a str]) -> impl Iterator<Item = &'a str> {
    words.windows(2).filter_map(|pair| match *pair {
        ["references", table] => Some(table),
        _ => None,
    })
}

fn created_index(words: &[&str]) -> Option<Vec<TableLock>> {
    let at = words.iter().position(|word| *word == "on")?;
    let table = skip_words(words.get(at + 1..)?, &["only"]).first()?;
    let beside = lock(table, LockMode::ShareUpdateExclusive, Work::Reads);
    Some(match (words.first(), words.get(at + 1)) {
        (Some(&"concurrently"), _) => vec![beside],
        // One on the parent alone has nothing to read. Those of the partitions are built concurrently after the last
        // migration, one by one.
        (_, Some(&"only")) => vec![lock(table, LockMode::Share, Work::Moment), beside],
        _ => vec![lock(table, LockMode::Share, Work::Reads)],
    })
}

fn written(words: &[&str], qualifiers: &[&str]) -> Option<Vec<TableLock>> {
    let table = skip_words(words, qualifiers).first()?;
    Some(vec![lock(table, LockMode::RowExclusive, Work::Rows)])
}

/// A table gets the strongest lock of all that is done to it, for the longest work.
fn altered_table(words: &[&str]) -> Option<Vec<TableLock>> {
    let (table, actions) = words.split_first()?;
    let mut others = Vec::new();
    let (mut mode, mut work) = (LockMode::RowExclusive, Work::Moment);
    for action in split_at_commas(actions) {
        let (own_mode, own_work) = action_locks(&action);
        mode = mode.max(own_mode);
        work = work.max(own_work);
        others.extend(referred(&action).map(|other| lock(other, LockMode::ShareRowExclusive, Work::Moment)));
        if let ["attach" | "detach", "partition", partition, ..] = action.as_slice() {
            others.push(lock(partition, LockMode::AccessExclusive, own_work));
        }
    }
    let mut locks = vec![lock(table, mode, work)];
    locks.extend(others);
    Some(locks)
}

/// The actions of an `alter table`: commas within brackets belong to one.
fn split_at_commas<'a>(words: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut actions = vec![Vec::new()];
    let mut depth = 0_usize;
    for word in words {
        match *word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if *word == "," && depth == 0 {
            actions.push(Vec::new());
        } else if let Some(action) = actions.last_mut() {
            action.push(*word);
        }
    }
    actions
}

fn action_locks(action: &[&str]) -> (LockMode, Work) {
    let says = |pair: [&str; 2]| action.windows(2).any(|found| found == pair);
    let unchecked = says(["not", "valid"]);
    match action {
        ["validate", ..] => (LockMode::ShareUpdateExclusive, Work::Reads),
        ["attach", ..] => (LockMode::ShareUpdateExclusive, Work::Reads),
        ["detach", ..] if action.contains(&"concurrently") => (LockMode::ShareUpdateExclusive, Work::Moment),
        ["set", "(", ..] | ["reset", "(", ..] => (LockMode::ShareUpdateExclusive, Work::Moment),
        [
            "add",
            "constraint" | "foreign" | "check" | "unique" | "primary" | "exclude",
            ..,
        ] => {
            let work = match unchecked || says(["using", "index"]) {
                true => Work::Moment,
                false => Work::Reads,
            };
            let mode = match action.contains(&"references") {
                true => LockMode::ShareRowExclusive,
                false => LockMode::AccessExclusive,
            };
            (mode, work)
        }
        ["add", ..] => (LockMode::AccessExclusive, added_column(action)),
        ["alter", ..] if action.contains(&"type") => (LockMode::AccessExclusive, Work::Rewrites),
        ["alter", ..] if says(["not", "null"]) && !says(["drop", "not"]) => {
            (LockMode::AccessExclusive, Work::Reads)
        }
        _ => (LockMode::AccessExclusive, Work::Moment),
    }
}

/// A constant default is kept in the catalogue; one that is worked out may differ from row to row.
fn added_column(action: &[&str]) -> Work {
    let computed = action
        .iter()
        .position(|word| *word == "default")
        .is_some_and(|at| action.get(at + 2) == Some(&"(") || action.get(at + 1) == Some(&"("));
    if computed || action.contains(&"generated") || action.iter().any(|word| word.ends_with("serial")) {
        Work::Rewrites
    } else if action.contains(&"check") || action.contains(&"references") || action.contains(&"unique") {
        Work::Reads
    } else {
        Work::Moment
    }
}

#[cfg(test)]
mod tests;
