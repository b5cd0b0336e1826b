"""A table's files where they lie: on this machine, or in S3 reached with the keys that the catalog vended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq
from pyarrow import fs
from pyiceberg.io import FileIO

from floe_dev.compute.duckdb import load_extensions


@dataclass(frozen=True)
class FoundFile:
    """One Parquet file: its location as the catalog names it, its path below the folder, its size in bytes."""

    location: str
    relative: PurePosixPath
    size: int
    footer: Any


def duckdb_path(location: str) -> str:
    """What DuckDB writes to or reads from."""
    parts = urlsplit(location)
    return unquote(parts.path) if parts.scheme == "file" else location


def open_to_duckdb(cursor: Any, io: FileIO, location: str) -> None:
    """Give DuckDB the vended keys of the table at `location`, for this table's prefix only; nothing for files."""
    if not location.startswith("s3://"):
        return
    # dbt's connection has them; the IO manager's is plain, and must not go looking for them on the network.
    load_extensions(cursor)
    settings = io.properties
    endpoint = urlsplit(settings.get("s3.endpoint", ""))
    options = {
        "KEY_ID": settings.get("s3.access-key-id"),
        "SECRET": settings.get("s3.secret-access-key"),
        "SESSION_TOKEN": settings.get("s3.session-token"),
        "REGION": settings.get("s3.region") or settings.get("client.region"),
        "ENDPOINT": endpoint.netloc or None,
        "URL_STYLE": "path" if settings.get("s3.path-style-access") == "true" else None,
        "SCOPE": location.rstrip("/") + "/",
    }
    rendered = ", ".join(f"{name} '{_quoted(value)}'" for name, value in options.items() if value)
    ssl = ", USE_SSL false" if endpoint.scheme == "http" else ""
    name = "floe_" + hashlib.sha256(location.encode()).hexdigest()[:16]
    cursor.execute(f"CREATE OR REPLACE TEMPORARY SECRET {name} (TYPE s3, {rendered}{ssl})")


def parquet_files(io: FileIO, target: str, *, single: bool) -> list[FoundFile]:
    """The Parquet files below the location `target` (or it alone), with rows; empty ones are deleted."""
    scheme, _, rest = target.partition("://")
    filesystem: Any = _filesystem(io, scheme, rest)
    base = duckdb_path(target) if scheme == "file" else rest
    infos = (
        [filesystem.get_file_info(base)] if single else filesystem.get_file_info(fs.FileSelector(base, recursive=True))
    )
    found = []
    for info in sorted(infos, key=lambda info: str(info.path)):
        if not info.path.endswith(".parquet"):
            continue
        footer = pq.read_metadata(info.path, filesystem=filesystem)
        if footer.num_rows == 0:
            filesystem.delete_file(info.path)
            continue
        relative = PurePosixPath(info.path).relative_to(base)
        # Not as_uri(): readers take the path literally, an escaped space would be another file.
        found.append(FoundFile(f"{scheme}://{info.path}", relative, info.size, footer))
    return found


def _filesystem(io: FileIO, scheme: str, rest: str) -> Any:
    if scheme == "file":
        return fs.LocalFileSystem()
    return io.fs_by_scheme(scheme, rest.partition("/")[0])  # type: ignore[attr-defined]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
