//! The checks, each a question with an answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Timestamp;
use tokio::process::Command;

use self::database::{binding_check, reach};
use super::Check;
use crate::auth::openid::Provider;
use crate::config::{Config, OpenId};
use crate::outbound::Outbound;
use crate::secrets::{KeyPlace, Secrets};
use crate::serving::ConnectionLimits;
use crate::{auth, clock, open_files, site};

mod database;

/// Below this much free disk the database will soon refuse to write.
const LITTLE_SPACE_MIB: u64 = 2_048;
const NO_SPACE_MIB: u64 = 128;
/// Below this few open files a busy server refuses connections.
const FEW_FILES: u64 = 1_024;
/// What a backup touches in the data folder when it has succeeded.
const BACKUP_MARKER: &str = "last-backup";
/// Backups are made each day; one may fail.
const OLD_BACKUP: Duration = Duration::from_hours(49);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn all(config: &Config) -> Vec<Check> {
    let mut checks = vec![
        site_check(),
        data_check(&config.data),
        space_check(&config.data).await,
        files_check(config, open_files::highest_limit()),
        secrets_check(config),
        backup_check(config, clock::now()),
    ];
    match &config.database_url {
        None => {
            checks.push(programs_check(config));
            if private_postgres::has_database(&config.data) {
                reach(config, &mut checks).await;
            } else {
                checks.push(Check::ok(
                    "database",
                    "not made yet; `plumbline serve` makes a private Postgres",
                ));
                checks.push(binding_check(config, false));
            }
        }
        Some(_) => reach(config, &mut checks).await,
    }
    if let (Some(openid), Some(public_url)) = (&config.openid, &config.public_url) {
        checks.push(provider_check(config, openid, public_url).await);
    }
    checks
}

/// Whether the provider that signs people in answers, and what it has to be told of this server.
async fn provider_check(config: &Config, openid: &OpenId, public_url: &str) -> Check {
    let found = match Outbound::new(config.allow_private_targets.clone()) {
        Ok(outbound) => Box::pin(Provider::try_discovery(openid, &outbound)).await,
        Err(cause) => Err(format!("{cause:#}")),
    };
    let (issuer, back) = (&openid.issuer, format!("{public_url}{}", auth::openid::CALLBACK));
    match found {
        Err(cause) => Check::fail(
            "openid",
            format!("the discovery of {issuer} can't be read: {cause}"),
            "does openid_issuer stand there as the discovery says it? a private address has to be in \
             allow_private_targets",
        ),
        Ok(_) if openid.groups.is_empty() => Check::warn(
            "openid",
            format!("{issuer} answers; it has to allow the redirect URL {back}"),
            "no group gives anything: only people who are invited get in; openid_groups changes that",
        ),
        Ok(signs_out) => {
            let sign_out = if signs_out {
                "and ends its session when people sign out"
            } else {
                "and does not say how to sign people out there"
            };
            Check::ok(
                "openid",
                format!("{issuer} answers {sign_out}; it has to allow the redirect URL {back}"),
            )
        }
    }
}

fn site_check() -> Check {
    if site::urls().wasm.is_some() {
        Check::ok("site", "the dashboard's scripts are part of this binary")
    } else {
        Check::warn(
            "site",
            "this binary has no scripts: pages work, but nothing updates by itself",
            "build it with `make release`, or run it with `make run`",
        )
    }
}

fn data_check(data: &Path) -> Check {
    let shown = data.display();
    match std::fs::metadata(data) {
        Ok(metadata) if !metadata.is_dir() => Check::fail(
            "data",
            format!("{shown} is not a folder"),
            "choose another folder with --data",
        ),
        Ok(metadata) if metadata.permissions().readonly() => Check::fail(
            "data",
            format!("{shown} is read-only"),
            "make it writable, or choose another with --data",
        ),
        Ok(_) => Check::ok("data", format!("{shown}")),
        Err(_) => Check::ok("data", format!("{shown} will be made at the first start")),
    }
}

async fn space_check(data: &Path) -> Check {
    let folder = existing_parent(data);
    let output = Command::new("df")
        .arg("-Pk")
        .arg(&folder)
        .env("LC_ALL", "C")
        .output()
        .await;
    let free = output
        .ok()
        .and_then(|output| parse_df(&String::from_utf8_lossy(&output.stdout)));
    let advice = "free some, or shorten the retention of prompts and outputs under Settings";
    match free {
        None => Check::warn(
            "space",
            "the free disk space is unknown: `df -Pk` did not answer",
            "check it by hand",
        ),
        Some(mib) if mib < NO_SPACE_MIB => {
            Check::fail("space", format!("only {mib} MiB of disk are free"), advice)
        }
        Some(mib) if mib < LITTLE_SPACE_MIB => {
            Check::warn("space", format!("only {mib} MiB of disk are free"), advice)
        }
        Some(mib) => Check::ok(
            "space",
            format!("{:.1} GiB of disk are free", mib as f64 / 1_024.0),
        ),
    }
}

