"""Assertions on tables: what passes, and what the messages say."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from floe_dev.testing.assertions import assert_table

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": None}]


def test_equal_tables_pass_in_any_order_and_kind() -> None:
    with duckdb.connect(":memory:") as connection:
        relation = connection.sql("SELECT * FROM (VALUES (2, NULL), (1, 'a')) AS t(id, name)")
        assert_table(relation).has_rows(2).equals(ROWS).equals(ROWS, key="id")
    schema = pa.schema([("id", pa.int64()), ("name", pa.large_string())])
    assert_table(pa.Table.from_pylist(ROWS)).matches(schema).matches({"name": "string", "id": "int64"})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([{"id": 1, "name": "b"}, {"id": 2, "name": None}], ["id=1: `name` expected 'a', found 'b'"]),
        ([{"id": 1, "name": "a"}], ["missing: {'id': 2", "expected 2 rows, found 1"]),
        ([*ROWS, {"id": 3, "name": "c"}], ["unexpected: {'id': 3"]),
        ([*ROWS, {"id": 1, "name": "a"}], ["the key id is not unique in the found rows"]),
    ],
)
def test_a_key_names_the_row_and_the_column_that_differ(found: list[dict[str, Any]], words: list[str]) -> None:
    with pytest.raises(AssertionError) as error:
        assert_table(found).equals(ROWS, key="id")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_rows_that_occur_once_too_often_are_named() -> None:
    with pytest.raises(AssertionError, match=r"unexpected: \{'id': 1, 'name': 'a'\}"):
        assert_table([*ROWS, ROWS[0]]).equals(ROWS)


def test_a_wrong_number_of_rows_shows_some() -> None:
    with pytest.raises(AssertionError, match=r"expected 3 rows, found 2; the first:\n  \{'id': 1"):
        assert_table(ROWS).has_rows(3)


def test_a_schema_names_each_column_that_differs() -> None:
    with pytest.raises(AssertionError) as error:
        assert_table(ROWS).matches({"id": "string", "price": "double"})
    text = str(error.value)
    assert "column `id`: expected string, found int64" in text
    assert "no column `price` (double)" in text
    assert "unexpected column `name` (string)" in text


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="not a table: int"):
        assert_table(3)
