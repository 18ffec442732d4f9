use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::StoredPrice;
use crate::audit::{self, Entry};
use crate::error::OnConstraint as _;
use crate::{Db, Error, Result, Scope, jobs, live, reprice};

/// What the id of a project's own price begins with, and that of a shipped one never.
pub const OWN_PREFIX: &str = "own/";

/// What became of the shipped rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Rows that were not there.
    pub added: i64,
    /// Rows that say something else now.
    pub changed: i64,
    /// Rows that are no longer there.
    pub removed: i64,
}

/// Which edition of the shipped prices is stored; `None` before the first.
pub async fn edition(db: &Db) -> Result<Option<String>> {
    let mut tx = db.begin(Scope::All).await?;
    Ok(sqlx::query_scalar!("select version from price_edition")
        .fetch_optional(&mut *tx)
        .await?)
}

/// Makes `rows` the shipped prices, all of them or none. With `only_if_newer`, `None` and nothing done when the stored
/// edition is this one or a later one (versions are compared as text). Processes that do this at the same time wait
/// for each other.
pub async fn replace_shipped(
    db: &Db,
    version: &str,
    rows: &[StoredPrice],
    only_if_newer: bool,
    now: Timestamp,
) -> Result<Option<Replaced>> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!("lock table price_edition in exclusive mode")
        .execute(&mut *tx)
        .await?;
    let stored = sqlx::query_scalar!("select version from price_edition")
        .fetch_optional(&mut *tx)
        .await?;
    if only_if_newer && stored.is_some_and(|stored| stored.as_str() >= version) {
        return Ok(None);
    }
    let ids: Vec<String> = rows.iter().map(|row| row.price_id.clone()).collect();
    let removed = sqlx::query!(
        "delete from prices where project_id is null and price_id <> all ($1)",
        &ids
    )
    .execute(&mut *tx)
    .await?;
    let written = sqlx::query!(
        "with written as (
           insert into prices as p (price_id, project_id, provider, model_match, model, valid_from, rates,
             context_window, source)
           select price_id, null, provider, model_match, model, valid_from, rates, context_window, source
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::bigint[],
             $8::text[]) as n (price_id, provider, model_match, model, valid_from, rates, context_window, source)
           on conflict (price_id) do update set provider = excluded.provider, model_match = excluded.model_match,
             model = excluded.model, valid_from = excluded.valid_from, rates = excluded.rates,
             context_window = excluded.context_window, source = excluded.source
           where p.project_id is null
             and (p.provider, p.model_match, p.model, p.valid_from, p.rates, p.context_window, p.source)
               is distinct from (excluded.provider, excluded.model_match, excluded.model, excluded.valid_from,
                 excluded.rates, excluded.context_window, excluded.source)
           returning p.xmax = 0 as is_new
         )
         select count(*) filter (where is_new) as \"added!\", count(*) filter (where not is_new) as \"changed!\"
         from written",
        &ids,
        &rows.iter().map(|row| row.provider.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.model_match.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.model.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.valid_from.to_offset_date_time()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.rates.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.context_window).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.source.clone()).collect::<Vec<_>>(),
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into price_edition (version, loaded_at) values ($1, $2)
         on conflict (is_one) do update set version = excluded.version, loaded_at = excluded.loaded_at",
        version,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    jobs::begin_again_within(&mut tx, reprice::KIND, None).await?;
    tx.commit().await?;
    live::notify_prices(db).await?;
    Ok(Some(Replaced {
        added: written.added,
        changed: written.changed,
        removed: i64::try_from(removed.rows_affected()).unwrap_or(i64::MAX),
    }))
}

/// A project's own price, checked by the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOverride {
    /// Who bills it.
    pub provider: String,
    /// `exact`, `prefix` or `regex`.
    pub model_match: String,
    /// What the model's name is compared with.
    pub model: String,
    /// The moment from which it is billed so.
    pub valid_from: Timestamp,
    pub rates: Value,
    /// How many tokens fit into the model's context.
    pub context_window: Option<i64>,
    /// Where the figures come from.
    pub source: String,
}

/// Saves a price of the project's own; returns its id. One for the same provider, name and moment is replaced, and its
/// id with it: what was computed with the old rates keeps naming them until it is priced again.
pub async fn save_override(
    db: &Db,
    project: ProjectId,
    new: &NewOverride,
    actor: &str,
    now: Timestamp,
) -> Result<String> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "delete from prices where project_id = $1 and provider = $2 and model_match = $3 and lower(model) = lower($4)
           and valid_from = $5",
        project.0,
        new.provider,
        new.model_match,
        new.model,
        new.valid_from.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let price_id = format!("{OWN_PREFIX}{}", Uuid::now_v7());
    sqlx::query!(
        "insert into prices (price_id, project_id, provider, model_match, model, valid_from, rates, context_window,
           source) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        price_id,
        project.0,
        new.provider,
        new.model_match,
        new.model,
        new.valid_from.to_offset_date_time(),
        new.rates,
        new.context_window,
        new.source
    )
    .execute(&mut *tx)
    .await
    .on_constraint("prices_own_key")?;
    let entry = Entry {
        actor: actor.to_owned(),
        action: "price.save".to_owned(),
        subject: new.model.clone(),
        details: json!({
            "price_id": price_id, "provider": new.provider, "model_match": new.model_match,
            "valid_from": new.valid_from, "rates": new.rates,
        }),
    };
    jobs::begin_again_within(&mut tx, reprice::KIND, Some(project)).await?;
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_settings(db, project).await?;
    Ok(price_id)
}

/// Deletes a price of the project's own. Costs that were computed with it stay until they are priced again.
pub async fn delete_override(
    db: &Db,
    project: ProjectId,
    price_id: &str,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let deleted = sqlx::query!(
        "delete from prices where project_id = $1 and price_id = $2 returning provider, model_match, model, valid_from,
           rates",
        project.0,
        price_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let entry = Entry {
        actor: actor.to_owned(),
        action: "price.delete".to_owned(),
        subject: deleted.model,
        details: json!({
            "price_id": price_id, "provider": deleted.provider, "model_match": deleted.model_match,
            "valid_from": Timestamp::from_offset_date_time(deleted.valid_from), "rates": deleted.rates,
        }),
    };
    jobs::begin_again_within(&mut tx, reprice::KIND, Some(project)).await?;
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_settings(db, project).await
}
