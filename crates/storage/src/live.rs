//! Change notifications between server processes: LISTEN and NOTIFY. They carry no data; receivers read again.

use domain::ProjectId;
use sqlx::postgres::{PgConnectOptions, PgListener};
use uuid::Uuid;

use crate::{Db, Result, Tx};

/// The channel every process listens on.
const CHANNEL: &str = "plumbline";
/// Postgres refuses payloads of 8,000 bytes.
const MAX_PAYLOAD_BYTES: usize = 7_900;

/// Notifies every process, this one too, that process `origin` stored steps of `run_ids` of a project. Not part of the
/// transaction that stored them: a NOTIFY in it would make all commits wait for each other.
pub async fn notify_runs(db: &Db, origin: Uuid, project: ProjectId, run_ids: &[&str]) -> Result<()> {
    send_run_ids(db, &format!("runs {origin} {project}"), run_ids).await
}

/// Notifies every process that `run_ids` of a project cost something else now, with the same steps.
pub async fn notify_costs(db: &Db, project: ProjectId, run_ids: &[&str]) -> Result<()> {
    send_run_ids(db, &format!("costs {project}"), run_ids).await
}

/// As many notifications that begin with `of` as the ids need.
async fn send_run_ids(db: &Db, of: &str, run_ids: &[&str]) -> Result<()> {
    let mut payload = of.to_owned();
    for run_id in run_ids {
        // Run ids are free text; JSON keeps them apart and on one line.
        let quoted = serde_json::Value::from(*run_id).to_string();
        if payload.len() + 1 + quoted.len() > MAX_PAYLOAD_BYTES {
            send(db, &payload).await?;
            payload = of.to_owned();
        }
        payload.push(' ');
        payload.push_str(&quoted);
    }
    send(db, &payload).await
}

/// Notifies every process that keys, members or accounts changed, so that it invalidates what it has cached.
pub async fn notify_access(db: &Db) -> Result<()> {
    send(db, "access").await
}

/// Notifies every process that a project's settings changed.
pub async fn notify_settings(db: &Db, project: ProjectId) -> Result<()> {
    send(db, &format!("settings {project}")).await
}

/// Tells every process, once `tx` is committed, that a project's settings changed.
pub(crate) async fn notify_settings_within(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, format!("settings {project}"))
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// Notifies every process that a project's incidents changed.
pub async fn notify_incidents(db: &Db, project: ProjectId) -> Result<()> {
    send(db, &format!("incidents {project}")).await
}

/// Notifies every process that the shipped prices changed. A project's own are settings of the project.
pub async fn notify_prices(db: &Db) -> Result<()> {
    send(db, "prices").await
}

/// Tells every process that something changed and nobody knows what.
pub async fn notify_gap(db: &Db) -> Result<()> {
    send(db, "gap").await
}

/// Tells every process, once `tx` is committed, that a job is to be run.
pub(crate) async fn notify_jobs_within(tx: &mut Tx) -> Result<()> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, "jobs")
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

async fn send(db: &Db, payload: &str) -> Result<()> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, payload)
        .fetch_one(db.pool())
        .await?;
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeEvent {
    /// Runs of a project changed.
    Runs {
        /// The process that stored steps of them; `None` when only their costs changed.
        stored_by: Option<Uuid>,
        project: ProjectId,
        run_ids: Vec<String>,
    },
    /// A project's settings changed.
    Settings(ProjectId),
    /// Incidents of a project changed.
    Incidents(ProjectId),
    /// The shipped prices changed.
    Prices,
    /// Keys, members or accounts changed.
    Access,
    /// There is a job to run.
    Jobs,
    /// News were lost: anything may have changed.
    Gap,
}

/// A connection that listens to the channel.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Connects and begins to listen.
    pub async fn connect(options: &PgConnectOptions) -> Result<Self> {
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// The next notification. After a lost connection it reconnects and returns `Gap`.
    pub async fn next(&mut self) -> Result<ChangeEvent> {
        loop {
            match self.0.try_recv().await? {
                None => return Ok(ChangeEvent::Gap),
                Some(notification) => {
                    if let Some(change) = parse(notification.payload()) {
                        return Ok(change);
                    }
                }
            }
        }
    }
}

fn parse(payload: &str) -> Option<ChangeEvent> {
    match payload {
        "access" => return Some(ChangeEvent::Access),
        "prices" => return Some(ChangeEvent::Prices),
        "jobs" => return Some(ChangeEvent::Jobs),
        "gap" => return Some(ChangeEvent::Gap),
        _ => {}
    }
    if let Some(project) = payload.strip_prefix("settings ") {
        return Some(ChangeEvent::Settings(project.parse().ok()?));
    }
    if let Some(project) = payload.strip_prefix("incidents ") {
        return Some(ChangeEvent::Incidents(project.parse().ok()?));
    }
    let (stored_by, rest) = match payload.strip_prefix("costs ") {
        Some(rest) => (None, rest),
        None => {
            let (origin, rest) = payload.strip_prefix("runs ")?.split_once(' ')?;
            (Some(origin.parse().ok()?), rest)
        }
    };
    let (project, run_ids) = rest.split_once(' ')?;
    let run_ids = serde_json::Deserializer::from_str(run_ids)
        .into_iter::<String>()
        .collect::<Result<_, _>>()
        .ok()?;
    Some(ChangeEvent::Runs {
        stored_by,
        project: project.parse().ok()?,
        run_ids,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_sends() {
        let project: ProjectId = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let check =
            |payload: &str, expected: Option<ChangeEvent>| assert_eq!(parse(payload), expected, "{payload}");
        check("access", Some(ChangeEvent::Access));
        check("jobs", Some(ChangeEvent::Jobs));
        check("gap", Some(ChangeEvent::Gap));
        check("prices", Some(ChangeEvent::Prices));
        let origin = Uuid::from_u128(7);
        let run_ids = vec!["a b".to_owned(), "c\"d".to_owned()];
        check(
            &format!("runs {origin} {project} \"a b\" \"c\\\"d\""),
            Some(ChangeEvent::Runs {
                stored_by: Some(origin),
                project,
                run_ids: run_ids.clone(),
            }),
        );
        check(
            &format!("costs {project} \"a b\" \"c\\\"d\""),
            Some(ChangeEvent::Runs {
                stored_by: None,
                project,
                run_ids,
            }),
        );
        check(
            &format!("settings {project}"),
            Some(ChangeEvent::Settings(project)),
        );
        check(
            &format!("incidents {project}"),
            Some(ChangeEvent::Incidents(project)),
        );
        check("runs nonsense", None);
        check("", None);
    }
}
