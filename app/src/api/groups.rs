//! Reading sessions and users.

use domain::run::{GroupOrder, GroupRuns, GroupTotals, RunGroup, RunGrouping};
use domain::{NanoUsd, RunFilter, RunSummary, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Rows of one page of a list.
pub(crate) const GROUPS_PER_PAGE: u32 = 50;
/// The most runs of a session that its page knows of.
pub(crate) const MAX_SESSION_RUNS: u32 = 1_000;
/// Turns of one page of a conversation.
#[cfg(feature = "ssr")]
const TURNS_PER_PAGE: usize = 50;
/// Texts of a run with more steps are not looked for.
#[cfg(feature = "ssr")]
const MAX_STEPS_READ: i64 = 2_000;
/// An input that is longer is not read for what the user said last, in bytes.
#[cfg(feature = "ssr")]
const MAX_INPUT_BYTES: i32 = 256 * 1024;
/// As much of an answer as is read, in characters.
#[cfg(feature = "ssr")]
const MAX_OUTPUT_CHARS: i32 = 16 * 1024;

/// A list of sessions or users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupsView {
    /// When it was read.
    pub(crate) now: Timestamp,
    pub(crate) rows: Vec<GroupView>,
    pub(crate) next_cursor: Option<String>,
    /// Sums over all of them, the filter's status and severity left aside.
    pub(crate) totals: GroupTotals,
    /// All runs of the window, and what they cost.
    pub(crate) window_runs: i64,
    pub(crate) window_cost: Option<NanoUsd>,
}

/// A session or a user, and what stands beside it in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupView {
    pub(crate) group: RunGroup,
    pub(crate) beside: GroupRuns,
}

/// Which list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupsWish {
    pub(crate) grouping: RunGrouping,
    pub(crate) filter: RunFilter,
    pub(crate) order: GroupOrder,
    pub(crate) cursor: Option<String>,
}

/// A page of sessions or users with everything around it.
#[server(prefix = "/ui", endpoint = "groups/view", input = Json)]
pub(crate) async fn read_groups(slug: String, wish: GroupsWish) -> Result<GroupsView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    groups_of(&mut snapshot, project, &wish, now).await
}

#[cfg(feature = "ssr")]
async fn groups_of(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    wish: &GroupsWish,
    now: Timestamp,
) -> Result<GroupsView, ApiError> {
    use storage::runs::groups::{self, GroupQuery};

    let wanted = GroupQuery {
        grouping: wish.grouping,
        filter: &wish.filter,
        order: wish.order,
        cursor: wish.cursor.as_deref(),
        limit: GROUPS_PER_PAGE,
    };
    let (page, totals) = groups::list(snapshot, project, wanted, now).await?;
    let ids: Vec<String> = page.items.iter().map(|group| group.id.clone()).collect();
    let window = wish.filter.window.bounds(now);
    let mut beside = groups::beside(snapshot, project, wish.grouping, &ids, window).await?;
    let whole_window = RunFilter {
        window: wish.filter.window,
        ..RunFilter::default()
    };
    let all = storage::runs::totals(snapshot, project, &whole_window, now).await?;
    let rows = page.items.into_iter().map(|group| GroupView {
        beside: beside.remove(&group.id).unwrap_or_default(),
        group,
    });
    Ok(GroupsView {
        now,
        rows: rows.collect(),
        next_cursor: page.next_cursor,
        totals,
        window_runs: all.runs,
        window_cost: all.cost_nano_usd,
    })
}

/// A run of a session: what was asked and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) run: RunSummary,
    /// What its session had cost with it.
    pub(crate) cost_so_far: Option<NanoUsd>,
    /// What the user said last, cut where it is long; `None` when that is not known.
    pub(crate) asked: Option<String>,
    /// What was answered, likewise.
    pub(crate) answered: Option<String>,
    /// Its texts are too long to be read here.
    pub(crate) is_long: bool,
}

/// What calls of one model cost in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpentOn {
    pub(crate) model: Option<String>,
    pub(crate) calls: i64,
    pub(crate) cost: Option<NanoUsd>,
}

/// A session as a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionView {
    pub(crate) group: RunGroup,
    /// The run that went most wrong; `None` where nothing did.
    pub(crate) worst: Option<RunSummary>,
    /// Its runs from the first, `MAX_SESSION_RUNS` at most: start, cost so far, and state.
    pub(crate) beats: Vec<Beat>,
    /// Those of the page.
    pub(crate) turns: Vec<Turn>,
    /// From 1.
    pub(crate) page: u32,
    pub(crate) pages: u32,
    pub(crate) spent_on: Vec<SpentOn>,
    /// Texts were left out because the page has its fill of them.
    pub(crate) is_cut: bool,
}

