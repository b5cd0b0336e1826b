"""Typed access to the parts of a JSON body; a missing or wrong-typed one is a 400 that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from floe_dev.catalogs.rest.errors import bad_request
from floe_dev.catalogs.rest.names import check_name, check_namespace


def optional_text(body: Mapping[str, Any], key: str) -> str | None:
    """The string at `key`, None if absent or null."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"Invalid {key}: must be a string")
    return value


def text(body: Mapping[str, Any], key: str) -> str:
    """The non-empty string at `key`."""
    value = optional_text(body, key)
    if not value:
        raise bad_request(f"Invalid {key}: a non-empty string is required")
    return value


def flag(body: Mapping[str, Any], key: str) -> bool:
    """The boolean at `key`, False if absent or null."""
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"Invalid {key}: must be a boolean")
    return bool(value)


def optional_object(body: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """The object at `key`, None if absent or null."""
    value = body.get(key)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"Invalid {key}: must be an object")
    return value


def required_object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object at `key`."""
    value = optional_object(body, key)
    if value is None:
        raise bad_request(f"Invalid {key}: null")
    return value


def items(body: Mapping[str, Any], key: str) -> list[Any]:
    """The array at `key`, empty if absent or null."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"Invalid {key}: must be an array")
    return value


def texts(body: Mapping[str, Any], key: str) -> list[str]:
    """The array of strings at `key`, empty if absent or null."""
    value = items(body, key)
    if not all(isinstance(item, str) for item in value):
        raise bad_request(f"Invalid {key}: must be an array of strings")
    return value


def objects(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The array of objects at `key`, empty if absent or null."""
    value = items(body, key)
    if not all(isinstance(item, dict) for item in value):
        raise bad_request(f"Invalid {key}: must be an array of objects")
    return value


def properties(body: Mapping[str, Any], key: str = "properties") -> dict[str, str]:
    """The map of strings to strings at `key`, empty if absent or null."""
    value = optional_object(body, key) or {}
    if not all(isinstance(item, str) for item in value.values()):
        raise bad_request(f"Invalid {key}: values must be strings")
    return value


def new_name(body: Mapping[str, Any], key: str = "name") -> str:
    """The string at `key`, fit to be the name of something new."""
    return check_name(text(body, key))


def namespace(body: Mapping[str, Any], key: str = "namespace") -> tuple[str, ...]:
    """The array of levels at `key`; 400 if it is not an array of non-empty strings."""
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(level, str) for level in value):
        raise bad_request(f"Invalid {key}: must be an array of strings")
    return check_namespace(value)


def identifier(body: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """A TableIdentifier: its namespace and name."""
    return namespace(body), text(body, "name")
