"""Metadata files: written once under a fresh name, never changed, so bytes and parsed models are cached by location.

PyIceberg's models validate and apply commits; importing them takes 0.3 s, so this module does it on first use, and the
server warms it up after it has begun to listen. Loading a table needs no model at all: the file's bytes are the answer.
"""

from __future__ import annotations

import gzip
import json
import threading
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from floe_dev.catalogs.rest import locations
from floe_dev.catalogs.rest.errors import ApiError, bad_request, invalid
from floe_dev.catalogs.rest.folders import Folders

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A least-recently-used map with a bound on the sum of its weights, safe for threads."""

    def __init__(self, capacity: int) -> None:
        """`capacity` in the unit of the weights given to `put`."""
        self._capacity = capacity
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, now the most recently used, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep a value, dropping the least recently used ones over the bound."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._weight += weight - (old[1] if old else 0)
            self._entries[key] = (value, weight)
            while self._weight > self._capacity and self._entries:
                _, (_, freed) = self._entries.popitem(last=False)
                self._weight -= freed


class MetadataFiles:
    """Reads and writes metadata files."""

    def __init__(self, folders: Folders) -> None:
        """Bounds: 16 MB of file bytes, and models of 4 MB of file bytes (a model takes some ten times its file)."""
        self._folders = folders
        self._bytes: Cache[str, bytes] = Cache(16 * 1024 * 1024)
        self._models: Cache[str, TableMetadata] = Cache(4 * 1024 * 1024)

    def read(self, location: str) -> bytes:
        """The JSON text of a metadata file; 503 if it is gone or damaged, since the catalog says it exists."""
        cached = self._bytes.get(location)
        if cached is not None:
            return cached
        try:
            content = self._folders.read(locations.normalize(location))
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
            # Later it is sent as it is, into the middle of an answer.
            json.loads(content)
        except (OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
            raise ApiError(503, "ServiceUnavailableException", f"Cannot read metadata {location}: {error}") from None
        self._bytes.put(location, content, len(content))
        return content

    def offered(self, location: str, given: str, limit: int) -> bytes:
        """The JSON text of a file that a client wants registered; 400 if it cannot be.

        Not 404 for a missing one: here that means a missing namespace, and clients say so.
        """
        size = self._folders.size(location)
        if size is None:
            raise bad_request(f"Metadata file does not exist: {given}")
        if size > limit:
            raise invalid(f"Metadata file is too large: {given}")
        try:
            return self.read(location)
        except ApiError as error:
            raise invalid(error.message) from None

    def model(self, location: str) -> TableMetadata:
        """The parsed table metadata; shared, so never to be changed in place."""
        cached = self._models.get(location)
        if cached is not None:
            return cached
        content = self.read(location)
        model = parse_model(content)
        self._models.put(location, model, len(content))
        return model

    def write(self, location: str, content: bytes, model: TableMetadata | None = None) -> None:
        """Write a new metadata file; its name is fresh, so nobody reads it before the catalog names it."""
        self._folders.write_new(location, content)
        self._bytes.put(location, content, len(content))
        if model is not None:
            self._models.put(location, model, len(content))

    def remove(self, location: str) -> None:
        """Delete a file that no commit came to name."""
        self._folders.remove(location)


def parse_model(content: bytes) -> TableMetadata:
    """Table metadata from JSON; 400 if it is none."""
    from pyiceberg.exceptions import ValidationError
    from pyiceberg.table.metadata import TableMetadataUtil

    try:
        return TableMetadataUtil.parse_raw(content.decode())
    except (ValidationError, ValueError) as error:
        raise invalid(f"Not table metadata: {_first_line(error)}") from None


def new_file(location: str, version: int, folder: str | None = None) -> str:
    """A fresh metadata file name of a table or view; `folder` is the table's `write.metadata.path`."""
    base = folder.rstrip("/") if folder else f"{location}/metadata"
    return f"{base}/{version:05d}-{uuid.uuid4()}.metadata.json"


def next_version(metadata_location: str) -> int:
    """The number after the one in a metadata file's name; 1 if that has none."""
    digits = metadata_location.rsplit("/", 1)[-1].partition("-")[0].removeprefix("v").partition(".")[0]
    return int(digits) + 1 if digits.isdigit() and len(digits) < 10 else 1


#: What PyIceberg raises on metadata that does not hang together, StopIteration for a schema or spec that is not there.
_REFUSALS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RecursionError,
    StopIteration,
)


def validated(make: Callable[[], V]) -> V:
    """Run PyIceberg code on a client's values: its refusals become 400, failed requirements 409."""
    from pydantic import ValidationError as PydanticError
    from pyiceberg.exceptions import CommitFailedException, ValidationError

    try:
        return make()
    except CommitFailedException as error:
        raise ApiError(409, "CommitFailedException", _requirement(str(error))) from None
    except PydanticError as error:
        raise bad_request(f"Malformed request: {_first_error(error)}") from None
    except NotImplementedError as error:
        raise ApiError(406, "UnsupportedOperationException", str(error)) from None
    except _REFUSALS as error:
        raise invalid(_first_line(error)) from None
    except ValidationError as error:
        raise invalid(_first_line(error)) from None


def loaded(
    metadata_location: str | None, content: bytes, config: dict[str, str], credentials: Sequence[Any] = ()
) -> bytes:
    """A LoadTableResult (or LoadViewResult) around metadata bytes, without parsing them.

    `credentials` are its storage credentials, told where one set in `config` is not enough.
    """
    start = b"{" if metadata_location is None else b'{"metadata-location":' + _dump(metadata_location) + b","
    more = b',"storage-credentials":' + _dump(credentials) if credentials else b""
    return b"".join((start, b'"metadata":', content, b',"config":', _dump(config), more, b"}"))


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:500]


def _first_error(error: Any) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in details["loc"])
    return f"{place}: {details['msg']}" if place else str(details["msg"])


def _requirement(message: str) -> str:
    return message if message.startswith("Requirement failed") else f"Requirement failed: {message}"
