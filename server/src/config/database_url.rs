//! The address of an existing Postgres.

use std::fmt;
use std::str::FromStr;

use storage::PgConnectOptions;

use super::{ConfigError, invalid};

/// The address of a database. It may carry a password, so it shows no more of itself than is harmless.
#[derive(Clone)]
pub struct DatabaseUrl(PgConnectOptions);

impl DatabaseUrl {
    pub fn options(&self) -> PgConnectOptions {
        self.0.clone()
    }
}

impl FromStr for DatabaseUrl {
    type Err = ConfigError;

    fn from_str(url: &str) -> Result<Self, ConfigError> {
        parse(url)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.0.get_host(), self.0.get_port());
        let database = self.0.get_database().unwrap_or_else(|| self.0.get_username());
        match self.0.get_socket() {
            Some(socket) => write!(f, "database {database} on {}", socket.display()),
            None => write!(f, "database {database} on {host}:{port}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse(url: &str) -> Result<DatabaseUrl, ConfigError> {
    // The parser's own text may quote the address.
    let problem = "(DATABASE_URL) must look like postgres://user:password@host:5432/database";
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(invalid("database_url", problem));
    }
    PgConnectOptions::from_str(url)
        .map(DatabaseUrl)
        .map_err(|_may_quote_it| invalid("database_url", problem))
}
