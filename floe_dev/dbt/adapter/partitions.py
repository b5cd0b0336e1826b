"""Partition values: how DuckDB computes them, and how they read back from the names of the folders it writes.

DuckDB writes a file for each partition into `<name>=<value>/`. Each value is computed as a number or a text that
survives that way unchanged: a moment as microseconds, bytes as hexadecimal digits, a decimal as its digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    PrimitiveType,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from floe_dev.dbt.adapter.buckets import hash_of_hex, hash_of_long

#: DuckDB's name for the null partition in a path (Hive's).
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def unsupported(transform: str, source: IcebergType) -> str | None:
    """Why a column of that type cannot be partitioned by this transform, None where it can."""
    if not isinstance(source, PrimitiveType) or not parse_transform(transform).can_transform(source):
        return f"Iceberg does not have it for the type {source}"
    if transform.startswith("bucket") and isinstance(source, DecimalType):
        return "buckets of a decimal are not written: take another column, or cast this one to a string"
    return None


def partition_expression(field: PartitionField, source: IcebergType, column: str) -> str:
    """The DuckDB expression of a partition field over `column`, an expression of the type `source`.

    `partition_record` is the way back.
    """
    kind, _, argument = str(field.transform).rstrip("]").partition("[")
    if kind in ("year", "month", "day", "hour"):
        # In UTC, whatever the session's time zone is.
        moment = f"make_timestamp(epoch_us({column}))" if isinstance(source, TimestamptzType) else column
        return f"date_diff('{kind}', TIMESTAMP '1970-01-01', CAST({moment} AS TIMESTAMP))"
    plain = _plain(column, source)
    if kind == "bucket":
        return f"CAST(({_hash(column, source)} & 2147483647) % {argument} AS INTEGER)"
    if kind == "truncate":
        width = int(argument)
        if isinstance(source, StringType):
            return f"left({plain}, {width})"
        if isinstance(source, BinaryType):
            return f"left({plain}, {2 * width})"
        return f"({plain} - ((({plain} % {width}) + {width}) % {width}))"
    return plain


def partition_record(folders: Sequence[str], spec: PartitionSpec, schema: Schema) -> Record:
    """The partition values of a file from the names of its folders (`__floe_partition_0=19723`)."""
    values: list[Any] = []
    for folder, field in zip(folders, spec.fields, strict=True):
        text = unquote(folder.partition("=")[2])
        kind = field.transform.result_type(schema.find_type(field.source_id))
        values.append(None if text == _NULL_PARTITION else _value(text, kind))
    return Record(*values)


def _plain(column: str, source: IcebergType) -> str:
    """A column as a number or text that reads back exactly."""
    match source:
        case DateType():
            return f"date_diff('day', DATE '1970-01-01', {column})"
        case TimeType() | TimestampType() | TimestamptzType():
            return f"epoch_us({column})"
        case DecimalType():
            return f"CAST(replace(CAST({column} AS VARCHAR), '.', '') AS HUGEINT)"
        case BinaryType():
            return f"hex({column})"
        case _:
            return column


def _hash(column: str, source: IcebergType) -> str:
    match source:
        case UUIDType():
            return hash_of_hex(f"replace(CAST({column} AS VARCHAR), '-', '')")
        case StringType():
            return hash_of_hex(f"hex(encode({column}))")
        case BinaryType():
            return hash_of_hex(f"hex({column})")
        case _:
            return hash_of_long(f"CAST({_plain(column, source)} AS BIGINT)")


def _value(text: str, kind: IcebergType) -> Any:
    match kind:
        case StringType():
            return text
        case BooleanType():
            return text == "true"
        case FloatType() | DoubleType():
            return float(text)
        case DecimalType():
            return Decimal(int(text)).scaleb(-kind.scale)
        case BinaryType():
            return bytes.fromhex(text)
        case UUIDType():
            return UUID(text)
        case _:
            return int(text)
