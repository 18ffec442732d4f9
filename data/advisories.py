#!/usr/bin/env python3
"""Known weaknesses of crates, out of a clone of RustSec's advisory database, as data/advisories.tsv.

    data/advisories.py CLONE

CLONE is a clone of https://github.com/rustsec/advisory-db (CC0-1.0). The first line says which commit it was and of
which day; then one line for each advisory that was not withdrawn, sorted by crate and id: crate, id, day, kind
(`vulnerability`, `unsound`, `unmaintained`, `notice`), patched versions, unaffected versions, with `;` between ranges.
`crates/tidy` compares them with what is locked, offline.
"""

import io
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

OUT = Path(__file__).parent / "advisories.tsv"


def git(clone: str, *words: str) -> bytes:
    return subprocess.run(["git", "-C", clone, *words], check=True, capture_output=True).stdout


def advisory(text: str) -> list[str] | None:
    """The fields of an advisory; the TOML at its beginning."""
    _, front, _ = text.split("```", 2)
    read = tomllib.loads(front.removeprefix("toml"))
    about, versions = read["advisory"], read.get("versions", {})
    if "withdrawn" in about:
        return None
    return [
        about["package"],
        about["id"],
        str(about["date"]),
        about.get("informational", "vulnerability"),
        ";".join(versions.get("patched", [])),
        ";".join(versions.get("unaffected", [])),
    ]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    clone = sys.argv[1]
    commit, day = git(clone, "log", "-1", "--format=%H %cs").decode().split()
    found = []
    with tarfile.open(fileobj=io.BytesIO(git(clone, "archive", "HEAD", "crates"))) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".md"):
                one = advisory(archive.extractfile(member).read().decode())
                if one:
                    found.append(one)
    found.sort()
    head = ["rustsec/advisory-db", commit, day]
    OUT.write_text("".join("\t".join(fields) + "\n" for fields in [head, *found]), encoding="utf-8")
    print(f"{len(found)} advisories as of {day}")


if __name__ == "__main__":
    main()
