"""What the server owes a commit's updates before PyIceberg applies them: ids given out, repetitions taken out.

The specification lets the server number schemas, partition specs and sort orders, with -1 for the one added last; a
client may offer a number that is taken, or something that is there already. PyIceberg's `update_table_metadata` trusts
the client's numbers (it is that client), so they are settled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from floe_dev.catalogs.rest.errors import commit_failed, invalid
from floe_dev.catalogs.rest.server import now_ms

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata

LAST_ADDED = -1


class _Numbers:
    """The ids of one kind of thing during a commit."""

    def __init__(self, existing: Iterable[Any], id_of: Callable[[Any], int], body: Callable[[Any], Any]) -> None:
        self._known = {id_of(item): body(item) for item in existing}
        self._body = body
        self._moved: dict[int, int] = {}
        self._last: int | None = None

    def add(self, item: Any, offered: int, reserved: int | None = None) -> tuple[int, bool]:
        """The id of an added thing, and whether it is new; `reserved` is an id with a fixed meaning."""
        body = self._body(item)
        same = next((number for number, known in self._known.items() if known == body), None)
        if same is not None:
            number, new = same, False
        elif reserved is not None:
            number, new = reserved, True
        else:
            taken = offered in self._known or offered < 0
            number, new = (max(self._known, default=-1) + 1 if taken else offered), True
        self._known[number] = body
        self._moved[offered] = self._last = number
        return number, new

    def resolve(self, number: int, what: str) -> int:
        """The id that a later update of the same commit means."""
        if number == LAST_ADDED:
            if self._last is None:
                raise invalid(f"Cannot set the last added {what}: none was added")
            return self._last
        return self._moved.get(number, number)


def settle(base: TableMetadata | None, updates: tuple[Any, ...]) -> tuple[Any, ...]:
    """The updates as they are to be applied; 400 where one makes no sense, 409 where another commit was faster."""
    schemas = _Numbers(
        base.schemas if base else (), lambda s: s.schema_id, lambda s: (s.fields, s.identifier_field_ids)
    )
    specs = _Numbers(base.partition_specs if base else (), lambda s: s.spec_id, lambda s: s.fields)
    orders = _Numbers(base.sort_orders if base else (), lambda o: o.order_id, lambda o: o.fields)
    properties = set(base.properties) if base else set()
    settled: list[Any] = []
    for update in updates:
        change: dict[str, Any] = {}
        match update.action:
            case "assign-uuid" if base is not None and update.uuid != base.table_uuid:
                raise invalid("The UUID of a table cannot be changed")
            case "add-schema":
                number, new = schemas.add(update.schema_, update.schema_.schema_id)
                if not new:
                    continue
                change = {"schema_": update.schema_.model_copy(update={"schema_id": number})}
            case "set-current-schema":
                change = {"schema_id": schemas.resolve(update.schema_id, "schema")}
            case "add-spec":
                number, new = specs.add(update.spec, update.spec.spec_id)
                if not new:
                    continue
                change = {"spec": update.spec.model_copy(update={"spec_id": number})}
            case "set-default-spec":
                change = {"spec_id": specs.resolve(update.spec_id, "partition spec")}
            case "add-sort-order":
                order = update.sort_order
                number, new = orders.add(order, order.order_id, None if order.fields else 0)
                if not new:
                    continue
                change = {"sort_order": order.model_copy(update={"order_id": number})}
            case "set-default-sort-order":
                change = {"sort_order_id": orders.resolve(update.sort_order_id, "sort order")}
            case "set-properties":
                properties |= set(update.updates)
            case "remove-properties":
                change = {"removals": [key for key in dict.fromkeys(update.removals) if key in properties]}
                properties -= set(update.removals)
            case "add-snapshot":
                snapshot = update.snapshot
                if base is not None:
                    _demand_timely(base, snapshot)
                if snapshot.schema_id is not None:
                    number = schemas.resolve(snapshot.schema_id, "schema")
                    change = {"snapshot": snapshot.model_copy(update={"schema_id": number})}
        settled.append(update.model_copy(update=change) if change else update)
    return tuple(settled)


def _demand_timely(base: TableMetadata, snapshot: Any) -> None:
    """409 for a snapshot made on an older state, which the client can remake; PyIceberg would call it malformed."""
    from pyiceberg.table.metadata import TableMetadataV2

    if any(known.snapshot_id == snapshot.snapshot_id for known in base.snapshots):
        raise commit_failed(f"Requirement failed: snapshot {snapshot.snapshot_id} is there already")
    late = (
        isinstance(base, TableMetadataV2)
        and snapshot.parent_snapshot_id is not None
        and snapshot.sequence_number is not None
        and snapshot.sequence_number <= base.last_sequence_number
    )
    if late:
        raise commit_failed(
            f"Requirement failed: sequence number {snapshot.sequence_number} is not after the table's last: "
            "another commit came first"
        )


def apply_updates(base: TableMetadata | None, updates: tuple[Any, ...], location: str | None) -> TableMetadata:
    """New metadata from settled updates; `location` is where `base` is. Raises what PyIceberg raises.

    PyIceberg's `update_table_metadata` without its closing deep copy, which is six sevenths of a commit to a table of a
    hundred snapshots (9.4 ms against 1.4). It guards callers that change models in place; here nobody does.
    """
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadataUtil, TableMetadataV1
    from pyiceberg.table.update import (
        _apply_table_update,
        _TableMetadataUpdateContext,
        _update_table_metadata_log,
    )

    start = base if base is not None else TableMetadataV1.model_construct(last_column_id=-1, schema=Schema())
    context = _TableMetadataUpdateContext()
    metadata = start
    for update in updates:
        metadata = _apply_table_update(update, metadata, context)
    if location is not None:
        metadata = _update_table_metadata_log(metadata, location, start.last_updated_ms)
    if metadata.last_updated_ms == start.last_updated_ms:
        metadata = metadata.model_copy(update={"last_updated_ms": now_ms()})
    metadata.spec().check_compatible(metadata.schema())
    metadata.sort_order().check_compatible(metadata.schema())
    return metadata if base is not None else TableMetadataUtil.parse_obj(metadata.model_dump())
