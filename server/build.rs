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
    // scripts/site keeps the two apart, so that no release carries the large development build.
    let site = root.join(if release { "target/site" } else { "target/site-dev" });
    let (style, public, pkg) = (root.join("style"), root.join("public"), site.join("pkg"));

    // Cargo runs a script again at every build while a file it watches is missing.
    std::fs::create_dir_all(&pkg)?;
    for watched in [&style, &public, &pkg] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }

    let effort = if release {
        embed::Effort::Best
    } else {
        embed::Effort::Quick
    };
    let sources = embed::Sources {
        style: &style,
        public: &public,
        pkg: &pkg,
    };
    embed::generate(&sources, Path::new(&out), effort)?;
    Ok(())
}
