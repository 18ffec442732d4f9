#!/usr/bin/env python3
"""What the program is made of: a bill of materials (CycloneDX) and the licences of all crates in it.

    packaging/dependencies.py METADATA... --sbom FILE --licences FILE

METADATA is what `cargo metadata` printed, once for each platform whose crates end up in the program: the server's, and
the browser's (wasm32). Fails where a crate has a licence that nobody has looked at.
"""

import argparse
import json
import re
import sys
import uuid
from pathlib import Path

# Licences that allow to ship the program under Apache-2.0, with their texts beside it. A new one is a decision: read it.
ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
# The packages that end up in the program: the binary, and the WASM that is embedded in it.
ROOTS = {"server", "hydrate"}
LICENCE_FILES = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def accepted(expression: str) -> bool:
    """Whether an SPDX expression can be met with accepted licences. `/` is how old manifests write OR."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def next_is(word: str) -> bool:
        return position < len(words) and words[position] == word

    def either() -> bool:
        nonlocal position
        met = both()
        while next_is("OR"):
            position += 1
            met = both() or met
        return met

    def both() -> bool:
        nonlocal position
        met = one()
        while next_is("AND"):
            position += 1
            met = one() and met
        return met

    def one() -> bool:
        nonlocal position
        if next_is("("):
            position += 1
            met = either()
            position += 1
            return met
        licence = words[position] if position < len(words) else ""
        position += 1
        if next_is("WITH"):
            licence += f" WITH {words[position + 1]}"
            position += 2
        return licence in ACCEPTED

    met = either()
    return met and position == len(words)


def reached(metadata: dict) -> set[str]:
    """The ids of all packages that the roots are built from; not those that only build scripts and tests use."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [package["id"] for package in metadata["packages"] if package["name"] in ROOTS and not package["source"]]
    found = set()
    while waiting:
        package_id = waiting.pop()
        if package_id in found:
            continue
        found.add(package_id)
        for dependency in nodes[package_id]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return found


def texts(package: dict) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = {path for path in folder.iterdir() if path.is_file() and LICENCE_FILES.match(path.name)}
    if package.get("license_file"):
        files.add(folder / package["license_file"])
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in sorted(files) if path.is_file()]


def component(package: dict, checksum: str | None) -> dict:
    name, version = package["name"], package["version"]
    described = {
        "type": "library",
        "bom-ref": f"pkg:cargo/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:cargo/{name}@{version}",
    }
    if package.get("license"):
        # CycloneDX knows the expressions of today; `/` is older.
        described["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if package.get("repository"):
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def checksums(lock_file: Path) -> dict[tuple[str, str], str]:
    """What Cargo.lock says of the package files, by name and version."""
    found = {}
    if lock_file.exists():
        for block in lock_file.read_text(encoding="utf-8").split("[[package]]")[1:]:
            fields = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.MULTILINE))
            if "checksum" in fields:
                found[fields["name"], fields["version"]] = fields["checksum"]
    return found


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("metadata", nargs="+", type=Path)
    arguments.add_argument("--sbom", type=Path)
    arguments.add_argument("--licences", type=Path)
    options = arguments.parse_args()

    packages, edges, root, lock = {}, {}, None, Path()
    for path in options.metadata:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        lock = Path(metadata["workspace_root"]) / "Cargo.lock"
        ids = reached(metadata)
        by_id = {package["id"]: package for package in metadata["packages"]}
        packages.update({package_id: by_id[package_id] for package_id in ids})
        for node in metadata["resolve"]["nodes"]:
            if node["id"] in ids:
                edges.setdefault(node["id"], set()).update(d["pkg"] for d in node["deps"] if d["pkg"] in ids)
        root = root or next((by_id[i] for i in ids if by_id[i]["name"] == "server" and not by_id[i]["source"]), None)
    if root is None:
        print("dependencies: there is no package `server` in what cargo said", file=sys.stderr)
        return 1

    others = sorted((p for p in packages.values() if p["source"]), key=lambda p: (p["name"], p["version"]))
    refused = [p for p in others if not accepted(p.get("license") or "")]
    for package in refused:
        says = package.get("license") or "none"
        print(f"dependencies: {package['name']} {package['version']} has the licence {says}: read it, and accept it in "
              "packaging/dependencies.py or do without the crate", file=sys.stderr)
    if refused:
        return 1

    if options.sbom:
        sums = checksums(lock)
        ref = {i: f"pkg:cargo/{p['name']}@{p['version']}" for i, p in packages.items()}
        main_ref = f"pkg:generic/plumbline@{root['version']}"
        ref.update({i: main_ref for i, p in packages.items() if not p["source"]})
        depends: dict[str, set[str]] = {main_ref: set()}
        for package_id, wanted in edges.items():
            depends.setdefault(ref[package_id], set()).update(ref[i] for i in wanted if ref[i] != ref[package_id])
        bom = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            # The same materials, the same number.
            "serialNumber": "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, main_ref + "".join(sorted(depends)))),
            "version": 1,
            "metadata": {
                "component": {
                    "type": "application",
                    "bom-ref": main_ref,
                    "name": "plumbline",
                    "version": root["version"],
                    "licenses": [{"license": {"id": "Apache-2.0"}}],
                }
            },
            "components": [component(p, sums.get((p["name"], p["version"]))) for p in others],
            "dependencies": [{"ref": r, "dependsOn": sorted(d)} for r, d in sorted(depends.items())],
        }
        options.sbom.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")

    if options.licences:
        # Most crates share a few texts: each is written once, behind the crates that have it.
        by_text: dict[str, list[str]] = {}
        for package in others:
            name = f"{package['name']} {package['version']} ({package['license']})"
            for text in texts(package) or ["The package has no licence file; it names its licence as above."]:
                by_text.setdefault(text, []).append(name)
        parts = ["Plumbline is made with these crates, each under its own licence.\n"]
        for text, names in sorted(by_text.items(), key=lambda entry: entry[1]):
            parts.append("\n".join(names) + "\n\n" + text + "\n")
        options.licences.write_text(("\n" + "-" * 80 + "\n\n").join(parts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
