#!/usr/bin/env python3
"""Assembles a container image without a daemon and without a base image, as a tar file.

    packaging/image.py BINARY OUT.tar --version 0.1.0 --architecture amd64 --epoch SECONDS --document FILE...

In it: the program, the shared libraries that it needs (what `ldd` says, from this machine), the certificates of public
authorities, and users. No shell, no package manager, no Postgres: DATABASE_URL says where that is. The file is an OCI
layout, and can be read by `docker load` too, which wants `manifest.json`. The same input gives the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from datetime import datetime, timezone
from pathlib import Path

# The number that distroless images give to their ordinary user.
USER_ID = 65532
DATA = "/var/lib/plumbline"
CERTIFICATES = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]


def libraries(binary: Path) -> list[Path]:
    """The shared libraries and the loader, under the paths where the program looks for them."""
    told = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        # A program that is linked statically needs none.
        if "statically linked" in told.stdout + told.stderr or "not a dynamic executable" in told.stderr:
            return []
        raise SystemExit(f"image: ldd says: {told.stderr.strip()}")
    found = []
    for line in told.stdout.splitlines():
        words = line.split()
        if "not found" in line:
            raise SystemExit(f"image: {words[0]} is missing on this machine")
        path = next((word for word in words if word.startswith("/")), None)
        if path:
            found.append(Path(path))
    return found


class Layer:
    """The files of the image as one tar file; folders are made on the way."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)
        self.folders = set()

    def add(self, info: tarfile.TarInfo, content: bytes = b"") -> None:
        info.mtime = self.epoch
        self.tar.addfile(info, io.BytesIO(content))

    def folder(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name in self.folders:
                continue
            self.folders.add(name)
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            is_last = depth == len(parts)
            info.mode = mode if is_last else 0o755
            info.uid = info.gid = owner if is_last else 0
            self.add(info)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        above = path.strip("/").rpartition("/")[0]
        if above:
            self.folder(above)
        info = tarfile.TarInfo(path.lstrip("/"))
        info.size, info.mode = len(content), mode
        self.add(info, content)

    def finish(self) -> bytes:
        self.tar.close()
        return self.buffer.getvalue()


def filesystem(binary: Path, documents: list[Path], epoch: int) -> bytes:
    layer = Layer(epoch)
    layer.file("/usr/bin/plumbline", binary.read_bytes(), 0o755)
    for library in libraries(binary):
        layer.file(str(library), library.read_bytes(), 0o755)
    certificates = next((path for path in CERTIFICATES if path.exists()), None)
    if certificates is None:
        raise SystemExit("image: this machine has no certificates of authorities; install ca-certificates")
    layer.file("/etc/ssl/certs/ca-certificates.crt", certificates.read_bytes())
    layer.file("/etc/passwd", f"root:x:0:0:root:/root:/sbin/nologin\nplumbline:x:{USER_ID}:{USER_ID}:Plumbline:{DATA}:"
               "/sbin/nologin\n".encode())
    layer.file("/etc/group", f"root:x:0:\nplumbline:x:{USER_ID}:\n".encode())
    layer.file("/etc/nsswitch.conf", b"hosts: files dns\n")
    layer.folder(DATA, 0o700, USER_ID)
    layer.folder("/tmp", 0o1777)
    for document in documents:
        layer.file(f"/usr/share/doc/plumbline/{document.name}", document.read_bytes())
    # The C library comes with its terms.
    for name in ("libc6", "libgcc-s1"):
        copyright_file = Path(f"/usr/share/doc/{name}/copyright")
        if copyright_file.exists():
            layer.file(f"/usr/share/doc/{name}/copyright", copyright_file.read_bytes())
    return layer.finish()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--version", required=True)
    arguments.add_argument("--architecture", required=True, help="as Go calls it: amd64, arm64")
    arguments.add_argument("--epoch", type=int, required=True, help="the time of all files, seconds since 1970")
    arguments.add_argument("--document", type=Path, action="append", default=[])
    options = arguments.parse_args()

    plain = filesystem(options.binary, options.document, options.epoch)
    packed = gzip.compress(plain, 6, mtime=0)
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    created = datetime.fromtimestamp(options.epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.opencontainers.image.title": "plumbline",
        "org.opencontainers.image.version": options.version,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.description": "Observability for software that calls language models",
    }
    layer = blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")
    config = blob(
        json.dumps({
            "architecture": options.architecture,
            "os": "linux",
            "created": created,
            "config": {
                "User": f"{USER_ID}:{USER_ID}",
                "ExposedPorts": {"3000/tcp": {}},
                "Env": ["PATH=/usr/bin", "PLUMBLINE_ADDR=0.0.0.0:3000", f"PLUMBLINE_DATA={DATA}"],
                "Entrypoint": ["/usr/bin/plumbline"],
                "Cmd": ["serve"],
                "Volumes": {DATA: {}},
                "WorkingDir": DATA,
                "StopSignal": "SIGTERM",
                "Labels": labels,
                # OCI has no word for it; Docker reads it here.
                "Healthcheck": {
                    "Test": ["CMD", "/usr/bin/plumbline", "health"],
                    "Interval": 10_000_000_000,
                    "Timeout": 6_000_000_000,
                    "StartPeriod": 60_000_000_000,
                    "Retries": 3,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
            "history": [{"created": created, "created_by": "scripts/package image"}],
        }).encode(),
        "application/vnd.oci.image.config.v1+json",
    )
    manifest = blob(
        json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
            "annotations": labels,
        }).encode(),
        "application/vnd.oci.image.manifest.v1+json",
    )
    name = f"plumbline:{options.version}"
    manifest["annotations"] = {
        "io.containerd.image.name": f"docker.io/library/{name}",
        "org.opencontainers.image.ref.name": options.version,
    }
    manifest["platform"] = {"architecture": options.architecture, "os": "linux"}

    def path_of(descriptor: dict) -> str:
        return "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")

    layout = Layer(options.epoch)
    layout.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}
    layout.file("index.json", json.dumps(index).encode())
    for_docker = [{"Config": path_of(config), "RepoTags": [name], "Layers": [path_of(layer)]}]
    layout.file("manifest.json", json.dumps(for_docker).encode())
    layout.folder("blobs/sha256")
    for digest, content in sorted(blobs.items()):
        layout.file(f"blobs/sha256/{digest}", content)
    options.out.write_bytes(layout.finish())


if __name__ == "__main__":
    main()