/// `serve` raises the limit of open files to the highest that it may.
fn files_check(config: &Config, highest: u64) -> Check {
    let ConnectionLimits {
        in_all,
        per_network,
        per_proxy,
        ..
    } = ConnectionLimits::of(config, highest);
    let message = format!(
        "{highest} may be open, so {in_all} connections: {per_network} from one address, {per_proxy} \
         from this machine or a trusted proxy"
    );
    if highest < FEW_FILES {
        Check::warn(
            "files",
            message,
            "raise the hard limit of open files: `ulimit -Hn`, LimitNOFILE= of systemd",
        )
    } else {
        Check::ok("files", message)
    }
}

/// Where the key of stored secrets is, and whether it can be used.
fn secrets_check(config: &Config) -> Check {
    let place = KeyPlace::of(config);
    let made_here = matches!(place, KeyPlace::DataFolder(_));
    if made_here && place.is_missing() {
        return Check::ok("secrets", format!("the first start makes their key, {place}"));
    }
    let advice = "secrets that are stored open with their own key only: restore it, or enter them again";
    match Secrets::of(config) {
        Err(cause) => Check::fail("secrets", format!("{:#}", anyhow::Error::new(cause)), advice),
        Ok(_) if place.is_open_to_others() => Check::warn(
            "secrets",
            format!("others on this machine may read their key, {place}"),
            format!("chmod 600 {place}"),
        ),
        Ok(_) if made_here && config.database_url.is_some() => Check::ok(
            "secrets",
            format!("their key is {place}; other servers on this database need the same one"),
        ),
        Ok(_) => Check::ok("secrets", format!("their key is {place}; back it up")),
    }
}

/// What is to be backed up, and how long ago that was, where backups leave a marker.
fn backup_check(config: &Config, now: Timestamp) -> Check {
    let marker = config.data.join(BACKUP_MARKER);
    let made_at = std::fs::metadata(&marker).and_then(|metadata| metadata.modified());
    let made_at = made_at
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_micros()).ok());
    let Some(made_at) = made_at.map(Timestamp::from_micros) else {
        let message = format!(
            "of the database, {} and {}; `touch {}` after each lets doctor watch their age",
            KeyPlace::of(config),
            config.data.join("spool").display(),
            marker.display()
        );
        return Check::ok("backup", message);
    };
    let message = format!("the last one was made at {made_at}");
    if now.ms_since(made_at) > OLD_BACKUP.as_millis() as f64 {
        Check::warn(
            "backup",
            message,
            "look why none was made since; docs/backup.md says what belongs into one",
        )
    } else {
        Check::ok("backup", message)
    }
}

fn existing_parent(data: &Path) -> PathBuf {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    absolute
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// Free space in MiB, from the POSIX output of df: its fourth column, in KiB.
fn parse_df(output: &str) -> Option<u64> {
    let kib: u64 = output.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1_024)
}

fn programs_check(config: &Config) -> Check {
    match private_postgres::find_binaries(config.postgres_bin.as_deref(), config.path_env.as_deref()) {
        Ok(found) => Check::ok(
            "programs",
            format!("Postgres {} in {}", found.major(), found.folder().display()),
        ),
        Err(cause) => Check::fail(
            "programs",
            cause.to_string(),
            "install Postgres, or set DATABASE_URL",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Status;

    #[test]
    fn free_space_is_read_from_df() {
        let check = |output: &str, expected: Option<u64>| assert_eq!(parse_df(output), expected, "{output}");
        let head = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n";
        check(
            &format!("{head}/dev/vda         263174212 20971520  75497472      22% /\n"),
            Some(73_728),
        );
        check(head, None);
        check(&format!("{head}/dev/vda - - - - /\n"), None);
        check("", None);
    }

    #[test]
    fn few_open_files_are_a_warning() {
        let check = |files: u64, expected: Status| {
            assert_eq!(files_check(&Config::default(), files).status, expected, "{files}");
        };
        check(256, Status::Warn);
        check(1_024, Status::Ok);
        let said = files_check(&Config::default(), 1_024).message;
        assert_eq!(
            said,
            "1024 may be open, so 597 connections: 149 from one address, 447 from this machine or a trusted proxy"
        );
    }
}
