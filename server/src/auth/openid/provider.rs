//! The provider: what its discovery says, how codes are redeemed, and which of its tokens are believed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use domain::Timestamp;
use domain::account::{is_email, normalise_email};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl,
    JsonWebTokenType, LogoutRequest, Nonce, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::CALLBACK;
use super::claims::Claims;
use super::refusal::Refusal;
use super::ticket::{Ticket, open_id_token};
use crate::config::OpenId;
use crate::outbound::{CallError, Outbound};
use crate::secrets::Secrets;

/// How long one call to the provider may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer: key sets of big providers have some 10 KB.
const MAX_BYTES: usize = 1024 * 1024;
/// How long discovery and keys are believed.
const FRESH_FOR: Duration = Duration::from_secs(3_600);
/// How often a key that is unknown makes them be read again.
const NEW_KEYS_EVERY: Duration = Duration::from_secs(60);
/// How long a provider that did not answer is not asked again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const MAX_CAUSE_CHARS: usize = 300;
const MAX_NAME_CHARS: usize = 100;

/// Signatures that are believed: none by a shared secret, and not none.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Metadata = ProviderMetadataWithLogout;
type Token = IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type TokenClaims = IdTokenClaims<Claims, CoreGenderClaim>;
type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type RelyingParty = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    config: OpenId,
    /// Of this server, without a slash at the end.
    public_url: String,
    outbound: Outbound,
    secrets: Secrets,
    known: Mutex<Known>,
}

/// What discovery said, and when it was asked.
#[derive(Default)]
struct Known {
    found: Option<(Arc<Metadata>, Instant)>,
    failed_at: Option<Instant>,
    /// When an unknown key made it be read again.
    keys_asked_at: Option<Instant>,
}

/// Whom the provider named.
pub(super) struct Person {
    pub(super) subject: String,
    /// Verified, in lower case.
    pub(super) email: String,
    pub(super) name: String,
    pub(super) groups: Vec<String>,
    /// The provider's session, where it names them.
    pub(super) sid: Option<String>,
    /// When the token expires.
    pub(super) expires_at: Timestamp,
    pub(super) id_token: String,
}

/// What a token is to be.
#[derive(Clone, Copy)]
enum Expected<'n> {
    /// One of the sign-in with this nonce.
    SignIn(&'n Nonce),
    /// One that ends sessions.
    Logout,
}

/// Whose sessions a provider says are over.
pub(super) struct LoggedOut {
    pub(super) subject: String,
    pub(super) sid: Option<String>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("issuer", &self.0.config.issuer)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// As the configuration says; nothing is asked yet.
    pub fn new(config: OpenId, public_url: String, outbound: Outbound, secrets: Secrets) -> Self {
        Self(Arc::new(Inner {
            config,
            public_url,
            outbound,
            secrets,
            known: Mutex::default(),
        }))
    }

    pub(crate) fn config(&self) -> &OpenId {
        &self.0.config
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// Where a sign-in goes.
    pub(super) async fn authorize_url(&self, ticket: &Ticket) -> Result<String, Refusal> {
        let metadata = self.metadata(false).await?;
        let client = self.client(&metadata)?;
        let (state, nonce) = (ticket.state.clone(), ticket.nonce.clone());
        let verifier = PkceCodeVerifier::new(ticket.verifier.clone());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        for scope in &self.0.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, _, _) = request.url();
        Ok(url.to_string())
    }

