//! A first look at a database, before anything of ours is in it.

use domain::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use time::OffsetDateTime;

use crate::Result;

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Postgres' version text, as `15.18`.
    pub version: String,
    /// Its major version, as 15.
    pub major: u32,
    /// What its clock says.
    pub now: Timestamp,
}

/// Connects and asks; needs no schema.
pub async fn probe(options: &PgConnectOptions) -> Result<Probe> {
    let mut connection = options.clone().connect().await?;
    let (version, number, now): (String, i32, OffsetDateTime) = sqlx::query_as(
        "select current_setting('server_version'), current_setting('server_version_num')::integer, clock_timestamp()",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(Probe {
        version: version.split(' ').next().unwrap_or_default().to_owned(),
        major: u32::try_from(number / 10_000).unwrap_or(0),
        now: Timestamp::from_offset_date_time(now),
    })
}
