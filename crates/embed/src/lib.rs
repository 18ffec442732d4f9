//! Build time only: collects the site's files, names them by their content, compresses them and writes the Rust
//! table that `server/src/site.rs` includes. `server/build.rs` is the one caller.
//!
//! A file is reachable under two names: its plain path (`/favicon.svg`, revalidated) and its hashed path
//! (`/favicon.0123456789ab.svg`, cached for ever).

mod script;
mod sheet;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Why the site could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A style sheet or a script names a file that is not part of the site.
    #[error("a style sheet or a script refers to {0}, which is not part of the site")]
    UnknownUrl(String),
    /// A file's name is not text.
    #[error("{0} is not a UTF-8 name")]
    NotUtf8(PathBuf),
}

/// Where the parts of the site lie.
#[derive(Debug)]
pub struct Sources<'a> {
    /// `main.css` in here imports the other sheets; they become `/pkg/plumbline.css`.
    pub style: &'a Path,
    /// Every file in here is served from the root.
    pub public: &'a Path,
    /// What `scripts/site` built, served under `/pkg/`. May be absent or empty.
    pub pkg: &'a Path,
}

/// How hard to compress: seconds while developing, the last byte for a release.
#[derive(Debug, Clone, Copy)]
pub enum Effort {
    /// Brotli quality 5, gzip 6.
    Quick,
    /// Brotli quality 11, gzip 9.
    Best,
}

/// Collects the site from `sources` and writes `site_table.rs` and the files it includes into `out`.
pub fn generate(sources: &Sources<'_>, out: &Path, effort: Effort) -> Result<(), Error> {
    let mut files = collect(sources.public)?;
    files.extend(
        collect(sources.pkg)?
            .into_iter()
            .map(|(path, bytes)| (format!("/pkg{path}"), bytes)),
    );

    let hashed: BTreeMap<String, String> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), hashed_path(path, bytes)))
        .collect();
    let sheet = sheet::inline_imports(&sources.style.join("main.css"))?;
    let sheet = sheet::rewrite_urls(&sheet, &hashed)?;
    files.insert("/pkg/plumbline.css".into(), sheet.into_bytes());
    if let Some(script) = files.get_mut("/pkg/plumbline.js") {
        let text = String::from_utf8_lossy(script);
        *script = script::rewrite_urls(&text, "/pkg", &hashed)?.into_bytes();
    }

    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for (index, (path, bytes)) in files.iter().enumerate() {
        entry(&mut table, out, index, path, bytes, effort)?;
    }
    table.push_str("];\n");
    write(&out.join("site_table.rs"), table.as_bytes())
}

fn entry(
    table: &mut String,
    out: &Path,
    index: usize,
    path: &str,
    bytes: &[u8],
    effort: Effort,
) -> Result<(), Error> {
    let content_type = content_type(path);
    let include = |extension: &str, bytes: &[u8]| -> Result<String, Error> {
        let name = format!("site_{index}.{extension}");
        write(&out.join(&name), bytes)?;
        Ok(format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))"))
    };
    let identity = include("raw", bytes)?;
    let encoded = |extension: &str, compressed: Vec<u8>| -> Result<String, Error> {
        // A tenth is the least that pays for the browser's work of unpacking.
        let pays = compressed.len() + bytes.len() / 10 < bytes.len();
        if pays {
            Ok(format!("Some({})", include(extension, &compressed)?))
        } else {
            Ok("None".into())
        }
    };
    let (brotli, gzip) = if is_compressed_already(path) {
        ("None".to_owned(), "None".to_owned())
    } else {
        (
            encoded("br", brotli(bytes, effort, path)?)?,
            encoded("gz", gzip(bytes, effort, path)?)?,
        )
    };
    let hash = content_hash(bytes);
    let hashed_path = hashed_path(path, bytes);
    let written = write!(
        table,
        "    Asset {{\n        path: {path:?},\n        hashed_path: {hashed_path:?},\n        \
         content_type: {content_type:?},\n        hash: {hash:?},\n        identity: {identity},\n        \
         brotli: {brotli},\n        gzip: {gzip},\n    }},\n"
    );
    written.map_err(|_fmt| Error::Io {
        path: out.into(),
        source: std::io::Error::other("formatting failed"),
    })
}

/// Every file under `root` by its path from there, with a leading slash. A missing folder holds nothing.
fn collect(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(|source| io(&folder, source))? {
            let path = entry.map_err(|source| io(&folder, source))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                return Err(Error::NotUtf8(path));
            };
            let url = format!("{prefix}/{name}");
            if name.starts_with('.') {
                continue;
            } else if path.is_dir() {
                folders.push((path, url));
            } else {
                let bytes = fs::read(&path).map_err(|source| io(&path, source))?;
                files.insert(url, bytes);
            }
        }
    }
    Ok(files)
}

fn content_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..6])
}

/// `/pkg/plumbline.css` → `/pkg/plumbline.<hash>.css`.
fn hashed_path(path: &str, bytes: &[u8]) -> String {
    let hash = content_hash(bytes);
    match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => format!("{stem}.{hash}.{extension}"),
        _ => format!("{path}.{hash}"),
    }
}

fn content_type(path: &str) -> &'static str {
    match extension(path) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn is_compressed_already(path: &str) -> bool {
    matches!(extension(path), "woff2" | "png" | "webp" | "jpg")
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn brotli(bytes: &[u8], effort: Effort, path: &str) -> Result<Vec<u8>, Error> {
    let quality = match effort {
        Effort::Quick => 5,
        Effort::Best => 11,
    };
    let params = brotli::enc::BrotliEncoderParams {
        quality,
        lgwin: 22,
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &params)
        .map_err(|source| io(Path::new(path), source))?;
    Ok(compressed)
}

fn gzip(bytes: &[u8], effort: Effort, path: &str) -> Result<Vec<u8>, Error> {
    let level = match effort {
        Effort::Quick => flate2::Compression::new(6),
        Effort::Best => flate2::Compression::best(),
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .map_err(|source| io(Path::new(path), source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| io(path, source))
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
