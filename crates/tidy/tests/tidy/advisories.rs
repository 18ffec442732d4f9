//! Known weaknesses of the crates that are locked, by a snapshot of RustSec's advisory database: offline, so that everybody's
//! check says the same. `data/advisories.py` takes a newer one.

use semver::{Version, VersionReq};

use crate::repository::{Findings, read};

/// What is locked: the product with its tools and tests, and the fuzz targets.
const LOCKS: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];
/// Advisories that are known and lived with, each with the reason.
const ACCEPTED: &[(&str, &str)] = &[
    (
        "RUSTSEC-2024-0436",
        "paste is not maintained any more; it runs while leptos and rcgen are compiled and is in no program",
    ),
    (
        "RUSTSEC-2023-0071",
        "how long rsa works with a private key tells of it; the program has none, it checks a sign-in provider's signatures",
    ),
];

/// One line of `data/advisories.tsv`.
struct Advisory<'a> {
    package: &'a str,
    id: &'a str,
    day: &'a str,
    kind: &'a str,
    patched: &'a str,
    unaffected: &'a str,
}

impl<'a> Advisory<'a> {
    fn of(line: &'a str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[package, id, day, kind, patched, unaffected] = fields.as_slice() else {
            panic!("data/advisories.tsv: {line}");
        };
        Self {
            package,
            id,
            day,
            kind,
            patched,
            unaffected,
        }
    }

    /// Whether it is about this version.
    fn concerns(&self, version: &Version) -> bool {
        let ranges = self.patched.split(';').chain(self.unaffected.split(';'));
        !ranges.filter(|range| !range.is_empty()).any(|range| {
            let range =
                VersionReq::parse(range).unwrap_or_else(|cause| panic!("{}: {range}: {cause}", self.id));
            range.matches(version)
        })
    }
}

/// Names and versions of what comes from the registry.
fn locked(path: &str) -> Vec<(String, Version)> {
    let lock: toml::Table = read(path).parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let text = |package: &toml::Value, field: &str| package[field].as_str().unwrap().to_owned();
    packages
        .iter()
        .filter(|package| package.get("source").is_some())
        .map(|package| {
            let version = Version::parse(&text(package, "version")).unwrap();
            (text(package, "name"), version)
        })
        .collect()
}

#[test]
fn no_advisory_is_about_what_is_locked() {
    let mut findings = Findings::new(
        "cargo update -p CRATE; where there is no better version, name the advisory in ACCEPTED with the reason",
    );
    let data = read("data/advisories.tsv");
    let (head, lines) = data.split_once('\n').unwrap();
    let advisories: Vec<Advisory<'_>> = lines.lines().map(Advisory::of).collect();
    assert!(advisories.len() > 1_000, "{}", advisories.len());
    let (mut crates, mut met) = (0, Vec::new());
    for path in LOCKS {
        for (name, version) in locked(path) {
            crates += 1;
            for advisory in advisories.iter().filter(|one| one.package == name) {
                if !advisory.concerns(&version) {
                    continue;
                }
                met.push(advisory.id);
                if ACCEPTED.iter().all(|(id, _)| *id != advisory.id) {
                    let Advisory { id, day, kind, .. } = advisory;
                    let what = format!(
                        "{name} {version}: {kind} {id} of {day}, https://rustsec.org/advisories/{id}"
                    );
                    findings.add(path, what);
                }
            }
        }
    }
    for (id, reason) in ACCEPTED.iter().filter(|(id, _)| !met.contains(id)) {
        findings.add(
            "ACCEPTED",
            format!("{id} is about nothing that is locked: {reason}"),
        );
    }
    println!(
        "advisories: {crates} locked crates against {}",
        head.replace('\t', " ")
    );
}

#[test]
fn an_advisory_is_about_what_is_neither_patched_nor_unaffected() {
    let line = "time\tRUSTSEC-2020-0071\t2020-11-18\tvulnerability\t>= 0.2.23\t=0.2.0;< 0.1.40, >= 0.1.30";
    let check = |version: &str, expected: bool| {
        let version = Version::parse(version).unwrap();
        assert_eq!(Advisory::of(line).concerns(&version), expected, "{version}");
    };
    check("0.2.22", true);
    check("0.2.23", false);
    check("1.0.0", false);
    check("0.2.0", false);
    check("0.1.35", false);
    check("0.1.40", true);
    let none_is_patched = Advisory::of("a\tRUSTSEC-2026-0001\t2026-01-01\tunmaintained\t\t");
    assert!(none_is_patched.concerns(&Version::new(9, 0, 0)));
}
