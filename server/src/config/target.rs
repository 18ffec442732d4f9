//! Where `plumbline move-database` moves everything to.

use std::fmt;
use std::str::FromStr;

use super::{ConfigError, DatabaseUrl};

/// The database that is to be used from now on.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetFlags {
    /// The empty Postgres to move into; in PLUMBLINE_MOVE_TO other users of the machine do not see its password
    #[arg(long, env = "PLUMBLINE_MOVE_TO", hide_env_values = true, value_name = "URL")]
    pub to: TargetUrl,
}

/// The address of a database as it was given. Never printed.
#[derive(Clone)]
pub struct TargetUrl(String);

impl TargetUrl {
    /// As it is to stand in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What to connect with.
    pub fn address(&self) -> Result<DatabaseUrl, ConfigError> {
        self.0.parse()
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TargetUrl")
    }
}

/// Looked at later: what is refused here is printed.
impl FromStr for TargetUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}