    /// Redeems what the provider sent back, and checks what it says of the person.
    pub(super) async fn redeem(&self, ticket: &Ticket, code: String) -> Result<Person, Refusal> {
        let name = &self.0.config.name;
        let metadata = self.metadata(false).await?;
        let client = self.client(&metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|cause| self.unusable(cause.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(ticket.verifier.clone()));
        let outbound = self.0.outbound.clone();
        let http = move |request: HttpRequest| call(outbound.clone(), request);
        let answer = request.request_async(&http).await.map_err(|cause| match cause {
            RequestTokenError::ServerResponse(said) => Refusal::code(name, shortened(&said.to_string())),
            RequestTokenError::Request(cause) => Refusal::unreachable(name, cause.to_string()),
            // What can't be read may be a token, so that nothing of it is said.
            RequestTokenError::Parse(..) => Refusal::code(name, "no answer of a token endpoint".to_owned()),
            RequestTokenError::Other(cause) => Refusal::code(name, shortened(&cause)),
        })?;
        let token = answer
            .extra_fields()
            .id_token()
            .ok_or_else(|| Refusal::code(name, "no ID token; is the scope `openid` allowed?".to_owned()))?;
        let nonce = Nonce::new(ticket.nonce.clone());
        let claims = self.verified(token, &metadata, Expected::SignIn(&nonce)).await?;
        self.person(claims, token)
    }

    /// Whose sessions a logout token ends.
    pub(super) async fn logged_out(&self, text: &str) -> Result<LoggedOut, Refusal> {
        let name = &self.0.config.name;
        let token: Token = text
            .parse()
            .map_err(|_unreadable| Refusal::code(name, "no logout token".to_owned()))?;
        let metadata = self.metadata(false).await?;
        let claims = self.verified(&token, &metadata, Expected::Logout).await?;
        if !claims.additional_claims().is_logout() {
            return Err(Refusal::code(name, "a token that ends no session".to_owned()));
        }
        Ok(LoggedOut {
            subject: claims.subject().as_str().to_owned(),
            sid: claims.additional_claims().sid().map(str::to_owned),
        })
    }

    /// Where the person's session at the provider is ended, if it has such a place. `sealed` is the token that the
    /// session here began with.
    pub(crate) async fn end_session_url(&self, sealed: Option<&[u8]>) -> Option<String> {
        let metadata = self.metadata(false).await.ok()?;
        let endpoint = metadata.additional_metadata().end_session_endpoint.clone()?;
        if !matches!(endpoint.url().scheme(), "https" | "http") {
            return None;
        }
        let back = format!("{}/login?done=signed_out", self.0.public_url);
        let mut request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.0.config.client_id.clone()))
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back).ok()?);
        let token = sealed.and_then(|sealed| open_id_token(&self.0.secrets, sealed));
        if let Some(token) = token.and_then(|token| token.parse::<Token>().ok()) {
            request = request.set_id_token_hint(&token);
        }
        Some(request.http_get_url().to_string())
    }

    /// Checks a token with the keys that are known, and with new ones where its key is not among them.
    async fn verified<'t>(
        &self,
        token: &'t Token,
        metadata: &Metadata,
        expected: Expected<'_>,
    ) -> Result<&'t TokenClaims, Refusal> {
        let unknown_key =
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey);
        let mut checked = self.check(token, metadata, expected);
        if checked.as_ref().is_err_and(|cause| *cause == unknown_key) {
            let newer = self.metadata(true).await?;
            checked = self.check(token, &newer, expected);
        }
        checked.map_err(|cause| Refusal::token(&self.0.config.name, &cause))
    }

    /// Checks issuer, audience, signature, expiry and nonce.
    fn check<'t>(
        &self,
        token: &'t Token,
        metadata: &Metadata,
        expected: Expected<'_>,
    ) -> Result<&'t TokenClaims, ClaimsVerificationError> {
        let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = IdTokenVerifier::new_public_client(
            ClientId::new(self.0.config.client_id.clone()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS);
        match expected {
            Expected::SignIn(nonce) => token.claims(&verifier, nonce),
            Expected::Logout => {
                let types =
                    ["logout+jwt", "JWT"].map(|word| JsonWebTokenType::new(word.to_owned()).normalize());
                let verifier = verifier.set_allowed_jose_types(types.into_iter().flatten());
                token.claims(&verifier, no_nonce)
            }
        }
    }

    fn person(&self, claims: &TokenClaims, token: &Token) -> Result<Person, Refusal> {
        let config = &self.0.config;
        let said = claims.email().map(|email| normalise_email(email.as_str()));
        let email = said
            .filter(|email| is_email(email))
            .ok_or_else(|| Refusal::no_email(&config.name))?;
        if !claims.email_verified().unwrap_or(config.trust_email) {
            return Err(Refusal::unverified(&config.name, &email));
        }
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !config.email_domains.is_empty() && !config.email_domains.iter().any(|own| own == domain) {
            return Err(Refusal::domain(&email));
        }
        let full_name = claims
            .name()
            .and_then(|name| name.get(None))
            .map(|name| name.as_str());
        let user_name = claims.preferred_username().map(|name| name.as_str());
        let name = full_name
            .or(user_name)
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let name: String = name
            .unwrap_or(&email)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        Ok(Person {
            subject: claims.subject().as_str().to_owned(),
            name: domain::text::first_line(&name, MAX_NAME_CHARS),
            groups: claims.additional_claims().groups(&config.groups_claim),
            sid: claims.additional_claims().sid().map(str::to_owned),
            expires_at: Timestamp::from_micros(claims.expiration().timestamp_micros()),
            id_token: token.to_string(),
            email,
        })
    }

    fn client(&self, metadata: &Metadata) -> Result<RelyingParty, Refusal> {
        let config = &self.0.config;
        let back = RedirectUrl::new(format!("{}{CALLBACK}", self.0.public_url));
        let back = back.map_err(|cause| self.unusable(cause.to_string()))?;
        let secret = config
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.secret().to_owned()));
        let client = RelyingParty::from_provider_metadata(
            metadata.clone(),
            ClientId::new(config.client_id.clone()),
            secret,
        )
        .set_redirect_uri(back);
        // Basic is what a provider takes that does not say.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes_basic =
            methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        Ok(client.set_auth_type(if takes_basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        }))
    }

    /// What discovery says, read again each hour. `for_new_keys` reads it now, once a minute at most: whoever sends
    /// tokens with made-up keys costs the provider nothing.
    async fn metadata(&self, for_new_keys: bool) -> Result<Arc<Metadata>, Refusal> {
        let inner = &self.0;
        // Who comes meanwhile waits for the one answer.
        let mut known = inner.known.lock().await;
        let now = Instant::now();
        let is_within = |at: Option<Instant>, period: Duration| {
            at.is_some_and(|at| now.saturating_duration_since(at) < period)
        };
        let may_ask_for_keys = for_new_keys && !is_within(known.keys_asked_at, NEW_KEYS_EVERY);
        let has_failed = is_within(known.failed_at, RETRY_AFTER);
        if let Some((metadata, at)) = &known.found {
            let is_fresh = is_within(Some(*at), FRESH_FOR) && !may_ask_for_keys;
            if is_fresh || has_failed {
                return Ok(Arc::clone(metadata));
            }
        } else if has_failed {
            return Err(self.unusable("it did not answer a moment ago".to_owned()));
        }
        if for_new_keys {
            known.keys_asked_at = Some(now);
        }
        match discover(&inner.config.issuer, &inner.outbound).await {
            Ok(found) => {
                let found = Arc::new(found);
                known.found = Some((Arc::clone(&found), now));
                known.failed_at = None;
                Ok(found)
            }
            Err(cause) => {
                known.failed_at = Some(Instant::now());
                tracing::warn!(cause, "the provider's discovery can't be read");
                // Old keys still tell true tokens from false ones.
                let old = known.found.as_ref().map(|(old, _)| Arc::clone(old));
                old.ok_or_else(|| self.unusable(cause))
            }
        }
    }

    fn unusable(&self, cause: String) -> Refusal {
        Refusal::unreachable(&self.0.config.name, cause)
    }

    /// Asks for discovery and keys, as `plumbline doctor` does. Says whether people can be signed out there.
    pub async fn try_discovery(config: &OpenId, outbound: &Outbound) -> Result<bool, String> {
        let metadata = discover(&config.issuer, outbound).await?;
        Ok(metadata.additional_metadata().end_session_endpoint.is_some())
    }
}

