//! The first key of a project is shown once, to whoever asks for it, and to nobody by opening an address.

use domain::Role;

use crate::app::TestApp;
use crate::people::{Browser, default_project, other_project, person};

const RUNS: &str = "/p/default/runs";
const SHOW: &str = "/p/default/settings/keys/first";

#[tokio::test(flavor = "multi_thread")]
async fn no_address_that_is_opened_burns_the_first_key() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    app.state
        .auth
        .offer_first_key(&project, server::clock::now())
        .await
        .unwrap();
    let browser = Browser::new(&app);
    for _ in 0..2 {
        for path in [RUNS, "/p/default/connect", "/ui/keys/first?slug=default", SHOW] {
            let answer = browser.get(path).await;
            assert!(!answer.text.contains("pl_live_0"), "{path}");
        }
    }
    assert!(browser.get(RUNS).await.text.contains("Show the key"));
    let shown = browser.post(SHOW, &[("next", RUNS)]).await;
    assert!(shown.location.starts_with("/p/default/runs?made="), "{shown:?}");
    let page = browser.get(&shown.location).await.text;
    let at = page.find("Bearer pl_live_").unwrap_or_else(|| panic!("{page}"));
    assert!(storage::keys::secret::is_well_formed(&page[at + 7..at + 64]));
    assert!(
        !browser
            .get(&shown.location)
            .await
            .text
            .contains(&page[at..at + 64])
    );
    assert!(!browser.get(RUNS).await.text.contains("Show the key"));
    let again = browser.post(SHOW, &[("next", RUNS)]).await;
    assert_eq!(again.location, RUNS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_a_made_key_shows_it_in_its_project_alone() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let other = other_project(&app).await;
    person(&app, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let made = mara
        .post(
            "/p/default/settings/keys",
            &[("label", "prod"), ("scope", "read")],
        )
        .await;
    let (_, token) = made.location.split_once("?made=").unwrap();
    let stolen = eve.get(&format!("/p/other/settings/keys?made={token}")).await;
    assert!(!stolen.text.contains("Your new key"), "{stolen:?}");
    assert!(mara.get(&made.location).await.text.contains("Your new key"));
}
