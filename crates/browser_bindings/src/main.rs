//! Turns a compiled WASM into what a browser loads: `plumbline.js` and `plumbline_bg.wasm`, and for the application
//! one more WASM for each group of `app/src/pages/on_demand.rs` and for what several of them share. `scripts/site`
//! calls it.

mod modules;

use std::fs;
use std::path::Path;

use anyhow::bail;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(compiled), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("usage: browser_bindings <compiled.wasm> <folder to write to>");
    };
    let folder = Path::new(&folder);
    let compiled = fs::read(compiled)?;
    if !modules::are_marked(&compiled) {
        return bindings(compiled, false, folder);
    }
    let first = modules::cut(&compiled, folder)?;
    bindings(first, true, folder)?;
    modules::join_scripts(folder)
}

fn bindings(wasm: Vec<u8>, cut: bool, folder: &Path) -> anyhow::Result<()> {
    Bindgen::new()
        .input_bytes("plumbline", wasm)
        .web(true)?
        .typescript(false)
        // The page names the file, because its name carries a hash.
        .omit_default_module_path(true)
        // The other modules are linked to the first by its table and globals, and by names as the linker wrote them.
        .keep_lld_exports(cut)
        .demangle(!cut)
        .out_name("plumbline")
        .generate(folder)
}