/// A token of a sign-in has a nonce, so that none can be used to sign somebody out.
fn no_nonce(nonce: Option<&Nonce>) -> Result<(), String> {
    match nonce {
        None => Ok(()),
        Some(_) => Err("a logout token has none".to_owned()),
    }
}

/// Discovery and keys of a provider. The error is for the log: of answers it says no more than what is wrong with them.
async fn discover(issuer: &str, outbound: &Outbound) -> Result<Metadata, String> {
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|cause| cause.to_string())?;
    let outbound = outbound.clone();
    let http = move |request: HttpRequest| call(outbound.clone(), request);
    let found = Metadata::discover_async(issuer, &http).await;
    found.map_err(|cause| match cause {
        DiscoveryError::Request(cause) => cause.to_string(),
        DiscoveryError::Parse(cause) => shortened(&cause.to_string()),
        other => shortened(&other.to_string()),
    })
}

/// A call of the crate's, over the client of everything that settings name.
async fn call(outbound: Outbound, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let target = outbound.target(&request.uri().to_string())?;
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, Bytes::from(body));
    let answer = timeout(CALL_TIMEOUT, outbound.send(&target, request, MAX_BYTES)).await;
    let answer = answer.map_err(|_elapsed| CallError::Silent {
        host: target.host().to_owned(),
        seconds: CALL_TIMEOUT.as_secs(),
    })??;
    let mut response = Response::new(answer.body.to_vec());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

fn shortened(text: &str) -> String {
    domain::text::first_line(text, MAX_CAUSE_CHARS)
}
