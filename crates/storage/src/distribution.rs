//! Where each table would be if the schema were spread over several Postgres by Citus: one list, and the reason of each line.
//! `tests/database/distribution.rs` holds the migrated schema to what Citus asks of each kind; `docs/scale.md` shows the
//! same table.

use std::fmt::Write as _;

/// Where the rows of a table are in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// On the node of their project: spread by `project_id`, together with all others of this kind.
    ByProject,
    /// On every node, the same.
    Reference,
    /// On the coordinator alone.
    Local,
}

impl Distribution {
    /// The word in the documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByProject => "by project",
            Self::Reference => "reference",
            Self::Local => "local",
        }
    }
}

const RECORDED: &str = "written and read one project at a time";
const NEEDED_BEFORE: &str = "looked up before the project is known";
const QUEUE: &str = "a queue over all projects, taken with `for update skip locked`";
const SIGN_IN: &str = "sign-in, which is of no project";

/// Every table of the schema, by name, and why it is where it is.
pub const TABLES: &[(&str, Distribution, &str)] = {
    use Distribution::{ByProject, Local, Reference};
    &[
        ("alert_attempts", ByProject, RECORDED),
        ("alert_groups", Local, QUEUE),
        ("alert_settings", ByProject, RECORDED),
        ("alerts", ByProject, RECORDED),
        ("analyses", Local, QUEUE),
        ("api_keys", Reference, NEEDED_BEFORE),
        ("attributions", ByProject, RECORDED),
        (
            "audit_log",
            Local,
            "rows of the server have no project, and lists go over all of them",
        ),
        ("budget_alerts", ByProject, RECORDED),
        ("budgets", ByProject, RECORDED),
        ("chat_bills", Local, "read with `inquiries`"),
        ("chats", Local, "`inquiries` refers to it"),
        ("commit_pulls", ByProject, RECORDED),
        ("condition_days", ByProject, RECORDED),
        ("condition_feedback", ByProject, RECORDED),
        ("demo_runs", ByProject, RECORDED),
        ("deploys", ByProject, RECORDED),
        ("detector_days", ByProject, RECORDED),
        ("detector_versions", ByProject, RECORDED),
        ("detectors", ByProject, RECORDED),
        ("findings", ByProject, RECORDED),
        ("first_seen", ByProject, RECORDED),
        ("incident_events", ByProject, RECORDED),
        ("incident_fixes", ByProject, RECORDED),
        ("incident_issues", ByProject, RECORDED),
        ("incident_judging", Local, QUEUE),
        ("incident_settings", ByProject, RECORDED),
        ("incidents", ByProject, RECORDED),
        ("inquiries", Local, QUEUE),
        ("inquiry_events", Local, "read with `inquiries`"),
        ("integration_secrets", Local, "read with `integrations`"),
        ("integrations", Local, QUEUE),
        ("invitations", Reference, NEEDED_BEFORE),
        ("jobs", Local, QUEUE),
        ("judgement_queue", Local, QUEUE),
        ("judgements", ByProject, RECORDED),
        ("key_limit_alerts", ByProject, RECORDED),
        (
            "key_limits",
            Local,
            "read and written together for all projects, once a second",
        ),
        (
            "key_usage",
            Local,
            "read and written together for all projects, once a second",
        ),
        ("ledger", ByProject, RECORDED),
        (
            "memberships",
            Reference,
            "read by person at sign-in and by project elsewhere",
        ),
        ("model_providers", ByProject, RECORDED),
        ("model_reservations", ByProject, RECORDED),
        ("model_settings", ByProject, RECORDED),
        ("model_usage", ByProject, RECORDED),
        ("model_uses", ByProject, RECORDED),
        ("openid_identities", Local, SIGN_IN),
        ("openid_states", Local, SIGN_IN),
        (
            "partitioned_tables",
            Local,
            "read by maintenance, on the coordinator",
        ),
        ("password_resets", Local, SIGN_IN),
        ("payload_keys", ByProject, RECORDED),
        ("price_edition", Local, "one row, read when prices are loaded"),
        ("prices", Reference, "the shipped ones are those of every project"),
        ("project_settings", ByProject, RECORDED),
        (
            "projects",
            Reference,
            "looked up by name, and every table refers to it",
        ),
        ("prompt_texts", ByProject, RECORDED),
        ("redaction_days", ByProject, RECORDED),
        ("redaction_settings", ByProject, RECORDED),
        ("release_hours", ByProject, RECORDED),
        ("rollup_days", ByProject, RECORDED),
        ("rollups", ByProject, RECORDED),
        ("run_counts", ByProject, RECORDED),
        ("run_keys", ByProject, RECORDED),
        ("runs", ByProject, RECORDED),
        ("share_links", Reference, NEEDED_BEFORE),
        ("step_conditions", ByProject, RECORDED),
        ("step_events", ByProject, RECORDED),
        ("step_payloads", ByProject, RECORDED),
        ("steps", ByProject, RECORDED),
        ("trace_days", ByProject, RECORDED),
        ("trace_queue", Local, QUEUE),
        ("trace_states", ByProject, RECORDED),
        ("user_deletions", ByProject, RECORDED),
        (
            "users",
            Reference,
            "`memberships` refers to it, and is on every node",
        ),
        ("watched_incidents", ByProject, RECORDED),
        ("watchers", Local, QUEUE),
        ("web_sessions", Local, SIGN_IN),
        ("webhook_deliveries", ByProject, RECORDED),
    ]
};

/// The list as it stands in `docs/scale.md`.
pub fn markdown_table() -> String {
    let mut table = "| table | where | why |\n|---|---|---|\n".to_owned();
    for (name, distribution, why) in TABLES {
        _ = writeln!(table, "| `{name}` | {} | {why} |", distribution.as_str());
    }
    table
}
