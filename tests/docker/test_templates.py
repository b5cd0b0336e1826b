"""Templates on object storage: built once, read in place by every copy's keys, and never written by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from floe_dev.storage.base import StoreCredential
from floe_dev.storage.minio import MinioStorage
from floe_dev.testing import assert_table, floe_template
from floe_dev.testing.lakehouse import Lakehouse

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.floe(stack="lakehouse-lite", template="orders"),
]
built: list[str] = []


@floe_template
def orders(lakehouse: Lakehouse) -> None:
    """Two orders."""
    built.append(lakehouse.catalog)
    lakehouse.write("orders", [{"id": 1}, {"id": 2}])


@pytest.fixture(autouse=True)
def of_this_version(lakehouse: Lakehouse) -> Iterator[None]:
    if not lakehouse.stack.admin.is_floes:
        pytest.skip("the image of the catalog is older than this code: floe images build --anew catalog")
    yield
    assert len(built) == 1, "a template is built once"


def _file(lakehouse: Lakehouse) -> str:
    (task,) = lakehouse.table("orders").scan().plan_files()
    return str(task.file.file_path)


@pytest.mark.parametrize("number", [1, 2])
def test_a_copy_is_read_in_place_and_written_apart(lakehouse: Lakehouse, number: int) -> None:
    assert "/floe_templates/" in _file(lakehouse)
    assert_table(lakehouse.duckdb().sql("from orders")).has_rows(2)
    lakehouse.table("orders").append(pa.table({"id": [number + 10]}))
    assert_table(lakehouse.table("orders")).equals([{"id": 1}, {"id": 2}, {"id": number + 10}])
    lakehouse.duckdb().execute("INSERT INTO orders VALUES (99)")
    assert_table(lakehouse.table("orders")).has_rows(4)
    files = {task.file.file_path for task in lakehouse.table("orders").scan().plan_files()}
    assert len([file for file in files if f"/{lakehouse.catalog}/" in file]) == 2


@pytest.mark.floe(isolation="namespace")
def test_a_namespaces_copy_too(lakehouse: Lakehouse) -> None:
    assert lakehouse.isolation == "namespace"
    assert_table(lakehouse.duckdb().sql("from orders")).has_rows(2)


def test_a_copys_keys_do_not_write_the_original_nor_read_beside_it(
    lakehouse: Lakehouse, lakehouse_factory: Any
) -> None:
    with lakehouse_factory("other", stack="lakehouse-lite") as other:
        theirs = next(iter(other.write("mine", [{"id": 1}]).scan().plan_files())).file.file_path
        keys = lakehouse.table("orders").io.properties
        store = MinioStorage(
            keys["s3.endpoint"],
            StoreCredential(keys["s3.access-key-id"], keys["s3.secret-access-key"], keys["s3.session-token"]),
            keys["s3.region"],
        )
        original = _file(lakehouse)
        assert store.read(original)[:4] == b"PAR1"
        for refused in (
            lambda: store.write(original, b"x"),
            lambda: store.remove(original),
            lambda: store.read(theirs),
        ):
            with pytest.raises(OSError, match="AccessDenied"):
                refused()


def test_a_purge_deletes_no_file_of_the_template(lakehouse: Lakehouse) -> None:
    lakehouse.iceberg().purge_table("test.orders")
    assert lakehouse.iceberg().list_tables("test") == []


def test_which_the_next_test_sees(lakehouse: Lakehouse) -> None:
    assert_table(lakehouse.table("orders")).has_rows(2)
