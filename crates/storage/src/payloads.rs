//! Texts of steps that are stored sealed, and whether a project's are.
//!
//! Storage holds no key and knows no cipher. Texts are sealed before they come here ([`SealedTexts`]); reads open them with
//! what the rim gave to [`crate::Db::opening_payloads`]. A text that can't be opened is an error, never an empty text.

use domain::{ProjectId, Timestamp};
use serde_json::{Map, Value, json};

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, live};

pub use crate::sealed::{Field, OpenPayloads, PayloadKey, SealedTexts, TextPlace, Unopened};

/// Whether a project's new steps are sealed, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Of new steps; what was sealed before is read with the key all the same.
    pub is_on: bool,
    /// When it was switched on or off last.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
    /// The project's key, sealed.
    pub sealed_key: Vec<u8>,
}

/// What is set; `None` where nothing was ever sealed.
pub async fn sealing(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<Sealing>> {
    let row = sqlx::query!(
        "select is_on, changed_at, changed_by, sealed_key from payload_keys where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| Sealing {
        is_on: row.is_on,
        changed_at: Timestamp::from_offset_date_time(row.changed_at),
        changed_by: row.changed_by,
        sealed_key: row.sealed_key,
    }))
}

/// Of the latest steps, at most `steps` of them: how many are stored with sealed texts, and how many with texts at all.
pub async fn sealed_lately(snapshot: &mut Snapshot, project: ProjectId, steps: u32) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        "select count(*) filter (where p.input_sealed is not null or p.output_sealed is not null
             or p.prompt_template_sealed is not null) as \"sealed!\", count(*) as \"all!\"
         from (
           select run_id, step_id, partition_at from steps
           where project_id = $1 and score is not null order by sequence desc limit $2) l
         join step_payloads p on p.project_id = $1 and p.run_id = l.run_id and p.step_id = l.step_id
           and p.partition_at = l.partition_at",
        project.0,
        i64::from(steps)
    )
    .fetch_one(&mut *snapshot)
    .await?;
    Ok((row.sealed, row.all))
}

/// Has new steps sealed, or no longer; writes down who did it, and tells every process. `new_key` is stored where the project
/// has no key, and else not looked at. `NotFound` where the project is gone.
pub async fn set_sealing(
    db: &Db,
    project: ProjectId,
    is_on: bool,
    new_key: &[u8],
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let saved = sqlx::query!(
        "insert into payload_keys (project_id, is_on, changed_at, changed_by, sealed_key)
         select $1, $2, $3, $4, $5 from projects where project_id = $1 and deleted_at is null
         on conflict (project_id) do update set is_on = excluded.is_on, changed_at = excluded.changed_at,
           changed_by = excluded.changed_by",
        project.0,
        is_on,
        now.to_offset_date_time(),
        actor,
        new_key
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if saved == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(
        actor,
        "encryption.change",
        "encryption",
        json!({ "payloads": is_on }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    // In the transaction: either both happen or neither. It is rare enough for commits to wait for it.
    live::notify_settings_within(&mut tx, project).await?;
    Ok(tx.commit().await?)
}

/// A project's key for one read, asked for where something of it is sealed.
pub(crate) struct Opener(Option<Box<dyn PayloadKey>>);

impl Opener {
    /// Reads nothing unless `is_needed`: who seals nothing pays nothing.
    pub(crate) async fn of(snapshot: &mut Snapshot, project: ProjectId, is_needed: bool) -> Result<Self> {
        if !is_needed {
            return Ok(Self(None));
        }
        let sealing = sealing(snapshot, project).await?.ok_or(Unopened::NoKey)?;
        let payloads = snapshot.payloads().ok_or(Unopened::OtherKey)?;
        Ok(Self(Some(payloads.key(project, &sealing.sealed_key)?)))
    }

    /// A text that is stored either way.
    pub(crate) fn text(
        &self,
        place: TextPlace<'_>,
        plain: Option<String>,
        sealed: Option<&[u8]>,
    ) -> Result<Option<String>> {
        let Some(sealed) = sealed else {
            return Ok(plain);
        };
        let key = self.0.as_ref().ok_or(Unopened::NoKey)?;
        Ok(Some(key.open(place, sealed)?))
    }

    /// The beginning of such a text; the plain one has been cut by the statement.
    pub(crate) fn beginning(
        &self,
        place: TextPlace<'_>,
        plain: Option<String>,
        sealed: Option<&[u8]>,
        max_chars: i32,
    ) -> Result<Option<String>> {
        let max_chars = usize::try_from(max_chars).unwrap_or(0);
        Ok(self.text(place, plain, sealed)?.map(|mut text| {
            if let Some((end, _)) = text.char_indices().nth(max_chars) {
                text.truncate(end);
                // What is kept is what was asked for, not the memory of the whole text.
                text.shrink_to_fit();
            }
            text
        }))
    }

    /// Attributes of an event, which are stored either way.
    pub(crate) fn attributes(
        &self,
        place: TextPlace<'_>,
        plain: Option<Map<String, Value>>,
        sealed: Option<&[u8]>,
    ) -> Result<Map<String, Value>> {
        match self.text(place, None, sealed)? {
            None => Ok(plain.unwrap_or_default()),
            Some(text) => Ok(serde_json::from_str(&text).map_err(|_no_object| Unopened::Damaged)?),
        }
    }
}
