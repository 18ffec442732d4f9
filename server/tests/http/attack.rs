//! What attacks on the running server found, each finding a case, so that none of it comes back.

#[path = "attack/addresses.rs"]
mod addresses;
#[path = "attack/connections.rs"]
mod connections;
#[path = "attack/first_key.rs"]
mod first_key;
#[path = "attack/hosts.rs"]
mod hosts;
#[path = "attack/neighbours.rs"]
mod neighbours;
#[path = "attack/other_sites.rs"]
mod other_sites;
#[path = "attack/output.rs"]
mod output;
#[path = "attack/proxy.rs"]
mod proxy;
