//! What models were asked is kept as long as the runs that it is about.

use storage::partitions::{delete_expired, maintain};
use storage::{chats, inquiries};

use crate::partitions::keep;
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";
const DAY_MICROS: i64 = 86_400_000_000;

#[tokio::test]
async fn questions_and_chats_go_with_the_runs_of_their_time() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let project = database.project(1).await;
    keep(&mut owner, project, 30, 7).await;
    let ago = |days: i64| at(NOW).plus_micros(-days * DAY_MICROS);
    let mut made = Vec::new();
    for days in [1, 40] {
        let chat = chats::create(&database.db, project, "/runs", "mara", ago(days))
            .await
            .unwrap();
        chats::ask(&database.db, project, chat, ("Why?", "Why?"), "mara", ago(days))
            .await
            .unwrap();
        made.push(chat);
    }
    // One goes on: what was asked long ago goes, and the chat stays.
    let long = chats::create(&database.db, project, "/runs", "mara", ago(50))
        .await
        .unwrap();
    for days in [50, 2] {
        chats::ask(&database.db, project, long, ("And?", "And?"), "mara", ago(days))
            .await
            .unwrap();
    }
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let mut snapshot = database.snapshot(project).await;
    let left = chats::list(&mut snapshot, project, 9).await.unwrap();
    let left: Vec<_> = left.iter().map(|chat| chat.id).collect();
    assert_eq!(left, [made[0], long]);
    let asked = inquiries::of_chat(&mut snapshot, project, long, 9).await.unwrap();
    assert_eq!(asked.len(), 1);
}
