//! Who runs Postgres: we ourselves, or an unprivileged user when we are root, as Postgres refuses root.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;
use std::process::{Command as BlockingCommand, Stdio};

use tokio::process::Command;

use crate::Error;

const ROOT_UID: u32 = 0;
/// Preferred first. One of our own shares its files with nobody; `nobody` runs whatever else has no account.
const UNPRIVILEGED_USERS: [&str; 3] = ["plumbline", "postgres", SHARED_USER];
const SHARED_USER: &str = "nobody";

/// The account that owns the database files and runs the programs on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// We are root and hand over to this account.
    handed_over: bool,
}

impl Account {
    /// Chooses the account: ourselves; as root the `owner` of the existing database, else a known user.
    pub(crate) fn choose(owner: Option<&Metadata>) -> Result<Self, Error> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = id("-u")?;
        if uid != ROOT_UID {
            return Ok(Self {
                name: name_of(&passwd, uid),
                uid,
                gid: id("-g")?,
                handed_over: false,
            });
        }
        if let Some(owner) = owner.filter(|owner| owner.uid() != ROOT_UID) {
            let (uid, gid) = (owner.uid(), owner.gid());
            return Ok(Self {
                name: name_of(&passwd, uid),
                uid,
                gid,
                handed_over: true,
            });
        }
        let account = UNPRIVILEGED_USERS
            .iter()
            .find_map(|name| find_user(&passwd, name))
            .ok_or(Error::NoAccount)?;
        if account.name == SHARED_USER {
            tracing::warn!(
                "Postgres runs as `nobody`, as other programs may; `useradd --system plumbline` before the first start \
                 gives it an account of its own"
            );
        }
        Ok(account)
    }

    /// The users of this machine who may connect: ourselves, and the account, unless other programs have it too.
    pub(crate) fn clients(&self) -> Vec<String> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let own = self.handed_over.then(|| name_of(&passwd, ROOT_UID));
        let account = (self.name != SHARED_USER || !self.handed_over).then(|| self.name.clone());
        own.into_iter().chain(account).collect()
    }

    /// A command run by this account, with nothing of our environment: it may hold secrets, and PG*
    /// variables would change what Postgres does.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        // Our own working folder may be closed to the account.
        command.current_dir("/");
        if self.handed_over {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes the account the owner of `path`, which we just made.
    pub(crate) fn take_over(&self, path: &Path) -> Result<(), Error> {
        if self.handed_over {
            lchown(path, Some(self.uid), Some(self.gid)).map_err(Error::file("change the owner of", path))?;
        }
        Ok(())
    }

    /// Whether a folder of ours may have this owner: the account, or root before it handed the folder over.
    pub(crate) fn may_own(&self, metadata: &Metadata) -> bool {
        metadata.uid() == self.uid || (self.handed_over && metadata.uid() == ROOT_UID)
    }

    /// Whether the account may pass through `folder` and all folders above it.
    pub(crate) fn reaches(&self, folder: &Path) -> Result<bool, Error> {
        // We got here ourselves, perhaps by a supplementary group; an account we hand over to has none.
        if !self.handed_over {
            return Ok(true);
        }
        for folder in folder.ancestors() {
            let metadata = std::fs::metadata(folder).map_err(Error::file("look at", folder))?;
            if !self.enters(metadata.mode(), metadata.uid(), metadata.gid()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn enters(&self, mode: u32, owner_uid: u32, owner_gid: u32) -> bool {
        let class = match () {
            () if self.uid == owner_uid => 0o100,
            () if self.gid == owner_gid => 0o010,
            () => 0o001,
        };
        mode & class != 0
    }
}

/// The name of the user `uid`, or the number where it has none.
pub(crate) fn owner_name(uid: u32) -> String {
    name_of(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid)
}

/// The standard library cannot ask for the current user, and `unsafe` is not worth one number.
fn id(which: &str) -> Result<u32, Error> {
    let output = BlockingCommand::new("id")
        .arg(which)
        .output()
        .map_err(Error::program("id"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().map_err(|_malformed| {
        Error::program("id")(std::io::Error::other(format!(
            "`id {which}` answered `{}`",
            text.trim()
        )))
    })
}

fn find_user(passwd: &str, name: &str) -> Option<Account> {
    let entry = entries(passwd).find(|entry| entry.0 == name)?;
    Some(Account {
        name: name.to_owned(),
        uid: entry.1,
        gid: entry.2,
        handed_over: true,
    })
}

fn name_of(passwd: &str, uid: u32) -> String {
    entries(passwd)
        .find(|entry| entry.1 == uid)
        .map_or_else(|| format!("user {uid}"), |entry| entry.0.to_owned())
}

/// Name, user id and group id of each line.
fn entries(passwd: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, parse_id(fields.nth(1)?)?, parse_id(fields.next()?)?))
    })
}

/// macOS writes `nobody` as -2.
fn parse_id(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# comment\nbroken:x\npostgres:x:104:106::/var:/bin/sh\n\
                          nobody:*:-2:-2::/:/usr/bin/false\n";

    #[test]
    fn users_are_found_in_passwd() {
        fn check(name: &str, expected: Option<(u32, u32)>) {
            assert_eq!(
                find_user(PASSWD, name).map(|account| (account.uid, account.gid)),
                expected,
                "{name}"
            );
        }
        check("postgres", Some((104, 106)));
        check("nobody", Some((u32::MAX - 1, u32::MAX - 1)));
        check("broken", None);
        check("absent", None);
        assert_eq!(name_of(PASSWD, 104), "postgres");
        assert_eq!(name_of(PASSWD, 7), "user 7");
    }

    #[test]
    fn folders_are_entered_as_the_mode_allows() {
        fn check(mode: u32, owner_uid: u32, owner_gid: u32, expected: bool) {
            let account = Account {
                name: String::new(),
                uid: 104,
                gid: 106,
                handed_over: true,
            };
            assert_eq!(
                account.enters(mode, owner_uid, owner_gid),
                expected,
                "{mode:o} {owner_uid} {owner_gid}"
            );
        }
        check(0o755, 0, 0, true);
        check(0o711, 0, 0, true);
        check(0o700, 0, 0, false);
        check(0o700, 104, 0, true);
        check(0o710, 0, 106, true);
        check(0o701, 0, 106, false);
    }
}
