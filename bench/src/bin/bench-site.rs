//! What a browser downloads for the first page: script, WASM and style sheet, raw and compressed, from the real
//! server. Prints the table of the README.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;

use anyhow::Context as _;
use bench::Server;
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server = Server::start(&args.binary, &args.parent)?;
    let client = reqwest::blocking::Client::builder().no_gzip().build()?;
    let page = client
        .get(format!("{}/p/default/runs", server.origin))
        .send()?
        .text()?;
    let files = [("wasm", ".wasm\""), ("js", ".js\""), ("css", ".css\"")];
    println!("| file | raw | gzip | brotli |");
    println!("|---|---|---|---|");
    let mut sums = [0usize; 3];
    for (name, ending) in files {
        let end = page
            .find(ending)
            .with_context(|| format!("the page links to no {name}"))?
            + ending.len()
            - 1;
        let start = page[..end].rfind('"').context("the link has no beginning")? + 1;
        let mut sizes = [0usize; 3];
        for (i, encoding) in ["identity", "gzip", "br"].into_iter().enumerate() {
            let url = format!("{}{}", server.origin, &page[start..end]);
            sizes[i] = client
                .get(url)
                .header("accept-encoding", encoding)
                .send()?
                .bytes()?
                .len();
            sums[i] += sizes[i];
        }
        print_row(name, sizes);
    }
    print_row("**together**", sums);
    Ok(())
}

fn print_row(name: &str, sizes: [usize; 3]) {
    let kb = sizes.map(|bytes| format!("{:.1} kB", bytes as f64 / 1e3));
    println!("| {name} | {} | {} | {} |", kb[0], kb[1], kb[2]);
}
