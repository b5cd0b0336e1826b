r"""Names of namespaces, tables and views: how they travel in URLs and how they are stored.

In a URL the levels of a namespace are joined by the unit separator (`%1F`), each part percent-encoded. In the database
SqlCatalog joins levels with dots, which makes `a.b` ambiguous; a dot inside a level is therefore stored as `%2E` (and a
percent sign as `%25`), so ordinary names stay readable to a plain SqlCatalog and no two namespaces share a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from floe_dev.catalogs.rest.errors import ApiError, bad_request

Namespace = tuple[str, ...]

UNIT_SEPARATOR = "\x1f"
MAX_LEVEL_CHARACTERS = 255
MAX_LEVELS = 32


def check_name(name: Any, what: str = "name") -> str:
    """The name, if it can be one; 400 otherwise."""
    if not isinstance(name, str):
        raise bad_request(f"{what} must be a string")
    if not name:
        raise bad_request(f"{what} must not be empty")
    if len(name) > MAX_LEVEL_CHARACTERS:
        raise bad_request(f"{what} is longer than {MAX_LEVEL_CHARACTERS} characters")
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in name):
        raise bad_request(f"{what} contains control characters")
    # Polaris refuses it too: a name accepted here must be accepted in production.
    if "/" in name:
        raise ApiError(400, "IllegalArgumentException", f"Entity name must not contain '/': {name}")
    return name


def check_namespace(levels: Any) -> Namespace:
    """The levels from a request body, checked; 400 if this is no namespace."""
    if not isinstance(levels, list):
        raise bad_request("namespace must be a list of strings")
    if not levels:
        raise bad_request("namespace must have at least one level")
    if len(levels) > MAX_LEVELS:
        raise bad_request(f"namespace has more than {MAX_LEVELS} levels")
    return tuple(check_name(level, "namespace level") for level in levels)


def namespace_from_url(text: str) -> Namespace:
    """The levels of a decoded path segment or query value; names that cannot exist are simply not found later."""
    return tuple(text.split(UNIT_SEPARATOR))


def key(namespace: Sequence[str]) -> str:
    """The database form of a namespace."""
    return ".".join(level.replace("%", "%25").replace(".", "%2E") for level in namespace)


def levels(stored: str) -> Namespace:
    """The namespace behind a database form."""
    return tuple(level.replace("%2E", ".").replace("%25", "%") for level in stored.split("."))


def dotted(namespace: Sequence[str], name: str | None = None) -> str:
    """The form used in messages."""
    return ".".join((*namespace, name) if name is not None else namespace)
