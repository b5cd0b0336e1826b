"""The catalog under a clock that jumps: tokens end by it, tables and their histories go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog

from tests.catalog.server import RunningCatalog, start_catalog
from tests.clock import Clock

DAY = 86_400.0


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock.install(tmp_path / "clock")


@pytest.fixture
def server(clock: Clock, tmp_path: Path) -> Iterator[RunningCatalog]:
    running = start_catalog(tmp_path / "catalog", environment=clock.environment)
    running.add_catalog("lake")
    yield running
    running.stop()


def test_commits_go_on_whatever_the_clock_says(server: RunningCatalog, clock: Clock) -> None:
    owner = server.add_principal("owner", "lake", "CATALOG_MANAGE_CONTENT")
    rows = pa.table({"id": pa.array([1, 2], pa.int64())})
    catalog = RestCatalog("c", **server.connection("lake", owner).pyiceberg_properties())
    catalog.create_namespace("bronze")
    table = catalog.create_table("bronze.t", rows.schema)
    table.append(rows)
    for days in (2, -2, 0):
        clock.jump(days * DAY)
        # A program that was started before the jump, and one that starts now.
        table.refresh()
        table.append(rows)
        now = RestCatalog("c", **server.connection("lake", owner).pyiceberg_properties())
        now.load_table("bronze.t").append(rows)
    last = catalog.load_table("bronze.t")
    assert last.scan().to_arrow().num_rows == 14
    assert len(last.snapshots()) == 7


def test_a_token_ends_by_the_clock_and_a_new_one_is_one_request_away(server: RunningCatalog, clock: Clock) -> None:
    owner = server.add_principal("owner", "lake", "CATALOG_MANAGE_CONTENT")
    old = server.token_of(owner)
    path = "/api/catalog/v1/lake/namespaces"
    clock.jump(2 * DAY)
    assert server.send("GET", path, token=old).status == 401
    new = server.token(owner.client_id, owner.client_secret)
    assert server.send("GET", path, token=new).status == 200
    clock.jump(-2 * DAY)
    assert server.send("GET", path, token=old).status == 200
    assert server.send("GET", path, token=new).status == 200


def test_a_retry_after_the_jump_is_answered_once_more(server: RunningCatalog, clock: Clock) -> None:
    owner = server.add_principal("owner", "lake", "CATALOG_MANAGE_CONTENT")
    key = {"Idempotency-Key": "0193f1a4-8c1e-7d2a-9c3f-3f1f0a5b6c7d"}

    def create() -> int:
        token = server.token(owner.client_id, owner.client_secret)
        body = {"namespace": ["silver"]}
        return server.send("POST", "/api/catalog/v1/lake/namespaces", body, token=token, headers=key).status

    assert create() == 200
    for seconds in (60.0, -DAY):
        clock.jump(seconds)
        assert create() == 200, "the second request was not taken for a retry of the first"
