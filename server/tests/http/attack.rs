//! What attacks on the running server found, each finding a case, so that none of it comes back.

#[path = "attack/addresses.rs"]
mod addresses;
#[path = "attack/connections.rs"]
mod connections;
#[path = "attack/first_key.rs"]
mod first_key;
#[path = "attack/h1_accounts.rs"]
mod h1_accounts;
#[path = "attack/h1_integrations.rs"]
mod h1_integrations;
#[path = "attack/h1_own_account.rs"]
mod h1_own_account;
#[path = "attack/hosts.rs"]
mod hosts;
#[path = "attack/l2_tokens.rs"]
mod l2_tokens;
#[path = "attack/l3_audit.rs"]
mod l3_audit;
#[path = "attack/l4_sessions.rs"]
mod l4_sessions;
#[path = "attack/m1_sign_in.rs"]
mod m1_sign_in;
#[path = "attack/neighbours.rs"]
mod neighbours;
#[path = "attack/other_sites.rs"]
mod other_sites;
#[path = "attack/output.rs"]
mod output;
#[path = "attack/places.rs"]
mod places;
#[path = "attack/proxy.rs"]
mod proxy;
#[path = "attack/questions.rs"]
mod questions;
#[path = "attack/refused_pages.rs"]
mod refused_pages;
#[path = "attack/reservations.rs"]
mod reservations;
#[path = "attack/share_links.rs"]
mod share_links;
#[path = "attack/streams.rs"]
mod streams;
#[path = "attack/unreadable_runs.rs"]
mod unreadable_runs;
