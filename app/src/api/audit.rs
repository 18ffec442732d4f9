//! Reading the audit log.

use domain::audit::AuditRow;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Rows of a page.
#[cfg(feature = "ssr")]
const PAGE_ROWS: u32 = 100;

/// A page of the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub rows: Vec<AuditRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    /// Earlier rows have not been looked through yet.
    pub searched_in_part: bool,
}

/// The rows of a project, for its admins; with `instance` those of the server and of all projects, for those who
/// answer for it. `from` and `to` are days, both included; what can't be read counts as not said.
#[server(prefix = "/ui", endpoint = "audit/list", input = GetUrl)]
pub(crate) async fn read_audit(
    slug: String,
    instance: bool,
    who: String,
    what: String,
    from: String,
    to: String,
    cursor: String,
) -> Result<AuditPage, ApiError> {
    use domain::audit::AuditFilter;
    use domain::{Role, Timestamp};

    use crate::context::{authorise, database, use_viewer};

    const DAY_MICROS: i64 = 86_400 * 1_000_000;
    let project = authorise(&slug, Role::Admin)?;
    let viewer = use_viewer();
    let sees_everything = viewer.open || viewer.user.is_some_and(|user| user.is_instance_admin);
    if instance && !sees_everything {
        return Err(ApiError::NotFound.with_status());
    }
    let day = |text: &str| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let filter = AuditFilter {
        who,
        what,
        from: day(&from),
        to: day(&to).map(|day| day.plus_micros(DAY_MICROS)),
    };
    let db = database()?;
    let of = (!instance).then_some(project.id);
    let mut snapshot = match of {
        Some(project) => db.snapshot(project).await?,
        None => db.snapshot_of_everything().await?,
    };
    let page = storage::audit::page(&mut snapshot, of, &filter, cursor.parse().ok(), PAGE_ROWS).await?;
    Ok(AuditPage {
        rows: page.rows,
        next: page.next.map(|next| next.to_string()),
        searched_in_part: page.searched_in_part,
    })
}
