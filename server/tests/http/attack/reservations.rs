//! What is reserved of a budget for a call that is given up is given free: at once where it was not sent, else after a while.

use std::time::Duration;

use domain::{Feature, NanoUsd, ProjectId};
use server::models::{Message, Request, Role, call, month_of};
use storage::models::{RESERVED_MICROS, Reservation, Reserved};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::app::TestApp;
use crate::model_stand_in::{ModelStandIn, Say};
use crate::models::{asking_app, own_run, set_up};
use crate::people::default_project;

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the provider in the background, and returns when it was asked.
async fn asked(app: &TestApp, provider: &ModelStandIn, project: ProjectId) -> JoinHandle<()> {
    let models = app.state.models.clone();
    let calling = TaskTracker::new().spawn(async move {
        let request = Request {
            system: "Be brief.".to_owned(),
            messages: vec![Message::text(Role::User, "Why?")],
            tools: Vec::new(),
            must_call: None,
            max_output_tokens: 500,
        };
        call(
            &models,
            project,
            Feature::Analysis,
            &own_run("r"),
            &request,
            &|_: &str| {},
        )
        .await
        .ok();
    });
    let heard = async {
        while provider.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, heard).await.unwrap();
    calling
}

async fn spent(app: &TestApp, project: ProjectId, now: domain::Timestamp) -> i64 {
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    storage::models::spent(&mut snapshot, project, &month_of(server::clock::now()), now)
        .await
        .unwrap()
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_while_the_provider_has_it_wait_leaves_nothing_reserved() {
    let provider = ModelStandIn::saying(vec![Say::busy(429, "50")]).await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &provider, Some("1")).await;
    let project = default_project(&app).await.id;
    let mut calling = asked(&app, &provider, project).await;
    let waits = timeout(Duration::from_secs(3), &mut calling).await;
    assert!(waits.is_err(), "it waits as long as the provider wants");
    assert!(spent(&app, project, server::clock::now()).await > 0);
    calling.abort();
    let free = async {
        while spent(&app, project, server::clock::now()).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_settles_is_held_for_a_while_and_then_of_unknown_cost() {
    let provider = ModelStandIn::saying(vec![Say::Silence]).await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &provider, Some("0.004")).await;
    let project = default_project(&app).await.id;
    asked(&app, &provider, project).await.abort();
    let (db, now) = (&app.state.db, server::clock::now());
    let later = now.plus_micros(RESERVED_MICROS);
    assert!(spent(&app, project, now).await > 0, "it may have been answered");
    assert_eq!(spent(&app, project, later).await, 0);

    let month = month_of(now);
    let reserve = |at| {
        let reservation = Reservation {
            call_id: Uuid::now_v7(),
            month: &month,
            feature: Feature::Analysis,
            provider_id: "p1",
            model: "claude-haiku-4-5",
            most: NanoUsd(4_000_000),
        };
        async move {
            storage::models::reserve(db, project, &reservation, at)
                .await
                .unwrap()
        }
    };
    assert!(matches!(reserve(now).await, Reserved::Refused { .. }));
    assert_eq!(reserve(later).await, Reserved::Made);
    let mut snapshot = db.snapshot(project).await.unwrap();
    let usage = storage::models::usage(&mut snapshot, project, &month)
        .await
        .unwrap();
    let [row] = usage.as_slice() else {
        panic!("{usage:?}");
    };
    assert_eq!(
        (row.calls, row.failed, row.unpriced_calls, row.not_made),
        (1, 1, 1, 1)
    );
}
