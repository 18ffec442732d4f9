//! Retention below the week: what a project keeps shorter than others do, and what lies outside every week.

use domain::{ProjectId, Timestamp};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use time::{Duration, OffsetDateTime, Time, UtcOffset};

use super::{
    BATCH_ROWS, Expired, RELEASE_DAYS, ROW_LOCK_TIMEOUT, Table, connect, first_seen, inquiries, prompt_texts,
    tables,
};
use crate::Result;

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// Runs, steps, events, conditions, ledger.
    pub(super) run_days: i64,
    /// Sums of hours and days; never shorter than the runs.
    pub(super) sum_days: i64,
    /// Prompts and outputs; never longer than the runs.
    pub(super) payload_days: i64,
    /// Nothing may be deleted, whatever its age.
    pub(super) is_held: bool,
}

/// Longer than anything is that is kept.
const HELD_DAYS: i64 = 36_500;

impl Retention {
    /// How long the rows of a partitioned table are kept.
    pub(super) fn days_of(self, table: &str) -> i64 {
        match table {
            _ if self.is_held => HELD_DAYS,
            "step_payloads" => self.payload_days,
            "release_hours" => self.run_days.min(RELEASE_DAYS),
            // What counts runs goes with the runs that it counts.
            "rollups" | "rollup_days" | "condition_days" => self.sum_days,
            _ => self.run_days,
        }
    }
}

/// Deletes, for each project, the days older than its retention which `maintain` cannot drop by the week: those in
/// weeks that another project keeps, and those in a default partition. Both the rows and the filing of their runs go,
/// and with the prompts the texts of templates that are no longer used.
pub async fn delete_expired(options: &PgConnectOptions, now: Timestamp) -> Result<Expired> {
    let mut connection = connect(options, ROW_LOCK_TIMEOUT).await?;
    // What is summed up by the hour and by the day goes together with what it sums up: by whole days.
    let now = now.to_offset_date_time();
    let today = day(now);
    let longest = longest_retention(&mut connection).await?;
    let tables = tables(&mut connection).await?;
    let mut done = Expired::default();
    let kept = retentions(&mut connection).await?;
    for (project, kept) in kept.into_iter().filter(|(_, kept)| !kept.is_held) {
        for table in &tables {
            let (days, longest_days) = (kept.days_of(&table.name), longest.days_of(&table.name));
            let before = today - Duration::days(days);
            let mut partitions = vec![format!("{}_default", table.name)];
            if days < longest_days {
                partitions.extend(weeks_before(&mut connection, table, before).await?);
            }
            for partition in partitions {
                delete_from(
                    &mut connection,
                    &partition,
                    &table.time_column,
                    project,
                    before,
                    &mut done,
                )
                .await?;
            }
        }
        delete_run_keys(
            &mut connection,
            project,
            today - Duration::days(kept.run_days),
            &mut done,
        )
        .await?;
        delete_future_rollups(&mut connection, project, now + Duration::days(2), &mut done).await?;
        delete_feedback(&mut connection, project, &mut done).await?;
        let payloads_before = today - Duration::days(kept.payload_days);
        delete_looked_up(&mut connection, project, payloads_before, &mut done).await?;
        let runs_before = today - Duration::days(kept.run_days);
        let sums_before = today - Duration::days(kept.sum_days);
        first_seen::delete_unused(&mut connection, project, sums_before, &mut done).await?;
        inquiries::delete_old(&mut connection, project, runs_before, &mut done).await?;
        prompt_texts::delete_unused(
            &mut connection,
            project,
            today - Duration::days(kept.payload_days),
            sums_before,
            &mut done,
        )
        .await?;
    }
    Ok(done)
}

/// The beginning of the day, in UTC.
fn day(at: OffsetDateTime) -> OffsetDateTime {
    at.to_offset(UtcOffset::UTC).replace_time(Time::MIDNIGHT)
}

