//! Sign-in with an OpenID Connect provider: the code flow with PKCE.
//!
//! **Invariants:** a sign-in ends in the browser where it began, once, within ten minutes; an account belongs to the
//! provider's subject, never to an e-mail address alone; what the provider answered is checked before it is believed, and
//! neither its codes nor its tokens are logged.

mod claims;
mod provider;
mod refusal;
mod routes;
mod ticket;

pub use provider::Provider;
pub use routes::routes;

/// Where the provider sends people back to, below `public_url`.
pub const CALLBACK: &str = "/auth/oidc/callback";
/// Where it says that a session is over.
pub const BACKCHANNEL_LOGOUT: &str = "/auth/oidc/backchannel-logout";
/// Where a sign-in begins.
const START: &str = "/auth/oidc/start";
