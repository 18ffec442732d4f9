//! Embeds the site, so that `plumbline` is one file. Without a built site (`scripts/site`) the binary still carries
//! style sheet, fonts and icon, and serves pages without scripts.

use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to a build script through the environment"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::var("OUT_DIR")?;
    let release = std::env::var("PROFILE")? == "release";
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let (style, public, site) = (root.join("style"), root.join("public"), root.join("target/site"));

    // Cargo runs a script again at every build while a file it watches is missing.
    std::fs::create_dir_all(&site)?;
    for watched in [&style, &public, &site] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    if release && std::fs::read_to_string(site.join("profile")).is_ok_and(|profile| profile.trim() == "dev") {
        println!("cargo::warning=target/site holds the large development build; run `make release` instead");
    }

    let effort = if release {
        embed::Effort::Best
    } else {
        embed::Effort::Quick
    };
    let sources = embed::Sources {
        style: &style,
        public: &public,
        site: &site,
    };
    embed::generate(&sources, Path::new(&out), effort)?;
    Ok(())
}
