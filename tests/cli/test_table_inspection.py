"""Listing, inspecting and comparing tables of a real catalog server, written by PyIceberg."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from pydantic import SecretStr
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

from floe_dev.catalogs.client import CatalogClient
from floe_dev.catalogs.inspect import diff, files_of, find_snapshot, open_table, partitions_of
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.testing import factories
from floe_dev.testing.lakehouse import Lakehouse
from tests.cli.helpers import environment

lake = factories.lakehouse(scope="module")


@pytest.fixture(scope="module")
def connection(lake: Lakehouse) -> CatalogConnection:
    """A catalog with `sales.orders` (partitioned, three snapshots), `sales.empty` and a nested namespace."""
    catalog = lake.iceberg()
    catalog.drop_namespace(lake.namespace)
    _fill(catalog)
    return lake.connection


@pytest.fixture
def client(connection: CatalogConnection) -> Iterator[CatalogClient]:
    with CatalogClient(connection) as opened:
        yield opened


def test_who_asks_again_and_again_keeps_no_more_connections_than_are_used_at_once(client: CatalogClient) -> None:
    """The dashboard lists the tables every five seconds, all day long, with one client."""
    client.tables()
    before = psutil.Process().num_fds()
    for _ in range(10):
        client.tables()
    assert psutil.Process().num_fds() <= before + 3


def _fill(catalog: RestCatalog) -> None:
    catalog.create_namespace("sales")
    catalog.create_namespace(("sales", "eu.north"))
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "day", StringType()))
    spec = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "day"))
    catalog.create_table("sales.empty", schema)
    catalog.create_table(("sales", "eu.north", "t"), schema)
    orders = catalog.create_table("sales.orders", schema, partition_spec=spec)
    orders.append(pa.table({"id": [1, 2, 3], "day": ["a", "a", "b"]}))
    orders.append(pa.table({"id": [4], "day": ["c"]}))
    with orders.update_schema() as update:
        update.add_column("note", StringType())
        update.rename_column("id", "order_id")
    orders.overwrite(pa.table({"order_id": [9], "day": ["z"], "note": [None]}, schema=orders.schema().as_arrow()))


def test_the_list_counts_rows_without_scanning(connection: CatalogConnection, client: CatalogClient) -> None:
    found = {info.identifier: info for info in client.tables()}
    assert set(found) == {"sales.empty", "sales.orders", "sales.eu.north.t"}
    assert (found["sales.empty"].rows, found["sales.empty"].files) == (0, 0)
    orders = found["sales.orders"]
    assert orders.rows == 1
    assert orders.files == 1
    assert orders.bytes
    assert orders.updated_ms
    assert [s.number for s in orders.snapshots] == list(range(1, len(orders.snapshots) + 1))


def test_the_client_imports_neither_pyarrow_nor_pyiceberg() -> None:
    program = (
        "import sys; import floe_dev.catalogs.client; "
        "print([m for m in sys.modules if m in ('pyarrow', 'pyiceberg', 'requests')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_reading_manifests_needs_no_pyarrow(connection: CatalogConnection, tmp_path: Path) -> None:
    settings = tmp_path / "connection.json"
    secret = connection.credential.client_secret.get_secret_value()
    settings.write_text(connection.model_copy(update={"credential": None}).model_dump_json(exclude={"credential"}))
    program = (
        "import json, os, sys\n"
        "from floe_dev.catalogs.client import CatalogClient\n"
        "from floe_dev.catalogs.inspect import files_of, open_table\n"
        "from floe_dev.model.connection import CatalogConnection\n"
        f"content = json.load(open({str(settings)!r}))\n"
        "content['credential'] = {'client_id': os.environ['ID'], 'client_secret': os.environ['SECRET']}\n"
        "connection = CatalogConnection.model_validate(content)\n"
        "info = CatalogClient(connection).table('sales.orders')\n"
        "files = files_of(open_table(connection, info))\n"
        "print(len(files), 'pyarrow' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment({"ID": connection.credential.client_id, "SECRET": secret}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "1 False", done.stderr


def test_files_and_partitions_of_an_old_snapshot(connection: CatalogConnection, client: CatalogClient) -> None:
    info = client.table("sales.orders")
    table = open_table(connection, info)
    files = files_of(table, info.snapshots[1].snapshot_id)
    assert [(p.value, p.files, p.rows) for p in partitions_of(files)] == [
        ("day=a", 1, 2),
        ("day=b", 1, 1),
        ("day=c", 1, 1),
    ]
    assert all(file.size > 0 for file in files)


def test_diff_of_rows_files_and_columns(connection: CatalogConnection, client: CatalogClient) -> None:
    info = client.table("sales.orders")
    found = diff(open_table(connection, info), info, find_snapshot(info, "2"), find_snapshot(info, "current"))
    assert (found.rows_before, found.rows_after) == (4, 1)
    assert (len(found.files_added), len(found.files_removed), found.files_kept) == (1, 3, 0)
    assert found.columns_added == ("note string",)
    assert found.columns_removed == ()
    assert found.columns_changed == ("id long -> order_id long",)


def test_snapshots_by_name(connection: CatalogConnection, client: CatalogClient) -> None:
    info = client.table("sales.orders")
    first, current = info.snapshots[0], info.current
    assert current is not None
    assert find_snapshot(info, "first") == find_snapshot(info, "1") == find_snapshot(info, str(first.snapshot_id))
    assert find_snapshot(info, "previous").snapshot_id == current.parent_id
    for name in ("0", "99", "newest", "-1", ""):
        with pytest.raises(FloeError) as caught:
            find_snapshot(info, name)
        assert caught.value.code is Code.NO_SUCH_SNAPSHOT


@pytest.mark.parametrize("name", ["orders", "sales.ordres", "nowhere.nothing", "", "sales.", "a/b.c?d"])
def test_an_unknown_table_is_told_with_the_nearest(
    name: str, connection: CatalogConnection, client: CatalogClient
) -> None:
    with pytest.raises(FloeError) as caught:
        client.table(name)
    assert caught.value.code is Code.NO_SUCH_TABLE
    if "ord" in name:
        assert "sales.orders" in str(caught.value)


def test_an_unreachable_catalog_is_told(connection: CatalogConnection) -> None:
    away = connection.model_copy(update={"uri": "http://127.0.0.1:1/api/catalog"})
    with pytest.raises(FloeError) as caught, CatalogClient(away) as lost:
        lost.tables()
    assert caught.value.code is Code.CATALOG_UNREACHABLE


def test_wrong_credentials_are_told_without_the_secret(connection: CatalogConnection) -> None:
    wrong = Credential(client_id="owner", client_secret=SecretStr("not-the-secret"))
    mistaken = connection.model_copy(update={"credential": wrong})
    with pytest.raises(FloeError) as caught, CatalogClient(mistaken) as refused:
        refused.tables()
    assert caught.value.code is Code.CATALOG_REFUSED
    assert "not-the-secret" not in str(caught.value)


def test_a_nested_namespace_with_a_dot_is_listed(connection: CatalogConnection, client: CatalogClient) -> None:
    assert ("sales", "eu.north") in client.namespaces()