/// A run as a point of the session's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beat {
    pub(crate) at: Timestamp,
    pub(crate) cost_so_far: Option<NanoUsd>,
    pub(crate) status: domain::RunStatus,
    pub(crate) severity: domain::Severity,
}

/// One session; `page` of its conversation, from 1.
#[server(prefix = "/ui", endpoint = "groups/session", input = Json)]
pub(crate) async fn read_session(
    slug: String,
    session_id: String,
    page: u32,
) -> Result<SessionView, ApiError> {
    use storage::runs::groups;

    use crate::payload::budget::Budget;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let grouping = RunGrouping::Session;
    let group = groups::get(&mut snapshot, project, grouping, &session_id, now).await?;
    let runs = groups::runs(&mut snapshot, project, grouping, &session_id, MAX_SESSION_RUNS).await?;
    let alone = std::slice::from_ref(&session_id);
    let worst = groups::worst_of_each(&mut snapshot, project, grouping, alone, (None, None)).await?;
    let worst = worst.into_values().next();
    let spent_on = groups::spent_on(&mut snapshot, project, &session_id).await?;
    let mut sum = None;
    let turns: Vec<Turn> = runs
        .into_iter()
        .map(|run| {
            let (before, more) = (
                sum.map(|cost: NanoUsd| cost.0),
                run.cost_nano_usd.map(|cost| cost.0),
            );
            sum = domain::usage::known_sum(before, more).map(NanoUsd);
            Turn {
                run,
                cost_so_far: sum,
                asked: None,
                answered: None,
                is_long: false,
            }
        })
        .collect();
    let beats = turns
        .iter()
        .map(|turn| Beat {
            at: turn.run.started_at,
            cost_so_far: turn.cost_so_far,
            status: turn.run.status,
            severity: turn.run.severity,
        })
        .collect();
    let pages = turns.len().div_ceil(TURNS_PER_PAGE).max(1);
    let page = (page.max(1) as usize).min(pages);
    let mut shown: Vec<Turn> = turns
        .into_iter()
        .skip((page - 1) * TURNS_PER_PAGE)
        .take(TURNS_PER_PAGE)
        .collect();
    let mut budget = Budget::conversation();
    for turn in &mut shown {
        turn.is_long = turn.run.step_count > MAX_STEPS_READ;
        if turn.is_long || budget.is_spent() {
            continue;
        }
        let texts = groups::texts(
            &mut snapshot,
            project,
            &turn.run,
            MAX_INPUT_BYTES,
            MAX_OUTPUT_CHARS,
        )
        .await?;
        let asked = texts.input.as_deref().map(crate::payload::turn::asked);
        let answered = texts.output.as_deref().map(crate::payload::turn::answered);
        turn.asked = asked.flatten().map(|text| budget.take_text(text));
        // What a failed run said before it failed is no answer.
        let answered = answered
            .flatten()
            .filter(|_| turn.run.status != domain::RunStatus::Error);
        turn.answered = answered.map(|text| budget.take_text(text));
        budget.take_part();
    }
    Ok(SessionView {
        group,
        worst,
        beats,
        turns: shown,
        page: page as u32,
        pages: pages as u32,
        spent_on: spent_on
            .into_iter()
            .map(|spent| SpentOn {
                model: spent.model,
                calls: spent.calls,
                cost: spent.cost_nano_usd,
            })
            .collect(),
        is_cut: budget.is_spent(),
    })
}

/// One user: all of them together, and their sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserView {
    pub(crate) group: RunGroup,
    /// Over all time.
    pub(crate) sessions: GroupsView,
}

/// One user; `cursor` is that of the list of their sessions.
#[server(prefix = "/ui", endpoint = "groups/user", input = Json)]
pub(crate) async fn read_user(
    slug: String,
    user_id: String,
    #[server(default)] cursor: Option<String>,
) -> Result<UserView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let group = storage::runs::groups::get(&mut snapshot, project, RunGrouping::User, &user_id, now).await?;
    let wish = GroupsWish {
        grouping: RunGrouping::Session,
        filter: storage::runs::groups::of_one(RunGrouping::User, &user_id),
        order: GroupOrder::Latest,
        cursor,
    };
    let sessions = groups_of(&mut snapshot, project, &wish, now).await?;
    Ok(UserView { group, sessions })
}
