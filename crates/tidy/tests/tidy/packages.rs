//! What users install: packages made from a stand-in for the program, which says its version and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::repository::{Findings, read, root};

const PROGRAM: &str = r#"#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
  if (count == 2 && strcmp(words[1], "--version") == 0) puts("plumbline VERSION");
  return 0;
}"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("plumbline-tidy-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn version() -> String {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    manifest["workspace"]["package"]["version"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn run(command: &mut Command) -> Output {
    command
        .current_dir(root())
        .output()
        .unwrap_or_else(|cause| panic!("{command:?}: {cause}"))
}

fn must_run(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Packages of the stand-in, and the folder they are in.
fn packages(folder: &Folder) -> PathBuf {
    let (source, program, out) = (
        folder.path("program.c"),
        folder.path("plumbline"),
        folder.path("packages"),
    );
    std::fs::write(&source, PROGRAM.replace("VERSION", &version())).unwrap();
    must_run(Command::new("cc").arg("-o").arg(&program).arg(&source));
    must_run(
        Command::new("scripts/package")
            .arg("--binary")
            .arg(&program)
            .arg("--out")
            .arg(&out),
    );
    out
}

fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    assert_eq!(found.len(), 1, "{ending}: {found:?}");
    found[0].clone()
}

fn has_dpkg() -> bool {
    Command::new("dpkg-deb").arg("--version").output().is_ok()
}

#[test]
fn packages_are_whole_and_the_deb_installs_upgrades_and_purges() {
    if !cfg!(target_os = "linux") || !has_dpkg() {
        return; // Packages are made on Debian.
    }
    let folder = Folder::new("packages");
    let out = packages(&folder);
    sums_are_right(&out);
    archive_and_bill_are_whole(&out);
    image_is_whole(&folder, &out);
    deb_installs_upgrades_and_purges(&folder, &only_file(&out, ".deb"));
}

fn sums_are_right(out: &Path) {
    must_run(
        Command::new("sh")
            .args(["-c", "cd \"$0\" && sha256sum --check --strict SHA256SUMS"])
            .arg(out),
    );
}

fn archive_and_bill_are_whole(out: &Path) {
    let archive = must_run(Command::new("tar").arg("tf").arg(only_file(out, "-linux.tar.gz")));
    for name in [
        "plumbline",
        "LICENSE",
        "THIRD-PARTY-LICENSES.txt",
        "plumbline.service",
        "plumbline.toml",
    ] {
        assert!(
            archive.lines().any(|line| line.ends_with(&format!("/{name}"))),
            "{name}: {archive}"
        );
    }

    let sbom = std::fs::read_to_string(only_file(out, ".cdx.json")).unwrap();
    for part in ["\"CycloneDX\"", "pkg:cargo/axum@", "pkg:cargo/leptos@", "SHA-256"] {
        assert!(sbom.contains(part), "{part}");
    }
    assert!(
        !sbom.contains("pkg:cargo/reqwest@"),
        "what only tests use is not in it"
    );
}

fn image_is_whole(folder: &Folder, out: &Path) {
    let layout = folder.path("image");
    std::fs::create_dir(&layout).unwrap();
    must_run(
        Command::new("tar")
            .arg("xf")
            .arg(only_file(out, ".oci.tar"))
            .arg("-C")
            .arg(&layout),
    );
    let sums = "cd \"$0\"/blobs/sha256 && for blob in *; do echo \"$blob  $blob\"; done | sha256sum --check --strict";
    must_run(Command::new("sh").args(["-c", sums]).arg(&layout));
    let blobs: Vec<String> = std::fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        .collect();
    let config = blobs.iter().find(|blob| blob.contains("rootfs")).unwrap();
    for part in ["\"User\": \"65532:65532\"", "Healthcheck", "PLUMBLINE_DATA"] {
        assert!(config.contains(part), "{part}: {config}");
    }
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    assert!(index.contains("vnd.oci.image.manifest.v1+json"), "{index}");
}

/// Into a folder, by scripts that know it: nothing of this machine changes.
fn deb_installs_upgrades_and_purges(folder: &Folder, deb: &Path) {
    let system = folder.path("system");
    for path in [
        "var/lib/dpkg/updates",
        "var/lib/dpkg/info",
        "var/lib/dpkg/triggers",
    ] {
        std::fs::create_dir_all(system.join(path)).unwrap();
    }
    std::fs::write(system.join("var/lib/dpkg/status"), "").unwrap();
    // What it depends on is not there.
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command
            .arg("--force-script-chrootless,not-root,depends,bad-path,confold")
            .arg(format!("--log={}", folder.path("dpkg.log").display()))
            .arg(format!("--root={}", system.display()))
            .args(arguments);
        must_run(&mut command)
    };
    let deb = deb.to_string_lossy().into_owned();
    let config = system.join("etc/plumbline/plumbline.toml");
    let (program, data) = (
        system.join("usr/bin/plumbline"),
        system.join("var/lib/plumbline/secret.key"),
    );

    dpkg(&["--install", &deb]);
    assert!(program.exists() && config.exists());
    std::fs::write(&data, "a key").unwrap();
    let changed = format!("{}log = \"warn\"\n", std::fs::read_to_string(&config).unwrap());
    std::fs::write(&config, &changed).unwrap();

    // An upgrade, and going back after a removal, keep both.
    dpkg(&["--install", &deb]);
    dpkg(&["--remove", "plumbline"]);
    assert!(!program.exists() && data.exists());
    dpkg(&["--install", &deb]);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), changed);
    assert!(program.exists() && data.exists());

    dpkg(&["--purge", "plumbline"]);
    for gone in [&program, &config, &data, &system.join("var/lib/plumbline")] {
        assert!(!gone.exists(), "{}", gone.display());
    }
}

