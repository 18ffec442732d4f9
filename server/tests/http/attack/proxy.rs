//! A key of ours never reaches a provider, and no answer of one acts as a page of ours.

use domain::Scope;

use crate::app::answer;
use crate::people::{default_project, key};
use crate::proxy::proxied;

#[tokio::test(flavor = "multi_thread")]
async fn our_key_is_looked_for_wherever_a_key_could_be() {
    let (app, mut upstream) = proxied().await;
    let project = default_project(&app).await;
    let secret = key(&app, &project, &[Scope::Proxy]).await.secret;
    let basic = {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.encode(format!("user:{secret}"))
    };
    let places = [
        ("x-goog-api-key", secret.clone()),
        ("authorization", secret.clone()),
        ("authorization", format!("Token {secret}")),
        ("authorization", format!("Basic {basic}")),
        ("ocp-apim-subscription-key", secret.clone()),
        ("cookie", format!("a=b; key={secret}")),
        ("x-anything", format!("x{secret}")),
    ];
    for (name, value) in places {
        let call = app
            .client
            .post(app.url("/v1/messages"))
            .header(name, value)
            .body("{}");
        let (status, body) = answer(call).await;
        assert_eq!(status, 401, "{name} {body}");
        assert!(!body.to_string().contains(&secret), "{body}");
    }
    let in_query = app.client.get(app.url(&format!("/v1/models?key={secret}")));
    assert_eq!(answer(in_query).await.0, 401);
    upstream.saw_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_no_page_of_this_server_and_sets_none_of_its_cookies() {
    let (app, mut upstream) = proxied().await;
    let hostile = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 8\r\n\
        set-cookie: plumbline_session=theirs; Path=/\r\nset-cookie: =plumbline_theme=theirs\r\n\
        set-cookie: __Host-plumbline_session=theirs; Secure; Path=/\r\nset-cookie: theirs=1\r\n\
        clear-site-data: \"*\"\r\nstrict-transport-security: max-age=99\r\nservice-worker-allowed: /\r\n\
        content-security-policy: script-src *\r\n\r\n<script>";
    let (response, ()) = tokio::join!(app.client.get(app.url("/v1/models")).send(), async {
        upstream.next().await.send(hostile.as_bytes()).await;
    });
    let response = response.unwrap();
    let headers = response.headers();
    let all = |name: &str| -> Vec<&str> {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    };
    assert_eq!(all("set-cookie"), ["theirs=1"]);
    assert!(
        all("content-security-policy")
            .iter()
            .any(|policy| policy.starts_with("sandbox;"))
    );
    assert_eq!(all("x-content-type-options"), ["nosniff"]);
    for name in [
        "clear-site-data",
        "strict-transport-security",
        "service-worker-allowed",
    ] {
        assert!(!headers.contains_key(name), "{name}");
    }
}
