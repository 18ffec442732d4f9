//! Invitations, passwords, sessions, and the log of what was done with them.

use domain::audit::{AuditFilter, AuditRow};
use domain::{Role, Timestamp, UserId};
use storage::audit;
use storage::invitations::{self, NewInvitation};
use storage::sessions::{self, NewSession};
use storage::users::{self, Indispensable, NewUser, PasswordChange, User};
use storage::{Db, Error, members, password_resets};

use crate::support::{TestDatabase, at};

const NOON: &str = "2026-11-24T12:00:30Z";
const NEXT_WEEK: &str = "2026-12-01T12:00:00Z";

fn noon() -> Timestamp {
    at(NOON)
}

fn named(email: &str) -> NewUser<'_> {
    NewUser {
        email,
        name: "Mara",
        password_hash: "hash",
    }
}

async fn person(db: &Db, email: &str) -> User {
    users::create(db, named(email), "test", noon()).await.unwrap()
}

fn invitation<'a>(token: &'a [u8], email: &'a str) -> NewInvitation<'a> {
    NewInvitation {
        token_sha256: token,
        email,
        role: Role::Member,
        expires_at: at(NEXT_WEEK),
    }
}

async fn begin(db: &Db, token: &[u8], user: UserId, ends_at: &str) {
    let new = NewSession {
        token_sha256: token,
        user,
        expires_at: at("2026-12-24T12:00:00Z"),
        ends_at: at(ends_at),
        address: "203.0.113.7",
        browser: "Firefox on Linux",
        provider: None,
    };
    sessions::create(db, new, &[], noon()).await.unwrap();
}

async fn is_alive(db: &Db, token: &[u8], now: &str) -> bool {
    sessions::find(db, token, at(now)).await.unwrap().is_some()
}

/// Everything that was written down, the oldest first.
async fn log(db: &Db) -> Vec<AuditRow> {
    let mut snapshot = db.snapshot_of_everything().await.unwrap();
    let mut rows = audit::page(&mut snapshot, None, &AuditFilter::default(), None, 500)
        .await
        .unwrap()
        .rows;
    rows.reverse();
    rows
}

fn actions(rows: &[AuditRow]) -> Vec<&str> {
    rows.iter().map(|row| row.action.as_str()).collect()
}

#[tokio::test]
async fn a_session_ends_when_it_expires_or_the_password_changes() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let mara = person(db, "mara@acme.dev").await;
    for token in [&b"one"[..], b"two", b"three"] {
        begin(db, token, mara.id, "2027-02-22T12:00:00Z").await;
    }
    assert!(is_alive(db, b"one", NOON).await);
    assert!(!is_alive(db, b"none", NOON).await);
    assert!(!is_alive(db, b"one", "2026-12-24T12:00:00Z").await);
    sessions::touch(db, b"one", noon(), at("2027-01-24T12:00:00Z"))
        .await
        .unwrap();
    assert_eq!(
        sessions::delete_expired(db, at("2026-12-24T12:00:00Z"))
            .await
            .unwrap(),
        2
    );
    assert!(is_alive(db, b"one", "2026-12-24T12:00:00Z").await);
    assert!(!is_alive(db, b"two", NOON).await);

    begin(db, b"mine", mara.id, "2027-02-22T12:00:00Z").await;
    let own = PasswordChange::Own {
        kept_session: b"mine",
    };
    users::set_password(db, &mara, "other", own, noon())
        .await
        .unwrap();
    assert!(!is_alive(db, b"one", NOON).await, "another session lives on");
    assert!(is_alive(db, b"mine", NOON).await);
    let by_command = PasswordChange::ByCommand {
        actor: "command line",
    };
    users::set_password(db, &mara, "third", by_command, noon())
        .await
        .unwrap();
    assert!(!is_alive(db, b"mine", NOON).await);
    assert_eq!(
        users::by_email(db, "mara@acme.dev").await.unwrap().unwrap().1,
        "third"
    );
}

