//! A stand-in of an OpenID Connect provider: discovery, the page of the sign-in (which asks nobody anything), the token
//! endpoint and the keys. It refuses what real ones refuse: a wrong client, a redirect address it does not know, a code
//! that is used twice, a wrong proof of who began the sign-in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::task::TaskTracker;

pub(crate) const CLIENT_ID: &str = "plumbline";
pub(crate) const CLIENT_SECRET: &str = "canary-secret of a client";
const KEY: &str = include_str!("openid_key.pem");

/// The provider and what lies behind it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OpenIdStandIn {
    pub(crate) origin: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    origin: String,
    /// The key that signs, and the one that is published.
    signs_with: String,
    publishes: String,
    /// What the next tokens say otherwise; `null` leaves a claim out.
    claims: BTreeMap<String, Value>,
    is_unsigned: bool,
    codes_last: bool,
    codes: BTreeMap<String, Begun>,
    /// How often keys were asked for.
    key_calls: usize,
    last_token: String,
}

/// A sign-in that waits for its code to be redeemed.
#[derive(Clone)]
struct Begun {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

type Shared = State<Arc<Mutex<Inner>>>;
type Asked = Query<BTreeMap<String, String>>;

impl OpenIdStandIn {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            origin: origin.clone(),
            signs_with: "first".to_owned(),
            publishes: "first".to_owned(),
            ..Inner::default()
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&inner));
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await.ok() });
        Self { origin, inner }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap())
    }

    /// What tokens say otherwise from now on.
    pub(crate) fn says(&self, claims: Value) {
        let claims = serde_json::from_value(claims).unwrap();
        self.with(|inner| inner.claims = claims);
    }

    pub(crate) fn signs_nothing(&self, is_unsigned: bool) {
        self.with(|inner| inner.is_unsigned = is_unsigned);
    }

    /// Takes codes twice.
    pub(crate) fn takes_codes_again(&self) {
        self.with(|inner| inner.codes_last = true);
    }

    /// Signs with another key, which it publishes or does not.
    pub(crate) fn changes_its_key(&self, name: &str, is_published: bool) {
        self.with(|inner| {
            inner.signs_with = name.to_owned();
            if is_published {
                inner.publishes = name.to_owned();
            }
        });
    }

    pub(crate) fn key_calls(&self) -> usize {
        self.with(|inner| inner.key_calls)
    }

    /// The token that it gave last.
    pub(crate) fn last_token(&self) -> String {
        self.with(|inner| inner.last_token.clone())
    }

    /// A token that says the session is over.
    pub(crate) fn logout_token(&self) -> String {
        self.with(|inner| {
            let claims = json!({
                "nonce": null, "email": null, "email_verified": null, "name": null, "groups": null, "jti": "1",
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            });
            let mut all = inner.standard_claims("");
            merge(&mut all, serde_json::from_value(claims).unwrap());
            inner.signed(&all, "logout+jwt")
        })
    }
}

impl Inner {
    fn standard_claims(&self, nonce: &str) -> Value {
        let now = server::clock::now().micros() / 1_000_000;
        json!({
            "iss": self.origin, "aud": CLIENT_ID, "sub": "subject-1", "iat": now, "exp": now + 300, "nonce": nonce,
            "email": "Mara@acme.dev", "email_verified": true, "name": "Mara", "groups": ["shop"], "sid": "session-1",
        })
    }

    fn signed(&self, claims: &Value, typ: &str) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        if self.is_unsigned {
            let head = json!({ "alg": "none", "typ": typ });
            return format!("{}.{}.", encode(&head), encode(claims));
        }
        let head = json!({ "alg": "RS256", "typ": typ, "kid": self.signs_with });
        let text = format!("{}.{}", encode(&head), encode(claims));
        let signature = key("")
            .sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, text.as_bytes())
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn key(name: &str) -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(KEY, Some(JsonWebKeyId::new(name.to_owned()))).unwrap()
}

fn merge(claims: &mut Value, others: BTreeMap<String, Value>) {
    let claims = claims.as_object_mut().unwrap();
    for (name, value) in others {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
}

async fn discovery(State(inner): Shared) -> Response {
    let origin = inner.lock().unwrap().origin.clone();
    axum::Json(json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "jwks_uri": format!("{origin}/keys"),
        "end_session_endpoint": format!("{origin}/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    }))
    .into_response()
}

async fn keys(State(inner): Shared) -> Response {
    let mut inner = inner.lock().unwrap();
    inner.key_calls += 1;
    let public = serde_json::to_value(key(&inner.publishes).as_verification_key()).unwrap();
    axum::Json(json!({ "keys": [public] })).into_response()
}

async fn authorize(State(inner): Shared, Query(asked): Asked) -> Response {
    let said = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let is_as_registered = said("client_id") == CLIENT_ID
        && said("response_type") == "code"
        && said("code_challenge_method") == "S256"
        && said("scope").split(' ').any(|scope| scope == "openid")
        && said("redirect_uri").ends_with("/auth/oidc/callback");
    if !is_as_registered {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let code = uuid::Uuid::now_v7().to_string();
    let begun = Begun {
        nonce: said("nonce"),
        challenge: said("code_challenge"),
        redirect_uri: said("redirect_uri"),
    };
    let back = format!("{}?code={code}&state={}", begun.redirect_uri, said("state"));
    inner.lock().unwrap().codes.insert(code, begun);
    Redirect::to(&back).into_response()
}

async fn token(State(inner): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let refuse = |code: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": code }))).into_response();
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let said = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected = STANDARD.encode(format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET)));
    let given = headers.get("authorization").map(|value| value.to_str().unwrap());
    if given != Some(format!("Basic {expected}").as_str()) {
        return refuse("invalid_client");
    }
    let mut inner = inner.lock().unwrap();
    let code = said("code");
    let Some(begun) = inner.codes.get(&code).cloned() else {
        return refuse("invalid_grant");
    };
    if !inner.codes_last {
        inner.codes.remove(&code);
    }
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(said("code_verifier").as_bytes()));
    if said("grant_type") != "authorization_code"
        || proof != begun.challenge
        || said("redirect_uri") != begun.redirect_uri
    {
        return refuse("invalid_grant");
    }
    let mut claims = inner.standard_claims(&begun.nonce);
    merge(&mut claims, inner.claims.clone());
    let id_token = inner.signed(&claims, "JWT");
    inner.last_token.clone_from(&id_token);
    axum::Json(json!({
        "access_token": "canary-access", "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    }))
    .into_response()
}