/// The longest retention of any project: whatever is older may go for all of them.
pub(super) async fn longest_retention(connection: &mut PgConnection) -> Result<Retention> {
    let kept = retentions(connection).await?;
    let longest =
        |days: fn(&Retention) -> i64, default| kept.iter().map(|(_, r)| days(r)).max().unwrap_or(default);
    Ok(Retention {
        run_days: longest(|r| r.run_days, 90),
        sum_days: longest(|r| r.sum_days, 90),
        payload_days: longest(|r| r.payload_days, 30),
        is_held: kept.iter().any(|(_, kept)| kept.is_held),
    })
}

async fn retentions(connection: &mut PgConnection) -> Result<Vec<(ProjectId, Retention)>> {
    // A project without settings of its own has the defaults of the columns.
    let rows = sqlx::query!(
        "select project_id, coalesce(s.retention_days, 90) as \"run_days!\",
                coalesce(s.payload_retention_days, 30) as \"payload_days!\",
                coalesce(greatest(s.rollup_retention_days, s.retention_days), 90) as \"sum_days!\", s.held_at is not null as \"is_held!\"
         from projects left join project_settings s using (project_id) order by project_id"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                ProjectId(row.project_id),
                Retention {
                    run_days: row.run_days.into(),
                    payload_days: row.payload_days.min(row.run_days).into(),
                    sum_days: row.sum_days.into(),
                    is_held: row.is_held,
                },
            )
        })
        .collect())
}

/// The weeks of `table` that begin before `before`.
async fn weeks_before(
    connection: &mut PgConnection,
    table: &Table,
    before: OffsetDateTime,
) -> Result<Vec<String>> {
    let weeks = sqlx::query_scalar!(
        "select child as \"child!\" from week_partitions($1) where ends_at < $2 order by child",
        table.name,
        before + Duration::weeks(1)
    );
    Ok(weeks.fetch_all(connection).await?)
}

async fn delete_from(
    connection: &mut PgConnection,
    partition: &str,
    time_column: &str,
    project: ProjectId,
    before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    // Row addresses make the next batch as cheap as the first; they are only unique within one partition.
    let statement = format!(
        "delete from \"{partition}\" where ctid = any (array(
           select ctid from \"{partition}\" where project_id = $1 and {time_column} < $2 limit $3))",
    );
    loop {
        let deleted = sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(project.0)
            .bind(before)
            .bind(BATCH_ROWS)
            .execute(&mut *connection)
            .await?
            .rows_affected();
        if done.add_and_see_if_last(deleted) {
            return Ok(());
        }
    }
}

/// A run that is gone is filed anew when one of its steps still comes. A batch that has read its key holds it; whether
/// the run is gone is asked again once nobody does.
async fn delete_run_keys(
    connection: &mut PgConnection,
    project: ProjectId,
    before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let mut tx = connection.begin().await?;
        let gone = sqlx::query_scalar!(
            "select k.run_id from run_keys k where k.project_id = $1 and k.partition_at < $2 and not exists (
               select from runs r where r.project_id = k.project_id and r.run_id = k.run_id)
             limit $3 for update of k skip locked",
            project.0,
            before,
            BATCH_ROWS
        )
        .fetch_all(&mut *tx)
        .await?;
        let deleted = sqlx::query!(
            "delete from run_keys k where k.project_id = $1 and k.run_id = any ($2) and not exists (
               select from runs r where r.project_id = k.project_id and r.run_id = k.run_id)",
            project.0,
            &gone
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        // Their links, analyses and findings too: a later run of the same id is another one.
        let links = sqlx::query!(
            "delete from share_links l where l.project_id = $1 and l.run_id = any ($2) and not exists (
               select from run_keys k where k.project_id = l.project_id and k.run_id = l.run_id)",
            project.0,
            &gone
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let analyses = sqlx::query!(
            "delete from analyses a where a.project_id = $1 and a.run_id = any ($2) and not exists (
               select from run_keys k where k.project_id = a.project_id and k.run_id = a.run_id)",
            project.0,
            &gone
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let judged = delete_judged(&mut tx, project, &gone).await?;
        tx.commit().await?;
        done.rows += deleted + links + analyses + judged;
        done.statements += 1;
        if (gone.len() as i64) < BATCH_ROWS {
            return Ok(());
        }
    }
}

