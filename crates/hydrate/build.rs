//! Keeps in `hydrate.wasm` what `crates/browser_bindings` needs to cut it into files: which bytes are addresses of what.

fn main() {
    println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    println!("cargo::rerun-if-changed=build.rs");
}
