//! Who asks GitHub: one process at a time, and a server by itself.

use server::github::task::Synced;
use storage::integrations::{self, GITHUB};
use tokio_util::sync::CancellationToken;

use crate::github_stand_in::GithubStandIn;
use crate::github_sync::{connected, connection_of, deploys, shipped, syncing};
use crate::people::default_project;

#[tokio::test(flavor = "multi_thread")]
async fn processes_take_turns_and_a_dead_one_is_followed() {
    let github = GithubStandIn::start().await;
    shipped(&github, 3);
    let app = connected(&github, |_| {}).await;
    let other = app.another_process().await;
    let tasks = (0..6).map(|n| {
        let syncing = if n % 2 == 0 {
            syncing(&app)
        } else {
            syncing(&other)
        };
        async move {
            let alive = CancellationToken::new();
            syncing.sync_next(None, None, &alive).await.unwrap()
        }
    });
    let synced: Vec<Synced> = futures::future::join_all(tasks)
        .await
        .into_iter()
        .flatten()
        .collect();
    // Another server has another key, so it may have been the one whose turn it was and could not.
    assert_eq!(synced.len(), 1, "{synced:?}");
    // One that is stopped lets go at once.
    let (db, project) = (&app.state.db, default_project(&app).await.id);
    integrations::ask_now(db, project, GITHUB, "mara", server::clock::now())
        .await
        .unwrap();
    let stopped = CancellationToken::new();
    stopped.cancel();
    github.hang(true);
    let ended = syncing(&app)
        .sync_next(None, None, &stopped)
        .await
        .unwrap()
        .unwrap();
    github.hang(false);
    assert_eq!(ended.error, None);
    assert!(!connection_of(&app).await.is_claimed);
    // One that died while it was at it: others have to wait until its claim ends.
    let now = server::clock::now();
    integrations::ask_now(db, project, GITHUB, "mara", now)
        .await
        .unwrap();
    let until = now.plus_micros(1_000);
    let dead = integrations::claim(db, GITHUB, None, server::clock::now(), until)
        .await
        .unwrap();
    assert_eq!(dead.as_ref().map(|dead| dead.project_id), Some(project));
    let after = now.plus_micros(2_000_000);
    let next = integrations::claim(db, GITHUB, None, after, after.plus_micros(60_000_000))
        .await
        .unwrap();
    assert!(next.is_some(), "its claim is over");
    // The first one comes back to life: it may write nothing.
    let dead = dead.unwrap().claim;
    assert!(
        !integrations::keep_claim(db, project, GITHUB, dead, after)
            .await
            .unwrap()
    );
}

/// The server's own task asks when it is told to, and follows no name to another host.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_syncs_by_itself() {
    let github = GithubStandIn::start().await;
    shipped(&github, 1);
    let app = connected(&github, |_| {}).await;
    server::cli::serve::start_periodic_tasks(&app.state, app.options(), &app.shutdown);
    let synced = async {
        while connection_of(&app).await.last_ok_at.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), synced)
        .await
        .unwrap_or_else(|_| panic!("nobody asks GitHub"));
    assert_eq!(deploys(&app).await.len(), 1);
}
