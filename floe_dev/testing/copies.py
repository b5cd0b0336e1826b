"""Tables entered a second time: the same data files under an entry of their own, so a copy costs one commit.

A commit with `assert-create` carries a table's whole metadata (schemas, partition specs, sort orders, snapshots,
properties). The copy's folder is its own: what is written to it, or purged with it, is never the original's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

#: Properties that say where a table's files go; a copy has places of its own.
_PLACES = ("write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path")


def create_change(
    metadata: Mapping[str, Any], namespace: Iterable[str], name: str, location: str, *, keep_uuid: bool = False
) -> dict[str, Any]:
    """The part of a transaction that enters a table with this metadata (as the REST catalog tells it)."""
    properties = {key: value for key, value in (metadata.get("properties") or {}).items() if key not in _PLACES}
    updates: list[dict[str, Any]] = [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"] if keep_uuid else str(uuid.uuid4())},
        {"action": "upgrade-format-version", "format-version": metadata["format-version"]},
        *({"action": "add-schema", "schema": schema} for schema in _by_id(metadata["schemas"], "schema-id")),
        {"action": "set-current-schema", "schema-id": metadata["current-schema-id"]},
        *({"action": "add-spec", "spec": spec} for spec in _by_id(metadata["partition-specs"], "spec-id")),
        {"action": "set-default-spec", "spec-id": metadata["default-spec-id"]},
        *({"action": "add-sort-order", "sort-order": order} for order in _by_id(metadata["sort-orders"], "order-id")),
        {"action": "set-default-sort-order", "sort-order-id": metadata["default-sort-order-id"]},
        {"action": "set-location", "location": location},
    ]
    if properties:
        updates.append({"action": "set-properties", "updates": properties})
    snapshots = sorted(metadata.get("snapshots") or (), key=lambda each: each.get("sequence-number", 0))
    updates += ({"action": "add-snapshot", "snapshot": snapshot} for snapshot in snapshots)
    updates += (
        {"action": "set-snapshot-ref", "ref-name": ref, **value} for ref, value in (metadata.get("refs") or {}).items()
    )
    return {
        "identifier": {"namespace": list(namespace), "name": name},
        "requirements": [{"type": "assert-create"}],
        "updates": updates,
    }


def restore_change(now: Mapping[str, Any], then: Mapping[str, Any], name: str, space: list[str]) -> dict[str, Any]:
    """The part of a transaction that takes a table from its metadata `now` back to `then`, earlier metadata of it."""
    gone_refs = sorted((now.get("refs") or {}).keys() - (then.get("refs") or {}).keys())
    updates: list[dict[str, Any]] = [{"action": "remove-snapshot-ref", "ref-name": ref} for ref in gone_refs]
    updates += (
        {"action": "set-snapshot-ref", "ref-name": ref, **value}
        for ref, value in (then.get("refs") or {}).items()
        if (now.get("refs") or {}).get(ref) != value
    )
    for key, action, told in (
        ("current-schema-id", "set-current-schema", "schema-id"),
        ("default-spec-id", "set-default-spec", "spec-id"),
        ("default-sort-order-id", "set-default-sort-order", "sort-order-id"),
    ):
        if now[key] != then[key]:
            updates.append({"action": action, told: then[key]})
    before, after = then.get("properties") or {}, now.get("properties") or {}
    if gone := sorted(after.keys() - before.keys()):
        updates.append({"action": "remove-properties", "removals": gone})
    if changed := {key: value for key, value in before.items() if after.get(key) != value}:
        updates.append({"action": "set-properties", "updates": changed})
    return {
        "identifier": {"namespace": space, "name": name},
        "requirements": [{"type": "assert-table-uuid", "uuid": now["table-uuid"]}],
        "updates": updates,
    }


def _by_id(items: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: int(item[key]))
