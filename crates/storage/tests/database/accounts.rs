//! Keys, people, sessions.

use domain::{KeyId, Role, Scope, Timestamp};
use serde_json::json;
use storage::audit::Entry;
use storage::members::LAST_ADMIN;
use storage::users::{NewUser, User};
use storage::{Db, Error, keys, members, projects, scoring, users};
use uuid::Uuid;

use crate::support::{TestDatabase, at, delete_project};

const NOON: &str = "2026-11-24T12:00:30Z";

fn noon() -> Timestamp {
    at(NOON)
}

async fn person(db: &Db, email: &str) -> Result<User, Error> {
    let new = NewUser {
        email,
        name: "Mara",
        password_hash: "hash",
    };
    users::create(db, new, "test", noon()).await
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, Error>, constraint: &str) -> bool {
    matches!(result, Err(Error::Conflict(found)) if found == constraint)
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_until_its_project_goes() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let made = keys::add(
        db,
        project,
        " prod ",
        &[Scope::Ingest, Scope::Read],
        "mara",
        noon(),
    )
    .await
    .unwrap();
    assert!(!format!("{made:?}").contains(&made.secret));
    let sha256 = keys::secret::sha256(&made.secret);
    let found = keys::find(db, &sha256).await.unwrap().unwrap();
    assert_eq!(
        (found.project_id, found.id, found.label.as_str()),
        (project, made.key.id, "prod")
    );
    assert_eq!(found.scopes, [Scope::Ingest, Scope::Read]);
    assert!(!found.revoked);
    assert_eq!(
        keys::list(db, project).await.unwrap(),
        std::slice::from_ref(&made.key)
    );

    keys::revoke(db, project, made.key.id, "mara", noon())
        .await
        .unwrap();
    keys::revoke(db, project, made.key.id, "mara", at("2027-01-01T00:00:00Z"))
        .await
        .unwrap();
    assert!(keys::find(db, &sha256).await.unwrap().unwrap().revoked);
    assert_eq!(keys::list(db, project).await.unwrap()[0].revoked_at, Some(noon()));

    let other = database.project(2).await;
    for (project, key) in [(other, made.key.id), (project, KeyId(Uuid::nil()))] {
        let refused = keys::revoke(db, project, key, "mara", noon()).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    assert!(is_conflict(
        keys::add(db, project, " ", &[], "mara", noon()).await,
        "api_keys_label"
    ));
    delete_project(db, project).await.unwrap();
    assert_eq!(keys::find(db, &sha256).await.unwrap(), None);
}

#[tokio::test]
async fn the_last_use_of_a_key_never_goes_back() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let key = keys::add(db, project, "prod", &[], "mara", noon())
        .await
        .unwrap()
        .key;
    let check = async |used_at: &str, expected: &str| {
        keys::touch(
            db,
            &[(project, key.id), (project, KeyId(Uuid::nil()))],
            at(used_at),
        )
        .await
        .unwrap();
        let last_used_at = keys::list(db, project).await.unwrap()[0].last_used_at;
        assert_eq!(last_used_at, Some(at(expected)), "{used_at}");
    };
    check(NOON, "2026-11-24T12:00:00Z").await;
    check("2026-11-24T12:01:59Z", "2026-11-24T12:01:00Z").await;
    check("2026-11-24T11:00:00Z", "2026-11-24T12:01:00Z").await;
    keys::touch(db, &[], noon()).await.unwrap();
}

#[tokio::test]
async fn the_default_project_is_made_once() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    assert_eq!(projects::keyless(db).await.unwrap(), None);
    let (one, two) = tokio::join!(
        projects::ensure_default(db, noon()),
        projects::ensure_default(db, noon())
    );
    let default = one.unwrap();
    assert_eq!(two.unwrap(), default);
    assert_eq!(
        (default.slug.as_str(), default.name.as_str()),
        ("default", "Default")
    );

    let acme = projects::create(db, "Acme", "acme", None, "mara", noon())
        .await
        .unwrap();
    assert!(is_conflict(
        projects::create(db, "Other", "acme", None, "mara", noon()).await,
        "projects_slug_key"
    ));
    projects::rename(db, &acme, "Acme Inc", "mara", noon())
        .await
        .unwrap();
    assert_eq!(projects::get(db, acme.id).await.unwrap().name, "Acme Inc");
    delete_project(db, default.id).await.unwrap();
    assert_eq!(projects::ensure_default(db, noon()).await.unwrap().slug, "acme");
    assert_eq!(projects::list(db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_one_account_is_the_first() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let (one, two) = (database.project(1).await, database.project(2).await);
    let first = |email: &'static str| {
        let new = NewUser {
            email,
            name: "Mara",
            password_hash: "hash",
        };
        users::create_first(db, new, "local", noon())
    };
    let (mara, noor) = tokio::join!(first("mara@acme.dev"), first("noor@acme.dev"));
    assert_eq!([&mara, &noor].iter().filter(|made| made.is_ok()).count(), 1);
    assert!(is_conflict(first("eve@acme.dev").await, "users_exist"));
    let user = mara.or(noor).unwrap();
    let of_user = members::of_user(db, user.id).await.unwrap();
    let of_user: Vec<_> = of_user
        .iter()
        .map(|(project, role)| (project.id, *role))
        .collect();
    assert_eq!(of_user, [(one, Role::Admin), (two, Role::Admin)]);
}

