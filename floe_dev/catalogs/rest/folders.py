"""Where a table's files go, on this machine or in an object store: told apart by the location's scheme."""

from __future__ import annotations

from floe_dev.catalogs.rest import locations
from floe_dev.catalogs.rest.errors import ApiError, invalid
from floe_dev.storage.base import Storage
from floe_dev.storage.files import FileStorage

_FILES = FileStorage()


def is_object(location: str) -> bool:
    """Whether a location lies in an object store."""
    return location.startswith("s3://")


class Folders:
    """Makes, checks and deletes the places of tables; raises ApiError 400 for a kind of store there is none of."""

    def __init__(self, store: Storage | None) -> None:
        """`store` holds the `s3://` locations; without one there are files only."""
        self._store = store

    def store(self, location: str) -> Storage | None:
        """The object store of a location; None for a file's."""
        if not is_object(location):
            return None
        if self._store is None:
            raise invalid(f"This server keeps tables in files only, not at {location}")
        return self._store

    def make_base(self, location: str) -> None:
        """Make the place of a whole catalog; a bucket is not made here, only looked for with the first table."""
        if self.store(location) is None:
            locations.path_of(location).mkdir(parents=True, exist_ok=True)

    def claim(self, location: str) -> str:
        """The place of a new table: `location`, or another beside it where something lies there already."""
        store = self.store(location)
        if store is None:
            return locations.claim(location)
        for _ in range(5):
            if not store.occupied(location):
                return location
            location = locations.with_suffix(location)
        raise ApiError(503, "ServiceUnavailableException", f"No free place for {location}")

    def prepare(self, location: str) -> None:
        """Make the folders that DuckDB expects to find; an object store has none."""
        if self.store(location) is None:
            locations.prepare(location)

    def release(self, location: str) -> None:
        """Remove the empty folders of a table that was not made after all."""
        if self.store(location) is None:
            locations.release(location)

    def purge(self, location: str) -> None:
        """Delete a table's files."""
        self._any(location).purge(location)

    def read(self, location: str) -> bytes:
        """A file's bytes; raises OSError."""
        return self._any(location).read(location)

    def size(self, location: str) -> int | None:
        """A file's size in bytes, None if there is none."""
        return self._any(location).size(location)

    def write_new(self, location: str, content: bytes) -> None:
        """Write a file under a fresh name; raises OSError."""
        store = self.store(location)
        if store is not None:
            store.write(location, content)
            return
        path = locations.path_of(location)
        try:
            descriptor = path.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = path.open("xb")
        with descriptor as file:
            file.write(content)

    def remove(self, location: str) -> None:
        """Delete one file; one that is not there is no error."""
        self._any(location).remove(location)

    def _any(self, location: str) -> Storage:
        store = self.store(location)
        if store is None:
            locations.path_of(location)  # told as the API tells it
        return store or _FILES
