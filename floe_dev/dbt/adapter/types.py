"""DuckDB's types as Iceberg's, and the cast where Iceberg has no such type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_SAME: dict[str, Callable[[], IcebergType]] = {
    "boolean": BooleanType,
    "integer": IntegerType,
    "bigint": LongType,
    "float": FloatType,
    "double": DoubleType,
    "varchar": StringType,
    "blob": BinaryType,
    "date": DateType,
    "time": TimeType,
    "timestamp": TimestampType,
    "timestamp with time zone": TimestamptzType,
    "uuid": UUIDType,
}
#: Types that Iceberg (format 2) has not: what they are stored as, and how DuckDB casts to it.
_WIDENED: dict[str, tuple[Callable[[], IcebergType], str]] = {
    "tinyint": (IntegerType, "INTEGER"),
    "smallint": (IntegerType, "INTEGER"),
    "utinyint": (IntegerType, "INTEGER"),
    "usmallint": (IntegerType, "INTEGER"),
    "uinteger": (LongType, "BIGINT"),
    "ubigint": (lambda: DecimalType(20, 0), "DECIMAL(20,0)"),
    "hugeint": (lambda: DecimalType(38, 0), "DECIMAL(38,0)"),
    "uhugeint": (lambda: DecimalType(38, 0), "DECIMAL(38,0)"),
    "timestamp_s": (TimestampType, "TIMESTAMP"),
    "timestamp_ms": (TimestampType, "TIMESTAMP"),
    "timestamp_ns": (TimestampType, "TIMESTAMP"),
    "enum": (StringType, "VARCHAR"),
    '"null"': (IntegerType, "INTEGER"),
    "null": (IntegerType, "INTEGER"),
}


class UnsupportedTypeError(ValueError):
    """A DuckDB type that Iceberg cannot hold and that has no obvious stand-in."""


@dataclass(frozen=True)
class Column:
    """A result column: its name, its Iceberg type, and the DuckDB type to cast to (None where it fits as it is)."""

    name: str
    type: IcebergType
    cast: str | None


def columns_of(names: list[str], types: list[DuckDBPyType]) -> list[Column]:
    """Each column of a DuckDB result; raises UnsupportedTypeError naming the column."""
    result = []
    for name, duckdb_type in zip(names, types, strict=True):
        counter = iter(range(1, 1_000_000))
        iceberg, cast = _convert(name, duckdb_type, lambda c=counter: next(c))  # type: ignore[misc]
        result.append(Column(name, iceberg, cast if cast != _spelled(duckdb_type) else None))
    return result


def _spelled(duckdb_type: Any) -> str:
    return str(duckdb_type)


def _convert(name: str, duckdb_type: Any, field_id: Callable[[], int]) -> tuple[IcebergType, str]:
    """The Iceberg type and the DuckDB spelling it is written as. Field ids are placeholders, assigned on commit."""
    kind = duckdb_type.id
    spelled = _spelled(duckdb_type)
    if kind == "decimal":
        parts = dict(duckdb_type.children)
        return DecimalType(parts["precision"], parts["scale"]), spelled
    if kind == "list" or kind == "array":
        element, cast = _convert(name, duckdb_type.children[0][1], field_id)
        return ListType(field_id(), element, element_required=False), f"{cast}[]"
    if kind == "map":
        children = dict(duckdb_type.children)
        key, key_cast = _convert(name, children["key"], field_id)
        value, value_cast = _convert(name, children["value"], field_id)
        iceberg = MapType(field_id(), key, field_id(), value, value_required=False)
        return iceberg, f"MAP({key_cast}, {value_cast})"
    if kind == "struct":
        fields, casts = [], []
        for child_name, child_type in duckdb_type.children:
            child, cast = _convert(f"{name}.{child_name}", child_type, field_id)
            fields.append(NestedField(field_id(), child_name, child, required=False))
            casts.append(f'"{child_name}" {cast}')
        return StructType(*fields), f"STRUCT({', '.join(casts)})"
    if spelled == "JSON":
        return StringType(), "VARCHAR"
    if kind in _WIDENED:
        make, cast = _WIDENED[kind]
        return make(), cast
    if kind in _SAME:
        return _SAME[kind](), spelled
    raise UnsupportedTypeError(
        f"the column {name!r} has DuckDB's type {spelled}, which Iceberg does not have: cast it in the model, "
        f'for example `"{name}"::varchar`'
    )
