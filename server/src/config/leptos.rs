//! What leptos wants to know. `Leptos.toml` is part of the binary, which runs from any folder.

use std::net::SocketAddr;

use anyhow::Context as _;
use leptos::config::{Env, LeptosOptions};
use serde::Deserialize;

const LEPTOS_TOML: &str = include_str!("../../../Leptos.toml");

/// The part of `Leptos.toml` and of `Cargo.toml` that leptos' tools share.
#[derive(Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    leptos: Vec<LeptosOptions>,
}

/// The options of `Leptos.toml`, for a server that listens on `addr`.
pub fn leptos_options(addr: SocketAddr) -> anyhow::Result<LeptosOptions> {
    let mut options = parse(LEPTOS_TOML)?;
    options.site_addr = addr;
    options.env = Env::PROD;
    Ok(options)
}

fn parse(manifest: &str) -> anyhow::Result<LeptosOptions> {
    let manifest: Manifest = toml::from_str(manifest).context("cannot read Leptos.toml")?;
    manifest
        .workspace
        .metadata
        .leptos
        .into_iter()
        .next()
        .context("Leptos.toml names no project")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_the_site_are_built_from_the_same_options() {
        let shared = |options: &LeptosOptions| {
            (
                options.output_name.clone(),
                options.site_root.clone(),
                options.site_pkg_dir.clone(),
                options.site_addr,
                options.reload_port,
            )
        };
        let cargo = parse(include_str!("../../../Cargo.toml")).unwrap();
        assert_eq!(shared(&parse(LEPTOS_TOML).unwrap()), shared(&cargo));
    }

    #[test]
    fn the_server_s_own_address_counts() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 4711));
        assert_eq!(leptos_options(addr).unwrap().site_addr, addr);
    }
}
