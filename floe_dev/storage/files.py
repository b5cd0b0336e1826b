"""Files on this machine as an object store; `file:///abs/path` locations, taken literally."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from floe_dev.storage.base import StoreCredential


class FileStorage:
    """A folder tree; whoever may read the files may read the tables, so there are no keys to vend."""

    endpoint = "file://"
    region = ""

    def read(self, location: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""
        return _path(location).read_bytes()

    def size(self, location: str) -> int | None:
        """A file's size in bytes, None if there is none."""
        path = _path(location)
        return path.stat().st_size if path.is_file() else None

    def write(self, location: str, content: bytes) -> None:
        """Write a whole file, its folders too."""
        path = _path(location)
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def remove(self, location: str) -> None:
        """Delete one file; one that is not there is no error."""
        _path(location).unlink(missing_ok=True)

    def occupied(self, location: str) -> bool:
        """Whether any file lies below `location`; empty folders do not count."""
        return any(path.is_file() for path in _path(location).rglob("*"))

    def purge(self, location: str) -> None:
        """Delete the folder with all files."""
        shutil.rmtree(_path(location), ignore_errors=True)

    def vend(
        self,
        locations: Sequence[str],  # noqa: ARG002
        *,
        write: bool,  # noqa: ARG002
        seconds: int,  # noqa: ARG002
        also_read: Sequence[str] = (),  # noqa: ARG002
    ) -> StoreCredential:
        """Raises OSError: the file system's own rights are all there is."""
        raise OSError(0, "files have no keys")


def _path(location: str) -> Path:
    if not location.startswith("file:///"):
        raise OSError(0, f"not a location of a file: {location}")
    return Path(location.removeprefix("file://"))