#[tokio::test]
async fn addresses_are_compared_in_lower_case() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let mara = person(db, " Mara@Acme.DEV").await.unwrap();
    assert_eq!(mara.email, "mara@acme.dev");
    assert!(is_conflict(person(db, "mara@acme.dev").await, "users_email_key"));
    let (found, hash) = users::by_email(db, "MARA@acme.dev ").await.unwrap().unwrap();
    assert_eq!((&found, hash.as_str()), (&mara, "hash"));
    assert_eq!(users::by_email(db, "noor@acme.dev").await.unwrap(), None);
    assert_eq!(users::count(db).await.unwrap(), 1);
}

#[tokio::test]
async fn a_project_keeps_an_admin_even_when_two_leave_at_once() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let mara = person(db, "mara@acme.dev").await.unwrap();
    let noor = person(db, "noor@acme.dev").await.unwrap();
    for user in [&mara, &noor] {
        members::add(db, project, user, Role::Admin, "mara", noon())
            .await
            .unwrap();
    }
    let again = members::add(db, project, &mara, Role::Viewer, "mara", noon()).await;
    assert!(is_conflict(again, "memberships_pkey"));
    let (one, two) = tokio::join!(
        members::remove(db, project, mara.id, "mara", noon()),
        members::set_role(db, project, noor.id, Role::Viewer, "mara", noon())
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert!(is_conflict(one.and(two), LAST_ADMIN));
    let admins = members::list(db, project).await.unwrap();
    assert_eq!(
        admins.iter().filter(|member| member.role == Role::Admin).count(),
        1
    );
}

#[tokio::test]
async fn nothing_changes_that_the_audit_log_cannot_hold() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let mara = person(db, "mara@acme.dev").await.unwrap();
    let noor = person(db, "noor@acme.dev").await.unwrap();
    members::add(db, project, &mara, Role::Admin, "test", noon())
        .await
        .unwrap();
    let key = keys::add(db, project, "prod", &[], "test", noon())
        .await
        .unwrap()
        .key;
    let before = projects::get(db, project).await.unwrap();
    sqlx::query("alter table audit_log add constraint is_full check (false) not valid")
        .execute(&mut database.owner().await)
        .await
        .unwrap();

    let actor = "mara@acme.dev";
    assert!(keys::add(db, project, "other", &[], actor, noon()).await.is_err());
    assert!(keys::revoke(db, project, key.id, actor, noon()).await.is_err());
    assert_eq!(keys::list(db, project).await.unwrap(), [key]);
    let role = Role::Viewer;
    assert!(
        members::add(db, project, &noor, role, actor, noon())
            .await
            .is_err()
    );
    assert!(
        members::set_role(db, project, mara.id, Role::Admin, actor, noon())
            .await
            .is_err()
    );
    assert_eq!(members::list(db, project).await.unwrap().len(), 1);
    assert!(
        projects::create(db, "New", "new", Some(mara.id), actor, noon())
            .await
            .is_err()
    );
    assert!(
        projects::rename(db, &before, "Other", actor, noon())
            .await
            .is_err()
    );
    assert_eq!(projects::list(db).await.unwrap(), [before]);
    let entry = Entry::new(actor, "scoring.change", "scoring", json!({}));
    let rules = json!({ "threshold": 7 });
    assert!(
        scoring::save_settings(db, project, &rules, &entry, noon())
            .await
            .is_err()
    );
    let mut snapshot = db.snapshot(project).await.unwrap();
    assert_eq!(
        scoring::settings(&mut snapshot, project).await.unwrap(),
        json!({})
    );
}