#[tokio::test]
async fn a_session_in_use_ends_in_the_end() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let mara = person(db, "mara@acme.dev").await;
    begin(db, b"one", mara.id, "2027-01-01T00:00:00Z").await;
    for month in ["2027-01", "2027-02", "2027-03"] {
        sessions::touch(db, b"one", noon(), at(&format!("{month}-24T12:00:00Z")))
            .await
            .unwrap();
    }
    assert!(is_alive(db, b"one", "2026-12-31T23:59:59Z").await);
    assert!(!is_alive(db, b"one", "2027-01-01T00:00:00Z").await);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_alone() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let (mara, eve) = (
        person(db, "mara@acme.dev").await,
        person(db, "eve@acme.dev").await,
    );
    begin(db, b"one", mara.id, "2027-02-22T12:00:00Z").await;
    begin(db, b"two", mara.id, "2027-02-22T12:00:00Z").await;
    let listed = sessions::list(db, mara.id, b"two", noon()).await.unwrap();
    let current: Vec<bool> = listed.iter().map(|(_, is_current)| *is_current).collect();
    assert_eq!(current, [true, false], "{listed:?}");
    let other = &listed[1].0;
    assert_eq!(
        (other.address.as_str(), other.browser.as_str()),
        ("203.0.113.7", "Firefox on Linux")
    );
    let refused = sessions::end(db, &eve, other.id, noon()).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    sessions::end(db, &mara, other.id, noon()).await.unwrap();
    assert!(!is_alive(db, b"one", NOON).await && is_alive(db, b"two", NOON).await);
    sessions::end_all(db, &mara, noon()).await.unwrap();
    assert_eq!(sessions::list(db, mara.id, b"two", noon()).await.unwrap(), []);
    begin(db, b"three", mara.id, "2027-02-22T12:00:00Z").await;
    sessions::sign_out(db, b"three", noon()).await.unwrap();
    let log = log(db).await;
    assert_eq!(
        actions(&log)[4..],
        ["session.end", "session.end_all", "sign_in", "session.sign_out"]
    );
}

#[tokio::test]
async fn a_link_lets_one_person_in_once() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let make = async |token: &[u8], email: &str| {
        invitations::make(db, project, invitation(token, email), "admin@acme.dev", noon()).await
    };
    make(b"old", "Mara@acme.dev").await.unwrap();
    let made = make(b"new", "mara@acme.dev").await.unwrap();
    assert_eq!(
        invitations::list(db, project, noon()).await.unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!(
        invitations::find(db, b"old", noon()).await.unwrap(),
        None,
        "replaced"
    );
    assert_eq!(
        invitations::find(db, b"new", at(NEXT_WEEK)).await.unwrap(),
        None,
        "expired"
    );
    let late = invitations::accept_as_new(db, b"new", "Mara", "hash", at(NEXT_WEEK)).await;
    assert!(matches!(late, Err(Error::NotFound)), "{late:?}");
    let found = invitations::find(db, b"new", noon()).await.unwrap().unwrap();
    assert_eq!((found.project.id, &found.invitation), (project, &made));

    let (one, two) = tokio::join!(
        invitations::accept_as_new(db, b"new", "Mara", "hash", noon()),
        invitations::accept_as_new(db, b"new", "Mara", "hash", noon())
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let people = members::list(db, project).await.unwrap();
    assert_eq!(
        (people.len(), people[0].email.as_str(), people[0].role),
        (1, "mara@acme.dev", Role::Member)
    );
    assert!(matches!(
        make(b"again", "mara@acme.dev").await,
        Err(Error::Conflict("memberships_pkey"))
    ));
    assert_eq!(
        actions(&log(db).await),
        [
            "invitation.make",
            "invitation.make",
            "account.make",
            "invitation.accept"
        ]
    );
}

#[tokio::test]
async fn an_account_that_exists_is_not_made_anew_and_a_stranger_does_not_accept() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let (mara, eve) = (
        person(db, "mara@acme.dev").await,
        person(db, "eve@acme.dev").await,
    );
    invitations::make(db, project, invitation(b"t", "mara@acme.dev"), "admin", noon())
        .await
        .unwrap();
    let made = invitations::accept_as_new(db, b"t", "Mara", "eves", noon()).await;
    assert!(
        matches!(made, Err(Error::Conflict("users_email_key"))),
        "{made:?}"
    );
    assert_eq!(
        users::by_email(db, "mara@acme.dev").await.unwrap().unwrap().1,
        "hash"
    );
    let stolen = invitations::accept(db, b"t", eve.id, noon()).await;
    assert!(matches!(stolen, Err(Error::NotFound)), "{stolen:?}");
    assert_eq!(members::list(db, project).await.unwrap(), []);
    invitations::accept(db, b"t", mara.id, noon()).await.unwrap();
    assert_eq!(members::list(db, project).await.unwrap()[0].user_id, mara.id);
}

