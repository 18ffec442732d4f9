//! The text behind each prompt template, once.

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;

/// A template's fingerprint and its canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptText<'a> {
    pub project_id: ProjectId,
    /// SHA-256 of the canonical form.
    pub fingerprint: [u8; 32],
    /// The canonical form, or its beginning.
    pub canonical: &'a str,
    /// When a step with it began.
    pub seen_at: Timestamp,
}

/// Keeps texts that are not there yet, or not any more. A template that stands twice is kept once, with the earlier
/// time.
pub async fn keep_prompt_texts(batch: &mut BatchTx, texts: &mut Vec<PromptText<'_>>) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    texts.sort_unstable_by_key(|text| (text.project_id, text.fingerprint, text.seen_at));
    texts.dedup_by_key(|text| (text.project_id, text.fingerprint));
    sqlx::query!(
        "insert into prompt_texts (project_id, fingerprint, canonical, first_seen_at)
         select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::timestamptz[])
         on conflict (project_id, fingerprint) do update
           set first_seen_at = least(prompt_texts.first_seen_at, excluded.first_seen_at), canonical = case when excluded.canonical = '' then prompt_texts.canonical else excluded.canonical end
           where prompt_texts.first_seen_at > excluded.first_seen_at or prompt_texts.canonical = ''",
        &texts.iter().map(|text| text.project_id.0).collect::<Vec<_>>(),
        &texts
            .iter()
            .map(|text| text.fingerprint.as_slice())
            .collect::<Vec<_>>() as _,
        &texts.iter().map(|text| text.canonical).collect::<Vec<_>>() as _,
        &texts
            .iter()
            .map(|text| text.seen_at.to_offset_date_time())
            .collect::<Vec<_>>(),
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
}
