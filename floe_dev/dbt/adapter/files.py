"""DuckDB writes Parquet into a table's location; the files are described for the catalog, nothing is committed here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.types import ListType, MapType, NestedField, StructType

from floe_dev.compute.views import identifier
from floe_dev.dbt.adapter.partitions import partition_expression, partition_record
from floe_dev.dbt.adapter.store import FoundFile, duckdb_path, open_to_duckdb, parquet_files
from floe_dev.dbt.adapter.types import Column

_PARTITION_PREFIX = "__floe_partition_"


@dataclass(frozen=True)
class WrittenFiles:
    """New data files, not yet part of any snapshot."""

    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Rows over all files."""
        return sum(file.record_count for file in self.files)


def write_parquet(
    cursor: Any, sql: str, columns: Sequence[Column], metadata: TableMetadata, io: FileIO
) -> WrittenFiles:
    """COPY the result of `sql` into `<location>/data`, laid out by the table's partition spec and sort order.

    Columns are written in `columns`' order with the table's field ids. Raises duckdb.Error; files of a failed COPY are
    in no snapshot, so no reader ever sees them.
    """
    schema, spec = metadata.schema(), metadata.spec()
    folder = f"{metadata.location.rstrip('/')}/data/{uuid.uuid4()}"
    written = {column.name: _cast(column) for column in columns}
    select = ", ".join(f"{value} AS {identifier(name)}" for name, value in written.items())
    partition_columns = [f"{_PARTITION_PREFIX}{index}" for index, _ in enumerate(spec.fields)]
    for name, field in zip(partition_columns, spec.fields, strict=True):
        value = written[str(schema.find_column_name(field.source_id))]
        select += f", {partition_expression(field, schema.find_type(field.source_id), value)} AS {name}"
    options = ["FORMAT parquet", "COMPRESSION zstd", f"FIELD_IDS {{{_field_ids(schema, columns)}}}"]
    order = [identifier(name) for name in partition_columns] + list(_order(metadata))
    if partition_columns:
        options += [f"PARTITION_BY ({', '.join(partition_columns)})", "OVERWRITE_OR_IGNORE true"]
    else:
        # One file a thread; a sorted table is one file, since only one writer keeps the order.
        options.append("PER_THREAD_OUTPUT " + ("false" if order else "true"))
    single = not partition_columns and bool(order)
    target = f"{folder}.parquet" if single else folder
    open_to_duckdb(cursor, io, metadata.location)
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    select = f"SELECT {select} FROM ({sql}) AS floe_result{ordered}"
    cursor.execute(f"COPY ({select}) TO '{_quoted(duckdb_path(target))}' ({', '.join(options)})")
    return WrittenFiles(tuple(_describe(parquet_files(io, target, single=single), single, metadata)))


def _describe(found: Sequence[FoundFile], single: bool, metadata: TableMetadata) -> Iterator[DataFile]:
    schema, spec = metadata.schema(), metadata.spec()
    plan = compute_statistics_plan(schema, metadata.properties)
    mapping = parquet_path_to_id_mapping(schema)
    for file in found:
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=file.footer, stats_columns=plan, parquet_column_mapping=mapping
        )
        yield DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=file.location,
            file_format=FileFormat.PARQUET,
            partition=partition_record(file.relative.parts[:-1] if not single else (), spec, schema),
            file_size_in_bytes=file.size,
            sort_order_id=None,
            spec_id=spec.spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )


def _order(metadata: TableMetadata) -> Iterator[str]:
    order = metadata.sort_order_by_id(metadata.default_sort_order_id)
    for field in order.fields if order is not None else ():
        column = identifier(metadata.schema().find_column_name(field.source_id) or "")
        yield f"{column} {field.direction.name} {field.null_order.value.replace('-', ' ').upper()}"


def _cast(column: Column) -> str:
    name = identifier(column.name)
    return f"CAST({name} AS {column.cast})" if column.cast else name


def _field_ids(schema: Schema, columns: Sequence[Column]) -> str:
    fields = {field.name: field for field in schema.fields}
    return ", ".join(_field_id(fields[column.name]) for column in columns)


def _field_id(field: NestedField) -> str:
    name = "'" + field.name.replace("'", "''") + "'"
    return f"{name}: {_nested_ids(field.field_id, field.field_type)}"


def _nested_ids(field_id: int, kind: Any) -> str:
    """DuckDB's FIELD_IDS form: a number, or `{__duckdb_field_id: n, child: …}` for nested types."""
    if isinstance(kind, StructType):
        inner = ", ".join(_field_id(child) for child in kind.fields)
    elif isinstance(kind, ListType):
        inner = f"'element': {_nested_ids(kind.element_id, kind.element_type)}"
    elif isinstance(kind, MapType):
        key = f"'key': {_nested_ids(kind.key_id, kind.key_type)}"
        inner = f"{key}, 'value': {_nested_ids(kind.value_id, kind.value_type)}"
    else:
        return str(field_id)
    return f"{{__duckdb_field_id: {field_id}, {inner}}}"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
