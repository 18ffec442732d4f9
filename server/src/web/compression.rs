//! Pages and answers of server functions travel compressed, a tenth of their size.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// Packs a page in a few milliseconds.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

/// Brotli or gzip, whichever the browser understands.
pub fn layer() -> CompressionLayer {
    CompressionLayer::new().no_deflate().no_zstd().quality(LEVEL)
}

/// Middleware around the layer: what another site asks for is sent as it is.
///
/// The length of a compressed page tells whether a text in its address stands in it a second time (BREACH). There is
/// no token to be guessed that way: where a form comes from is known by headers, a nonce is new on each page, a key is
/// shown once. But there are prompts, and a page says again what was searched for. So no other site may choose an
/// address whose compressed length they count on the way.
pub async fn for_own_pages(mut request: Request, next: Next) -> Response {
    if is_asked_by_another_site(request.headers()) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}

/// Browsers say so over TLS and to loopback. Elsewhere an observer can read the bytes themselves.
fn is_asked_by_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}