#[tokio::test]
async fn who_leaves_a_project_leaves_no_way_back() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let (mara, eve) = (
        person(db, "mara@acme.dev").await,
        person(db, "eve@acme.dev").await,
    );
    for user in [&mara, &eve] {
        members::add(db, project, user, Role::Admin, "test", noon())
            .await
            .unwrap();
    }
    let invite = async |token: &[u8], email: &str, actor: &str| {
        invitations::make(db, project, invitation(token, email), actor, noon())
            .await
            .unwrap();
    };
    invite(b"a", "eve2@acme.dev", "eve@acme.dev").await;
    invite(b"b", "noor@acme.dev", "mara@acme.dev").await;
    members::remove(db, project, eve.id, "mara@acme.dev", noon())
        .await
        .unwrap();
    let open = invitations::list(db, project, noon()).await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].email, "noor@acme.dev");
    let other = database.project(2).await;
    let refused = invitations::revoke(db, other, open[0].id, "mara@acme.dev", noon()).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    invitations::revoke(db, project, open[0].id, "mara@acme.dev", noon())
        .await
        .unwrap();
    assert_eq!(invitations::list(db, project, noon()).await.unwrap(), []);
}

#[tokio::test]
async fn a_password_is_reset_once_and_ends_every_session() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let mara = person(db, "mara@acme.dev").await;
    begin(db, b"one", mara.id, "2027-02-22T12:00:00Z").await;
    let make = async |token: &[u8]| {
        password_resets::make(
            db,
            &mara,
            token,
            at("2026-11-25T12:00:00Z"),
            "command line",
            noon(),
        )
        .await
        .unwrap();
    };
    make(b"old").await;
    make(b"new").await;
    assert!(is_alive(db, b"one", NOON).await, "until the link is used");
    for (token, now) in [(&b"old"[..], NOON), (b"new", "2026-11-25T12:00:00Z")] {
        let refused = password_resets::redeem(db, token, "other", at(now)).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    assert_eq!(
        password_resets::find(db, b"new", noon()).await.unwrap(),
        Some(mara.clone())
    );
    password_resets::redeem(db, b"new", "other", noon())
        .await
        .unwrap();
    assert!(!is_alive(db, b"one", NOON).await);
    assert_eq!(
        users::by_email(db, "mara@acme.dev").await.unwrap().unwrap().1,
        "other"
    );
    let again = password_resets::redeem(db, b"new", "third", noon()).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    // One that was not used ends with any other change.
    make(b"unused").await;
    let own = PasswordChange::Own {
        kept_session: b"none",
    };
    users::set_password(db, &mara, "fourth", own, noon())
        .await
        .unwrap();
    assert_eq!(password_resets::find(db, b"unused", noon()).await.unwrap(), None);
}

#[tokio::test]
async fn somebody_always_answers_for_the_server_and_for_each_project() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let mara = users::create_first(db, named("mara@acme.dev"), "local", noon())
        .await
        .unwrap();
    assert!(mara.is_instance_admin);
    let noor = person(db, "noor@acme.dev").await;
    let remove = async |user: &User, even_if_admin: bool| {
        users::remove(db, user, even_if_admin, "test", noon())
            .await
            .unwrap()
    };
    assert_eq!(remove(&mara, true).await, Err(Indispensable::InstanceAdmin));
    let demote = async |user: &User| {
        users::set_instance_admin(db, user, false, "test", noon())
            .await
            .unwrap()
    };
    assert_eq!(demote(&mara).await, Err(Indispensable::InstanceAdmin));
    users::set_instance_admin(db, &noor, true, "test", noon())
        .await
        .unwrap()
        .unwrap();
    let alone = Indispensable::AdminOf(vec!["project-1".to_owned()]);
    assert_eq!(remove(&mara, false).await, Err(alone));
    members::add(db, project, &noor, Role::Admin, "test", noon())
        .await
        .unwrap();
    // Two that leave at once do not both find the other one there.
    let (one, two) = tokio::join!(remove(&mara, false), remove(&noor, false));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(users::list(db).await.unwrap().len(), 1);
    assert_eq!(members::list(db, project).await.unwrap().len(), 1);
}
