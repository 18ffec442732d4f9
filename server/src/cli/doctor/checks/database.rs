//! The checks of the database: does it answer, does its clock agree, is its schema ours, may people sign in.

use domain::Timestamp;
use storage::{Db, MigrationState, Probe, users};
use tokio::time::timeout;

use super::CHECK_TIMEOUT;
use crate::cli::doctor::Check;
use crate::config::Config;
use crate::database::Database;
use crate::{auth, clock};

/// Clocks further apart than this give steps and their storage different days.
const LARGEST_CLOCK_GAP_S: f64 = 5.0;

pub(super) async fn reach(config: &Config, checks: &mut Vec<Check>) {
    let advice = match config.database_url {
        Some(_) => "check that it runs and that DATABASE_URL is right",
        None => "see postgres.log in the data folder",
    };
    let database = match Database::reach(config).await {
        Ok(database) => database,
        Err(cause) => return checks.push(Check::fail("database", format!("{cause:#}"), advice)),
    };
    checks.push(Check::ok("database", database.description()));
    match storage::probe(&database.options()).await {
        Ok(probe) => checks.push(clock_check(&probe, clock::now())),
        Err(cause) => checks.push(Check::fail(
            "clock",
            format!("{:#}", anyhow::Error::new(cause)),
            advice,
        )),
    }
    match storage::migration_state(&database.options()).await {
        Ok(state) => {
            checks.push(schema_check(state));
            if state.applied == state.known && !state.newer && !state.half_moved && state.edited.is_none() {
                checks.push(accounts_check(config, &database).await);
            }
        }
        Err(cause) => checks.push(Check::fail(
            "schema",
            format!("{:#}", anyhow::Error::new(cause)),
            advice,
        )),
    }
    if let Err(cause) = database.stop().await {
        checks.push(Check::fail("database", format!("{cause:#}"), advice));
    }
}

fn clock_check(probe: &Probe, now: Timestamp) -> Check {
    let gap_s = probe.now.ms_since(now).abs() / 1_000.0;
    if gap_s > LARGEST_CLOCK_GAP_S {
        Check::warn(
            "clock",
            format!("this machine and the database are {gap_s:.0} s apart"),
            "synchronise both with NTP",
        )
    } else {
        Check::ok("clock", "this machine and the database agree")
    }
}

fn schema_check(state: MigrationState) -> Check {
    let MigrationState {
        applied,
        known,
        newer,
        edited,
        half_moved,
    } = state;
    if half_moved {
        Check::fail(
            "schema",
            "a move into this database has not been finished",
            "run `plumbline move-database` again, from where it was begun",
        )
    } else if let Some(version) = edited {
        Check::fail(
            "schema",
            format!("the migration {version} was edited after it was applied to this database"),
            "start the version that made the database, or restore a backup into a database of this version",
        )
    } else if newer {
        Check::fail(
            "schema",
            "a newer version of Plumbline has used this database",
            "start that version",
        )
    } else if applied < known {
        Check::warn(
            "schema",
            format!("{applied} of {known} migrations are applied"),
            "`plumbline serve` and `plumbline migrate` apply the others",
        )
    } else {
        Check::ok("schema", format!("all {known} migrations are applied"))
    }
}

async fn accounts_check(config: &Config, database: &Database) -> Check {
    let db = Db::connect_lazy(database.options(), 1);
    let accounts = timeout(CHECK_TIMEOUT, users::count(&db)).await;
    db.close().await;
    match accounts {
        Ok(Ok(count)) => binding_check(config, count > 0),
        Ok(Err(cause)) => Check::fail(
            "accounts",
            format!("{:#}", anyhow::Error::new(cause)),
            "may the database's user become plumbline_app?",
        ),
        Err(_) => Check::fail(
            "accounts",
            "the database did not answer in time",
            "is it overloaded?",
        ),
    }
}

pub(super) fn binding_check(config: &Config, accounts_exist: bool) -> Check {
    let is_closed = accounts_exist || config.openid.is_some();
    match auth::binding_allowed(config.addr, is_closed, config.behind_auth_proxy) {
        Ok(()) if accounts_exist => Check::ok("accounts", "people sign in"),
        Ok(()) if config.behind_auth_proxy => Check::ok(
            "accounts",
            "none; a proxy in front of the server authenticates people",
        ),
        Ok(()) if config.openid.is_some() => Check::ok("accounts", "none yet; the provider lets people in"),
        Ok(()) => Check::ok(
            "accounts",
            "none yet; on this machine alone the dashboard opens without login",
        ),
        Err(_) => Check::fail(
            "accounts",
            format!("none yet, so that listening on {} would be refused", config.addr),
            "`plumbline members add EMAIL --role admin`, or --behind-auth-proxy",
        ),
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Status;

    #[test]
    fn clocks_that_are_far_apart_are_a_warning() {
        let check = |database_us: i64, expected: Status| {
            let probe = Probe {
                version: "15.1".to_owned(),
                major: 15,
                now: Timestamp::from_micros(database_us),
            };
            assert_eq!(
                clock_check(&probe, Timestamp::from_micros(60_000_000)).status,
                expected,
                "{database_us}"
            );
        };
        check(60_000_000, Status::Ok);
        check(64_900_000, Status::Ok);
        check(65_100_000, Status::Warn);
        check(54_000_000, Status::Warn);
    }

    #[test]
    fn a_schema_is_current_behind_ahead_or_another() {
        let check = |applied: usize, newer: bool, edited: Option<i64>, half_moved: bool, expected: Status| {
            assert_eq!(
                schema_check(MigrationState {
                    applied,
                    known: 7,
                    newer,
                    edited,
                    half_moved,
                })
                .status,
                expected
            );
        };
        check(7, false, None, false, Status::Ok);
        check(0, false, None, false, Status::Warn);
        check(8, true, None, false, Status::Fail);
        check(7, false, Some(20_261_121_090_000), false, Status::Fail);
        check(7, false, None, true, Status::Fail);
    }
}
