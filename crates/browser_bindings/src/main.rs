//! Turns the compiled `hydrate.wasm` into what a browser loads: `plumbline.js` and `plumbline_bg.wasm`.
//! `scripts/site` calls it.

use std::path::Path;

use anyhow::bail;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(compiled), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("usage: browser_bindings <hydrate.wasm> <folder to write to>");
    };
    Bindgen::new()
        .input_path(Path::new(&compiled))
        .web(true)?
        .typescript(false)
        // The page names the file, because its name carries a hash.
        .omit_default_module_path(true)
        .out_name("plumbline")
        .generate(folder)
}
