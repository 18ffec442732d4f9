//! L2: a made key was shown to whoever had its token, in any project.

use domain::{Project, Role};

use crate::app::TestApp;
use crate::people::{Browser, default_project, other_project, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_made_key_is_shown_in_its_own_project_alone() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    let join = async |email: &str, project: &Project| {
        person(&app, email, &[(project, Role::Admin)]).await;
        Browser::sign_in(&app, email).await
    };
    let (mara, eve) = (
        join("mara@acme.dev", &default).await,
        join("eve@acme.dev", &other).await,
    );
    let made = mara
        .post(
            "/p/default/settings/keys",
            &[("label", "prod"), ("scope", "admin")],
        )
        .await;
    let (page, token) = made.location.split_once("?made=").unwrap();
    for path in [
        format!("/p/other/settings/keys?made={token}"),
        format!("/ui/keys/reveal?slug=other&made={token}"),
        format!("/ui/invitations/reveal?slug=other&invited={token}"),
        format!("/p/other/settings/members?invited={token}"),
    ] {
        let answer = eve.get(&path).await;
        assert!(!answer.text.contains("pl_live_"), "{path} {answer:?}");
    }
    let shown = mara.get(&format!("{page}?made={token}")).await.text;
    assert!(shown.contains("pl_live_"), "it was used up by others: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitations_link_is_shown_in_its_own_project_alone() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let fields = [("email", "noor@acme.dev"), ("role", "admin")];
    let made = mara.post("/p/default/settings/members", &fields).await.location;
    let token = made.split_once("?invited=").unwrap().1;
    let stolen = eve
        .get(&format!("/p/other/settings/members?invited={token}"))
        .await
        .text;
    assert!(!stolen.contains("/invite?token="), "{stolen}");
    assert!(mara.get(&made).await.text.contains("/invite?token="));
    let again = mara.get(&made).await.text;
    assert!(
        !again.contains("/invite?token=") && again.contains("already shown"),
        "{again}"
    );
}