/// What detectors said of runs that are gone.
async fn delete_judged(connection: &mut PgConnection, project: ProjectId, gone: &[String]) -> Result<u64> {
    let mut rows = 0;
    for table in ["findings", "judgements", "judgement_queue"] {
        let statement = format!(
            "delete from {table} t where t.project_id = $1 and t.run_id = any ($2) and not exists (
               select from run_keys k where k.project_id = t.project_id and k.run_id = t.run_id)"
        );
        rows += sqlx::query(AssertSqlSafe(statement))
            .bind(project.0)
            .bind(gone)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    Ok(rows)
}

/// What tools answered to models, which may be prompts and outputs. What the models said of it stays, with a line of each
/// look-up.
async fn delete_looked_up(
    connection: &mut PgConnection,
    project: ProjectId,
    before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let changed = sqlx::query!(
            "update inquiry_events set data = data - 'content' where ctid = any (array(
               select e.ctid from inquiry_events e
               join inquiries i on i.project_id = e.project_id and i.inquiry_id = e.inquiry_id
               where e.project_id = $1 and i.asked_at < $2 and e.data ? 'content'
               limit $3))",
            project.0,
            before,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(changed) {
            return Ok(());
        }
    }
}

/// Sums of hours and days to come, from steps that believed in them: they go with the last such step, which is filed by
/// its receipt.
async fn delete_future_rollups(
    connection: &mut PgConnection,
    project: ProjectId,
    after: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "delete from rollups_default where ctid = any (array(
               select r.ctid from rollups_default r where r.project_id = $1 and r.hour > $2 and not exists (
                 select from steps s where s.project_id = r.project_id and s.started_at >= r.hour
                   and s.started_at < r.hour + interval '1 hour')
               limit $3))",
            project.0,
            after,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "delete from release_hours_default where ctid = any (array(
               select r.ctid from release_hours_default r where r.project_id = $1 and r.hour > $2 and not exists (
                 select from steps s where s.project_id = r.project_id and s.started_at >= r.hour
                   and s.started_at < r.hour + interval '1 hour')
               limit $3))",
            project.0,
            after,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "delete from rollup_days_default where ctid = any (array(
               select d.ctid from rollup_days_default d where d.project_id = $1 and d.day > $2 and not exists (
                 select from rollups r where r.project_id = d.project_id and r.series_id = d.series_id
                   and r.hour >= d.day and r.hour < d.day + interval '1 day')
               limit $3))",
            project.0,
            after,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "delete from condition_days_default where ctid = any (array(
               select d.ctid from condition_days_default d where d.project_id = $1 and d.day > $2 and not exists (
                 select from rollups r where r.project_id = d.project_id
                   and r.hour >= d.day and r.hour < d.day + interval '1 day')
               limit $3))",
            project.0,
            after,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            return Ok(());
        }
    }
}

/// What was said about conditions that are gone: it names people, and nothing is left that it is about.
async fn delete_feedback(
    connection: &mut PgConnection,
    project: ProjectId,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "delete from condition_feedback where ctid = any (array(
               select f.ctid from condition_feedback f where f.project_id = $1 and not exists (
                 select from runs r
                 join step_conditions c on c.project_id = r.project_id and c.partition_at = r.partition_at
                   and c.run_id = r.run_id
                 where r.project_id = f.project_id and r.run_id = f.run_id and c.step_id = f.step_id
                   and c.code = f.code)
               limit $2))",
            project.0,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            return Ok(());
        }
    }
}
