use super::*;

const CSS: &str = "/pkg/plumbline.css";

/// Asks for `path` and returns status and the named response header.
fn ask(method: Method, path: &str, request: &[(&str, &str)], field: &str) -> Option<(u16, Option<String>)> {
    let mut headers = HeaderMap::new();
    for (name, value) in request {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let response = respond(&method, path, &headers)?;
    let value = response
        .headers()
        .get(field)
        .map(|value| value.to_str().unwrap().to_owned());
    Some((response.status().as_u16(), value))
}

fn check(
    method: Method,
    path: &str,
    request: &[(&str, &str)],
    field: &str,
    expected: Option<(u16, Option<&str>)>,
) {
    let answer = ask(method, path, request, field);
    let answer = answer.as_ref().map(|(status, value)| (*status, value.as_deref()));
    assert_eq!(answer, expected, "{path} {request:?} {field}");
}

#[test]
fn files_have_their_types_and_caching() {
    let get = |path: &str, field: &str, expected: &str| {
        check(Method::GET, path, &[], field, Some((200, Some(expected))));
    };
    let urls = urls();
    get(&urls.css, "content-type", "text/css; charset=utf-8");
    get(&urls.css, "cache-control", "public, max-age=31536000, immutable");
    get(CSS, "cache-control", "no-cache");
    get(&urls.favicon, "content-type", "image/svg+xml");
    get(&urls.favicon, "x-content-type-options", "nosniff");
    get("/fonts/inter-latin.woff2", "content-type", "font/woff2");
    get("/robots.txt", "content-type", "text/plain; charset=utf-8");
    get(CSS, "vary", "accept-encoding");
    assert!(urls.css.starts_with("/pkg/plumbline.") && urls.css != CSS);
}

#[test]
fn other_paths_and_methods_are_left_to_the_router() {
    check(Method::GET, "/", &[], "etag", None);
    check(Method::GET, "/pkg/plumbline.000000000000.css", &[], "etag", None);
    check(Method::GET, "/pkg/../robots.txt", &[], "etag", None);
    check(Method::POST, CSS, &[], "etag", None);
}

#[test]
fn the_smallest_accepted_encoding_is_sent_and_each_has_its_own_tag() {
    let get = |accept: &str, field: &str| {
        ask(Method::GET, CSS, &[("accept-encoding", accept)], field)
            .unwrap()
            .1
    };
    assert_eq!(get("gzip, br", "content-encoding").as_deref(), Some("br"));
    assert_eq!(get("gzip", "content-encoding").as_deref(), Some("gzip"));
    assert_eq!(get("identity", "content-encoding"), None);
    assert_ne!(get("br", "etag"), get("gzip", "etag"));
    let length = |accept: &str| get(accept, "content-length").unwrap().parse::<usize>().unwrap();
    assert!(length("br") < length("gzip") && length("gzip") < length("identity"));
    // A font is compressed already.
    let font = ask(
        Method::GET,
        "/fonts/inter-latin.woff2",
        &[("accept-encoding", "br")],
        "content-encoding",
    );
    assert_eq!(font, Some((200, None)));
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let etag = ask(Method::GET, CSS, &[("accept-encoding", "br")], "etag")
        .unwrap()
        .1
        .unwrap();
    let again = |if_none_match: &str, accept: &str, status: u16| {
        let request = [("if-none-match", if_none_match), ("accept-encoding", accept)];
        assert_eq!(
            ask(Method::GET, CSS, &request, "etag").unwrap().0,
            status,
            "{if_none_match}"
        );
    };
    again(&etag, "br", 304);
    again(&format!("W/{etag}"), "br", 304);
    again(&format!("\"other\", {etag}"), "br", 304);
    again("*", "br", 304);
    again("\"other\"", "br", 200);
    again(&etag, "gzip", 200);
    check(
        Method::GET,
        CSS,
        &[("if-none-match", "*")],
        "content-length",
        Some((304, None)),
    );
}

#[tokio::test]
async fn head_answers_the_size_and_sends_nothing() {
    use http_body_util::BodyExt as _;
    let (get, head) = (Method::GET, Method::HEAD);
    assert_eq!(
        ask(head.clone(), CSS, &[], "content-length"),
        ask(get.clone(), CSS, &[], "content-length")
    );
    let size = async |method: &Method| {
        let response = respond(method, CSS, &HeaderMap::new()).unwrap();
        response.into_body().collect().await.unwrap().to_bytes().len()
    };
    assert_eq!(size(&head).await, 0);
    assert!(size(&get).await > 10_000);
}
