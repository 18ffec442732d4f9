//! What leaves this machine is on a page: each target, and when it was called last.

use domain::Feature;
use serde_json::json;
use server::models::{Message, Request, Role, call};

use crate::alert_receiver::Receiver;
use crate::alerts::{connect, failed, telling_app};
use crate::model_stand_in::{KEY, ModelStandIn, Say};
use crate::models::{asking_app, own_run, set_up};
use crate::people::{Browser, default_project};
use crate::proxy::proxied;

const PAGE: &str = "/p/default/settings/outbound";

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_on_the_page_with_its_last_call_and_without_its_secret() {
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    let browser = Browser::new(&app);
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains("No telemetry") && page.contains("api.anthropic.com"),
        "{page}"
    );
    assert!(!page.contains(">slack<"), "{page}");
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/secret-part", slack.origin) }),
    )
    .await;
    app.store(failed("r", "parse")).await;
    slack.next().await;
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains(">slack<") && !page.contains("secret-part"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_proxy_is_the_last_one() {
    let (app, mut upstream) = proxied().await;
    let browser = Browser::new(&app);
    let never = browser.get(PAGE).await.text.matches(">never<").count();
    assert_eq!(never, 2);
    let (answered, ()) = tokio::join!(
        app.client.post(app.url("/v1/messages")).body("{}").send(),
        async {
            upstream.next().await.json("200 OK", "{}").await;
        }
    );
    assert_eq!(answered.unwrap().status(), 200);
    assert_eq!(browser.get(PAGE).await.text.matches(">never<").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_models_is_on_the_page_with_its_last_call_and_without_its_key() {
    let stand_in = ModelStandIn::saying(vec![Say::text("Hello")]).await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &stand_in, None).await;
    let browser = Browser::new(&app);
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains(">Models: p1<") && page.contains(&stand_in.origin) && !page.contains(KEY),
        "{page}"
    );
    assert_eq!(page.matches(">never<").count(), 3);
    let request = Request {
        system: "Be brief.".to_owned(),
        messages: vec![Message::text(Role::User, "Hello?")],
        tools: Vec::new(),
        must_call: None,
        max_output_tokens: 500,
    };
    let project = default_project(&app).await.id;
    call(
        &app.state.models,
        project,
        Feature::Chat,
        &own_run("own-1"),
        &request,
        &|_| {},
    )
    .await
    .unwrap();
    assert_eq!(browser.get(PAGE).await.text.matches(">never<").count(), 2);
}