#[test]
fn a_licence_that_nobody_has_accepted_ends_packaging() {
    let folder = Folder::new("licences");
    let check = |licence: &str, expected: bool| {
        let package = |name: &str, source: &str, licence: &str| {
            format!(
                "{{\"id\":\"{name}\",\"name\":\"{name}\",\"version\":\"1.0.0\",\"source\":{source},\"license\":{licence},\
                 \"manifest_path\":\"{}/Cargo.toml\"}}",
                folder.0.display()
            )
        };
        let metadata = format!(
            "{{\"workspace_root\":\"{}\",\"packages\":[{},{}],\"resolve\":{{\"nodes\":[\
             {{\"id\":\"server\",\"deps\":[{{\"pkg\":\"a\",\"dep_kinds\":[{{\"kind\":null}}]}}]}},\
             {{\"id\":\"a\",\"deps\":[]}}]}}}}",
            folder.0.display(),
            package("server", "null", "null"),
            package("a", "\"registry\"", licence),
        );
        let path = folder.path("metadata.json");
        std::fs::write(&path, metadata).unwrap();
        let output = run(Command::new("python3")
            .arg("packaging/dependencies.py")
            .arg(&path)
            .arg("--sbom")
            .arg(folder.path("sbom.json")));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), expected, "{licence}: {said}");
        assert!(
            expected || said.contains("a 1.0.0 has the licence"),
            "{licence}: {said}"
        );
    };
    check("\"MIT\"", true);
    check("\"GPL-3.0-only OR MIT\"", true);
    check("\"(MIT OR GPL-3.0-only) AND Unicode-3.0\"", true);
    check("\"Apache-2.0/MIT\"", true);
    check("\"Apache-2.0 WITH LLVM-exception\"", true);
    check("\"MIT AND GPL-3.0-only\"", false);
    check("\"GPL-3.0-only\"", false);
    check("\"MIT WITH Some-exception\"", false);
    check("null", false);
}

#[test]
fn the_charts_values_are_all_used_and_all_described() {
    let mut findings = Findings::new(
        "a value is in values.yaml with its default, in values.schema.json with its type, and in a template",
    );
    let values = read("packaging/helm/plumbline/values.yaml");
    let schema = read("packaging/helm/plumbline/values.schema.json");
    let templates: String = std::fs::read_dir(root().join("packaging/helm/plumbline/templates"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let names: Vec<&str> = values
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        if !schema.contains(&format!("\"{name}\":")) {
            findings.add("values.schema.json", name);
        }
        if !templates.contains(&format!(".Values.{name}")) {
            findings.add("templates", name);
        }
    }
    for behind in templates.split(".Values.").skip(1) {
        let name: String = behind.chars().take_while(char::is_ascii_alphanumeric).collect();
        if !names.contains(&name.as_str()) {
            findings.add("values.yaml", name);
        }
    }
}

#[test]
fn packages_have_the_version_of_the_source() {
    let mut findings = Findings::new("write the version of Cargo.toml");
    let version = version();
    for (path, line) in [
        (
            "packaging/helm/plumbline/Chart.yaml",
            format!("version: {version}"),
        ),
        (
            "packaging/helm/plumbline/Chart.yaml",
            format!("appVersion: {version}"),
        ),
        ("packaging/compose.yaml", format!("plumbline:{version}}}")),
    ] {
        if !read(path).contains(&line) {
            findings.add(path, line);
        }
    }
}
