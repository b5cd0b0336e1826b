"""A model's `partition_by`, `sort_order` and `table_properties`, and how a table is made to fit them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, Transform, parse_transform

from floe_dev.dbt.adapter.partitions import unsupported

_CALL = re.compile(r"^(\w+)\((.*)\)$")
_SORT = re.compile(r"^(.*?)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?$", re.IGNORECASE)
_PLURALS = {"years": "year", "months": "month", "days": "day", "hours": "hour"}
_OF_TIME = ("year", "month", "day", "hour")
#: Transforms that take a number besides the column, in either order, and what they add to the field's name.
_NUMBERED = {"truncate": "trunc", "bucket": "bucket"}


class LayoutError(ValueError):
    """A model configuration that cannot be understood; the message says which and what is expected."""


@dataclass(frozen=True)
class PartitionBy:
    """One partition field: a column and Iceberg's name of the transform."""

    column: str
    transform: str

    def iceberg(self) -> Transform[Any, Any]:
        """The transform as PyIceberg has it."""
        return parse_transform(self.transform)

    @property
    def name(self) -> str:
        """The field's name, in the convention of Iceberg's engines (`ordered_at_day`, `customer_bucket_16`)."""
        kind, _, number = self.transform.rstrip("]").partition("[")
        if kind == "identity":
            return self.column
        # The number is part of it: a field with another one cannot take the name of a field that was.
        return f"{self.column}_{_NUMBERED[kind]}_{number}" if number else f"{self.column}_{kind}"


@dataclass(frozen=True)
class SortBy:
    """One sort field."""

    column: str
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class TableLayout:
    """How a model wants its table laid out. None for partition or sort means: leave the table's as it is."""

    partition_by: tuple[PartitionBy, ...] | None = None
    sort_by: tuple[SortBy, ...] | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    #: Columns that a contract's not_null constraint makes required.
    required: frozenset[str] = frozenset()
    #: Column descriptions, where `persist_docs.columns` is on.
    docs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        partition_by: Any,
        sort_order: Any,
        properties: Mapping[str, Any] | None,
        required: frozenset[str] = frozenset(),
        docs: Mapping[str, str] | None = None,
    ) -> TableLayout:
        """From the model's configuration; raises LayoutError."""
        return cls(
            partition_by=None if partition_by is None else tuple(_partition(text) for text in _list(partition_by)),
            sort_by=None if sort_order is None else tuple(_sort(text) for text in _list(sort_order)),
            properties={key: _text(value) for key, value in (properties or {}).items()},
            required=required,
            docs=docs or {},
        )

    def spec(self, schema: Schema) -> PartitionSpec:
        """The partition spec over `schema`; raises LayoutError for an unknown column or a type that does not fit."""
        fields = []
        for index, by in enumerate(self.partition_by or ()):
            field_id = _field_id(schema, by.column)
            reason = unsupported(by.transform, schema.find_type(field_id))
            if reason is not None:
                raise LayoutError(f"FLOE4003: partition_by {by.transform} of the column {by.column!r}: {reason}")
            fields.append(PartitionField(field_id, PARTITION_FIELD_ID_START + index, by.iceberg(), by.name))
        return PartitionSpec(*fields)

    def order(self, schema: Schema) -> SortOrder:
        """The sort order over `schema`; raises LayoutError for an unknown column."""
        fields = [
            SortField(
                source_id=_field_id(schema, by.column),
                transform=IdentityTransform(),
                direction=SortDirection.DESC if by.descending else SortDirection.ASC,
                null_order=NullOrder.NULLS_FIRST if by.nulls_first else NullOrder.NULLS_LAST,
            )
            for by in self.sort_by or ()
        ]
        return SortOrder(*fields, order_id=1 if fields else 0)


def apply_layout(transaction: Transaction, layout: TableLayout) -> None:
    """Evolve spec, sort order and properties of an existing table where the model says otherwise."""
    metadata = transaction.table_metadata
    schema = metadata.schema()
    if layout.partition_by is not None:
        wanted = layout.spec(schema)
        if not metadata.spec().compatible_with(wanted):
            current = {(f.source_id, str(f.transform)): f.name for f in metadata.spec().fields}
            keep = {(f.source_id, str(f.transform)) for f in wanted.fields}
            with transaction.update_spec() as update:
                for key, name in current.items():
                    if key not in keep:
                        update.remove_field(name)
                for by, field_ in zip(layout.partition_by, wanted.fields, strict=True):
                    if (field_.source_id, str(field_.transform)) not in current:
                        update.add_field(by.column, by.iceberg(), by.name)
    if layout.sort_by is not None:
        order = layout.order(schema)
        current_order = metadata.sort_order_by_id(metadata.default_sort_order_id)
        if current_order is None or list(current_order.fields) != list(order.fields):
            with transaction.update_sort_order() as sorting:
                for sort in layout.sort_by:
                    add = sorting.desc if sort.descending else sorting.asc
                    nulls = NullOrder.NULLS_FIRST if sort.nulls_first else NullOrder.NULLS_LAST
                    add(sort.column, IdentityTransform(), nulls)
    changed = {key: value for key, value in layout.properties.items() if metadata.properties.get(key) != value}
    if changed:
        transaction.set_properties(changed)


def _partition(text: str) -> PartitionBy:
    match = _CALL.match(text.strip())
    if match is None:
        return PartitionBy(text.strip(), "identity")
    kind = _PLURALS.get(match.group(1).lower(), match.group(1).lower())
    arguments = [part.strip() for part in match.group(2).split(",")]
    if kind in _NUMBERED and len(arguments) == 2:
        numbers = [int(a) for a in arguments if a.isdecimal()]
        columns = [a for a in arguments if not a.isdecimal()]
        if len(columns) == 1 and numbers[0] in range(1, 2**31):
            return PartitionBy(columns[0], f"{kind}[{numbers[0]}]")
    if kind in ("identity", *_OF_TIME) and len(arguments) == 1:
        return PartitionBy(arguments[0], kind)
    raise LayoutError(
        f"FLOE4003: partition_by {text!r} is not understood: write a column, or one of year(c), month(c), day(c), "
        "hour(c), truncate(n, c), bucket(n, c) with n from 1"
    )


def _sort(text: str) -> SortBy:
    match = _SORT.match(text.strip())
    if match is None or not match.group(1):
        raise LayoutError(
            f"FLOE4003: sort_order {text!r} is not understood: write `column [asc|desc] [nulls first|last]`"
        )
    descending = (match.group(2) or "asc").lower() == "desc"
    nulls = (match.group(3) or ("last" if descending else "first")).lower()
    return SortBy(match.group(1), descending, nulls == "first")


def _field_id(schema: Schema, column: str) -> int:
    try:
        return schema.find_field(column).field_id
    except ValueError:
        names = ", ".join(field_.name for field_ in schema.fields)
        raise LayoutError(
            f"FLOE4003: the model has no column {column!r} to partition or sort by; its columns are: {names}"
        ) from None


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    raise LayoutError(f"FLOE4003: {value!r} is not a string or a list of strings")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
