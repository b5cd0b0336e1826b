"""Where tables lie: file locations, which of them a catalog allows, and the folders behind them.

A location is text and is compared as text (`file:///a/b`), never decoded: PyArrow and DuckDB take what follows
`file://` literally, spaces and percent signs included.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from floe_dev.catalogs.rest.errors import ApiError, bad_request, forbidden, invalid

MAX_CHARACTERS = 900
# ASCII only: DuckDB 1.5.5 cannot DELETE from files whose path has other characters.
_SAFE = re.compile(r"[^\w.\-=]", re.ASCII)


def normalize(location: object) -> str:
    """`file:///abs/path` without a trailing slash, from the spellings clients use; 400 if it is no location."""
    if not isinstance(location, str) or not location or len(location) > MAX_CHARACTERS:
        raise bad_request("location must be a URI of reasonable length")
    if location.startswith("/"):
        location = "file://" + location
    elif location.startswith("file:/") and not location.startswith("file://"):
        location = "file://" + location.removeprefix("file:")
    scheme, separator, rest = location.partition("://")
    if not separator or not scheme:
        raise bad_request(f"location is not an absolute URI: {location}")
    if "?" in rest or "#" in rest:
        # PyIceberg parses locations as URLs and would read another file.
        raise bad_request(f"location must not contain ? or #: {location}")
    segments = rest.split("/")
    if any(segment in {".", ".."} for segment in segments) or any(ord(c) < 0x20 for c in rest):
        raise forbidden(f"Invalid location: {location}")
    if scheme == "file" and segments[0]:
        raise forbidden(f"Invalid location, a file URI names no host: {location}")
    return f"{scheme}://{re.sub('/+', '/', rest).rstrip('/')}"


def within(location: str, base: str) -> bool:
    """Whether a normalized location is `base` or lies below it."""
    return location == base or location.startswith(base + "/")


def overlap(one: str, other: str) -> bool:
    """Whether one lies in the other."""
    return within(one, other) or within(other, one)


def check_allowed(location: object, allowed: Sequence[str], identifier: str) -> str:
    """The normalized location; 403 unless it lies below one of the allowed ones."""
    normal = normalize(location)
    # Exactly an allowed location is refused too: a table that owns the catalog's root would take all others with it.
    if not any(within(normal, base) and normal != base for base in allowed):
        raise forbidden(
            f"Invalid locations '[{location}]' for identifier '{identifier}': {location} is not in the list of allowed "
            f"locations: [{', '.join(allowed)}]"
        )
    return normal


def path_of(location: str) -> Path:
    """The local path of a normalized file location."""
    if not location.startswith("file:///"):
        raise invalid(f"This server keeps tables in files only, not at {location}")
    path = location.removeprefix("file://")
    if len(path.encode()) > 4000:
        raise invalid("location is too long")
    return Path(path)


def folder_name(name: str) -> str:
    """A name as a path segment that every engine reads alike: odd characters replaced, then told apart by a digest."""
    safe = _SAFE.sub("_", name)
    if safe == name and not name.startswith(".") and len(name.encode()) < 200:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{safe.lstrip('.')[:60]}-{digest}"


def claim(location: str) -> str:
    """Make the folder of a new table and return its location; one already there is left alone, the new gets a suffix.

    The folder remains after a rename or a drop without purge, and its files must never mix with a new table's.
    """
    for _ in range(5):
        path = path_of(location)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError:
            location = with_suffix(location)
            continue
        prepare(location)
        return location
    raise ApiError(503, "ServiceUnavailableException", f"No free folder for {location}")


def with_suffix(location: str) -> str:
    """Another location beside this one."""
    return f"{location}-{uuid.uuid4().hex[:8]}"


def prepare(location: str) -> None:
    """Make the folders that DuckDB expects to find."""
    path = path_of(location)
    for name in ("data", "metadata"):
        (path / name).mkdir(parents=True, exist_ok=True)


def release(location: str) -> None:
    """Remove the empty folders of a table that was not made after all."""
    path = path_of(location)
    for folder in (path / "data", path / "metadata", path):
        with contextlib.suppress(OSError):
            folder.rmdir()
