//! What pages of other sites in the same browser learn: nothing, neither by an answer nor by where it leads.

use domain::Role;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, key, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_function_leads_nobody_back_to_another_site() {
    let app = TestApp::new().await;
    for slug in ["default", "none"] {
        let request = Browser::new(&app)
            .request("GET", &format!("/ui/keys/list?slug={slug}"))
            .header("accept", "text/html")
            .header("referer", "https://evil.example/watch");
        let answer = Answer::of(request).await;
        assert!(!(300..400).contains(&answer.status), "{slug} {answer:?}");
        assert_eq!(answer.location, "", "{slug}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_site_reads_is_refused_unless_somebody_follows_a_link() {
    let open = TestApp::new().await;
    open.store(step("r", "s")).await;
    let closed = TestApp::new().await;
    let project = default_project(&closed).await;
    person(&closed, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    let (anybody, mara) = (
        Browser::new(&open),
        Browser::sign_in(&closed, "mara@acme.dev").await,
    );
    const SEARCH: &str = "/p/default/runs?q=zzzzzz&range=all";
    for browser in [&anybody, &mara] {
        let check = async |path: &str, headers: &[(&str, &str)], refused: bool| {
            let mut request = browser.request("GET", path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = Answer::of(request).await;
            assert_eq!(answer.status == 403, refused, "{path} {headers:?} {answer:?}");
        };
        for site in ["cross-site", "same-site"] {
            for (mode, dest) in [
                ("no-cors", "image"),
                ("no-cors", "script"),
                ("cors", "empty"),
                ("navigate", "iframe"),
                ("navigate", "object"),
            ] {
                let sent = [
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", dest),
                ];
                for path in [
                    SEARCH,
                    "/api/runs?q=z",
                    "/ui/keys/list?slug=default",
                    "/live/default",
                ] {
                    check(path, &sent, true).await;
                }
            }
            let link = [
                ("sec-fetch-site", site),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ];
            check(SEARCH, &link, false).await;
            check("/ui/keys/list?slug=default", &link, true).await;
        }
        // Where browsers do not name the site they name the origin of what scripts read.
        check("/api/runs?q=z", &[("origin", "https://evil.example")], true).await;
        check("/api/runs?q=z", &[("origin", "null")], true).await;
        check("/api/runs?q=z", &[("origin", &browser.app.origin)], false).await;
        check("/api/runs?q=z", &[("sec-fetch-site", "same-origin")], false).await;
        check(SEARCH, &[("sec-fetch-site", "none")], false).await;
        check("/api/runs?q=z", &[], false).await;
    }
    let key = key(&closed, &project, &[domain::Scope::Read]).await;
    let by_key = closed
        .client
        .get(closed.url("/api/runs?q=z"))
        .header("sec-fetch-site", "cross-site")
        .bearer_auth(&key.secret);
    assert_eq!(Answer::of(by_key).await.status, 200);
}
