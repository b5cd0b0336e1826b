"""The schema of a table made to fit a model's columns: field ids of columns that stay are kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise

from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Transaction
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
)

from floe_dev.dbt.adapter.layout import TableLayout
from floe_dev.dbt.adapter.types import Column


def new_schema(columns: Sequence[Column], layout: TableLayout) -> Schema:
    """The schema of a table that does not exist yet, ids from 1."""
    fields = [
        NestedField(
            index,
            column.name,
            column.type,
            required=column.name in layout.required,
            doc=layout.docs.get(column.name),
        )
        for index, column in enumerate(columns, 1_000_000)
    ]
    ids = count(1)
    return assign_fresh_schema_ids(Schema(*fields), lambda: next(ids))


def sync_schema(transaction: Transaction, columns: Sequence[Column], layout: TableLayout) -> None:
    """Make the table's columns exactly `columns`, in their order, in this transaction.

    A column whose type cannot be widened to the new one is replaced by a new column of that name: the rows are all
    written anew, so nothing is read across the change.
    """
    current = transaction.table_metadata.schema()
    if _fits(current, columns, layout):
        return
    known = {field.name: field for field in current.fields}
    wanted = {column.name for column in columns}
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for name in known:
            if name not in wanted:
                update.delete_column((name,))
        for column in columns:
            field = known.get(column.name)
            required = column.name in layout.required
            if field is None:
                update.add_column((column.name,), column.type, layout.docs.get(column.name), required=required)
            elif same_type(field.field_type, column.type):
                update.update_column((column.name,), required=required, doc=layout.docs.get(column.name, field.doc))
            elif can_widen(field.field_type, column.type):
                update.update_column((column.name,), field_type=column.type, required=required)
            else:
                update.delete_column((column.name,))
                update.add_column((column.name,), column.type, layout.docs.get(column.name), required=required)
    _reorder(transaction, columns)


def _reorder(transaction: Transaction, columns: Sequence[Column]) -> None:
    names = [field.name for field in transaction.table_metadata.schema().fields]
    wanted = [column.name for column in columns]
    if names == wanted:
        return
    with transaction.update_schema() as update:
        update.move_first((wanted[0],))
        for before, name in pairwise(wanted):
            update.move_after((name,), (before,))


def add_columns(update: UpdateSchema, columns: Sequence[Column]) -> None:
    """Add optional columns at the end."""
    for column in columns:
        update.add_column((column.name,), column.type)


def _fits(schema: Schema, columns: Sequence[Column], layout: TableLayout) -> bool:
    if [field.name for field in schema.fields] != [column.name for column in columns]:
        return False
    return all(
        same_type(field.field_type, column.type)
        and field.required == (field.name in layout.required)
        and field.doc == layout.docs.get(field.name, field.doc)
        for field, column in zip(schema.fields, columns, strict=True)
    )


def same_type(one: IcebergType, other: IcebergType) -> bool:
    """Whether two types are alike but for their field ids."""
    return _bare(one) == _bare(other)


def _bare(kind: IcebergType) -> object:
    if isinstance(kind, PrimitiveType):
        return str(kind)
    ids = count(1)
    field = NestedField(1_000_000, "x", kind, required=False)
    return str(assign_fresh_schema_ids(Schema(field), lambda: next(ids)).fields[0].field_type)


def can_widen(old: IcebergType, new: IcebergType) -> bool:
    """Iceberg's type promotions (specification, "Schema Evolution")."""
    if isinstance(old, IntegerType) and isinstance(new, LongType):
        return True
    if isinstance(old, FloatType) and isinstance(new, DoubleType):
        return True
    return (
        isinstance(old, DecimalType)
        and isinstance(new, DecimalType)
        and old.scale == new.scale
        and old.precision < new.precision
    )
