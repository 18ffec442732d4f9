use std::collections::BTreeMap;

use super::*;

#[test]
fn hashed_names_keep_folder_and_extension() {
    let hash = content_hash(b"x");
    assert_eq!(hash.len(), 12);
    let check =
        |path: &str, expected: &str| assert_eq!(hashed_path(path, b"x"), expected.replace('#', &hash));
    check("/favicon.svg", "/favicon.#.svg");
    check("/pkg/plumbline_bg.wasm", "/pkg/plumbline_bg.#.wasm");
    check("/a.b/licence", "/a.b/licence.#");
}

#[test]
fn the_repository_s_own_site_is_complete_without_wasm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = std::env::temp_dir().join(format!("plumbline-embed-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    let absent = out.join("no-such-pkg");
    let sources = Sources {
        style: &root.join("style"),
        public: &root.join("public"),
        pkg: &absent,
    };
    generate(&sources, &out, Effort::Quick).unwrap();
    let table = fs::read_to_string(out.join("site_table.rs")).unwrap();
    let files: BTreeMap<String, Vec<u8>> = collect(&out).unwrap();
    fs::remove_dir_all(&out).unwrap();

    for path in [
        "/pkg/plumbline.css",
        "/favicon.svg",
        "/robots.txt",
        "/fonts/inter-latin.woff2",
    ] {
        assert!(table.contains(&format!("path: {path:?}")), "{path} in {table}");
    }
    let sheet = files
        .values()
        .find(|bytes| bytes.starts_with(b"/* The order"))
        .unwrap();
    let sheet = String::from_utf8_lossy(sheet);
    assert!(!sheet.contains("@import"), "imports are inlined");
    assert!(
        sheet.contains("url(\"/fonts/inter-latin."),
        "the font is named by its content"
    );
    assert!(sheet.find("@layer tokens, base").unwrap() < sheet.find("@layer base {").unwrap());
}
