"""The files of an export: in a folder, or in any storage that fsspec knows, such as S3.

    <root>/<audience>/000007/remove.csv  add.csv  manifest.json
    <root>/incoming/suppressions/*.csv   consents/*.csv             what others tell us

Whoever reads them looks for the manifest: it comes last, by a rename, and says what the others must hash to.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

MANIFEST = "manifest.json"
# Checksums of its own making, which Amazon's client sends by default, are unknown to many another S3: it refuses the upload.
ONLY_WHERE_REQUIRED = {
    "config_kwargs": {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
}
# A spreadsheet takes a cell that begins so for a formula.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
# What stands above the identifiers, by format and kind of identifier; a list of myTarget has no header.
HEADERS: Mapping[str, Mapping[str, str | None]] = {
    "own": {},
    "yandex": {"phone": "phone", "email": "email"},
    "mytarget": {"phone": None, "email": None, "guest": None, "login": None},
    "google": {"phone": "Phone", "email": "Email"},
    "meta": {"phone": "phone", "email": "email"},
}


def open_folder(url: str, **options: Any) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a folder or bucket, and its path there. `options`: of the fsspec file system."""
    own = ONLY_WHERE_REQUIRED if url.startswith("s3://") else {}
    fs, path = fsspec.core.url_to_fs(url, **{**own, **options})
    return fs, path.rstrip("/")


class ExportFiles:
    """The folder of all exports. `url`: a path, or such as `s3://bucket/exports`; `options`: of its fsspec file system."""

    def __init__(self, url: str, **options: Any) -> None:
        self.fs, self.root = open_folder(url, **options)

    def path(self, audience: str, seq: int, name: str = "") -> str:
        """Return where a file of an export lies, or its folder."""
        return f"{self.root}/{audience}/{seq:06d}/{name}".rstrip("/")

    def write(self, audience: str, seq: int, name: str, header: str | None, identifiers: Iterable[str]) -> str:
        """Write a file of identifiers, over one that is there; return its hash."""
        content = csv_of(header, identifiers).encode()
        self.fs.makedirs(self.path(audience, seq), exist_ok=True)
        self.fs.pipe_file(self.path(audience, seq, name), content)
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def publish(self, audience: str, seq: int, manifest: Mapping[str, Any]) -> None:
        """Let the manifest appear, whole: in a folder by a rename; a bucket shows an object once all of it is there."""
        content = (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode()
        place, beside = (self.path(audience, seq, name) for name in (MANIFEST, f".{MANIFEST}"))
        is_folder = isinstance(self.fs, LocalFileSystem)
        self.fs.pipe_file(beside if is_folder else place, content)
        if is_folder:
            self.fs.mv(beside, place)

    def published_hash(self, audience: str, seq: int) -> str | None:
        """Return the hash of the plan that the manifest tells of, None without a manifest."""
        try:
            manifest: dict[str, Any] = json.loads(self.fs.cat_file(self.path(audience, seq, MANIFEST)))
        except FileNotFoundError:
            return None
        return str(manifest["plan_hash"])

    def incoming(self, kind: str) -> list[tuple[str, str]]:
        """Return name and text of each file that others have put into `incoming/<kind>/`."""
        self.fs.invalidate_cache()
        paths = sorted(self.fs.glob(f"{self.root}/incoming/{kind}/*.csv"))
        return [(path.rsplit("/", 1)[1], self.fs.cat_file(path).decode("utf-8", "replace")) for path in paths]

    def delete(self, audience: str, seq: int) -> None:
        """Delete the files of an export, the manifest first; harmless where there are none."""
        self.fs.invalidate_cache()
        # One by one: what removes several at once many an S3 knows by other headers.
        for path in sorted(self.fs.find(self.path(audience, seq)), key=lambda path: not path.endswith(f"/{MANIFEST}")):
            self.fs.rm_file(path)


def header_of(file_format: str, identifier: str) -> str | None:
    """Return the header line for an identifier such as `phone_sha256`; None: the files have none."""
    return HEADERS[file_format].get(identifier.split("_")[0], identifier)


def csv_of(header: str | None, identifiers: Iterable[str]) -> str:
    """Return a file: UTF-8, LF, a line each, nothing that a spreadsheet would compute."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[header]] if header is not None else [])
    writer.writerows([f"'{value}" if value.startswith(FORMULAS) else value] for value in identifiers)
    return text.getvalue()
