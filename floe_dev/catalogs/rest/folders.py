"""Where a table's files go, on this machine or in an object store: told apart by the location's scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from floe_dev.catalogs.rest import locations
from floe_dev.catalogs.rest.errors import ApiError, invalid
from floe_dev.catalogs.rest.settings import StoreAccess
from floe_dev.storage.base import Storage
from floe_dev.storage.files import FileStorage

_FILES = FileStorage()


@dataclass(frozen=True)
class StoreConfig:
    """Where a catalog's objects are: the store's URL for clients, and for this server, which may be in a network."""

    endpoint: str
    internal: str
    region: str
    path_style: bool
    #: Whether the store gives out keys for a while (STS).
    vends: bool


def is_object(location: str) -> bool:
    """Whether a location lies in an object store."""
    return location.startswith("s3://")


class Folders:
    """Makes, checks and deletes the places of tables; raises ApiError 400 for a kind of store there is none of."""

    def __init__(self, access: StoreAccess | None) -> None:
        """`access` opens the stores of `s3://` locations; without one there are files only."""
        self._access = access
        self._configs: dict[str, StoreConfig] = {}
        self._stores: dict[StoreConfig, Storage] = {}

    def learn(self, allowed: Sequence[str], storage: Mapping[str, Any]) -> None:
        """Take note of how a catalog keeps what is below its allowed locations; 400 for a store there is none of.

        Called with what the database says at every request: another server may have changed it.
        """
        if storage.get("storageType") != "S3":
            return
        if self._access is None:
            raise invalid(f"This server keeps tables in files only, not at {allowed[0]}")
        endpoint = storage.get("endpoint") or self._access.endpoint
        internal = storage.get("endpointInternal") or self._access.endpoint or endpoint
        if endpoint is None or internal is None:
            raise invalid("The storage configuration needs an endpoint: this server knows of no object store")
        config = StoreConfig(
            endpoint=endpoint,
            internal=internal,
            region=storage.get("region") or self._access.region,
            path_style=bool(storage.get("pathStyleAccess", True)),
            vends=not storage.get("stsUnavailable", False),
        )
        for location in allowed:
            self._configs[location] = config

    def config(self, location: str) -> StoreConfig | None:
        """The store of a location as clients should be told of it; None for a file's."""
        if not is_object(location):
            return None
        if self._access is None:
            raise invalid(f"This server keeps tables in files only, not at {location}")
        while location not in self._configs:
            location, _, _ = location.rpartition("/")
            if not location:
                raise ApiError(503, "ServiceUnavailableException", "No catalog keeps objects there any more")
        return self._configs[location]

    def store(self, location: str) -> Storage | None:
        """The object store of a location; None for a file's."""
        config = self.config(location)
        if config is None:
            return None
        known = self._stores.get(config)
        if known is None:
            from floe_dev.storage.minio import MinioStorage

            assert self._access is not None
            known = self._stores[config] = MinioStorage(config.internal, self._access.credential, config.region)
        return known

    def make_base(self, location: str) -> None:
        """Make the place of a whole catalog; a bucket is not made here, only looked for with the first table."""
        if not is_object(location):
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
