"""Many clients at once: one of two commits on the same base wins, nothing is lost, nothing is half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.catalog.conftest import SCHEMA, Space
from tests.catalog.server import Reply

T = TypeVar("T")
CLIENTS = 8


def at_once(work: Callable[[int], T], clients: int = CLIENTS) -> list[T]:
    """Run `work` on as many threads, let go together."""
    barrier = threading.Barrier(clients)

    def run(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(run, range(clients)))


def snapshot(number: int, base: dict[str, Any]) -> dict[str, Any]:
    """A commit that appends a snapshot to the state in `base`, asserting the branch as engines do."""
    parent = base.get("current-snapshot-id")
    parent = None if parent == -1 else parent
    sequence = base["last-sequence-number"] + 1
    snapshot_id = sequence * 1000 + number
    new: dict[str, Any] = {
        "snapshot-id": snapshot_id,
        "sequence-number": sequence,
        "timestamp-ms": int(time.time() * 1000),
        "manifest-list": f"{base['location']}/metadata/snap-{snapshot_id}.avro",
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    if parent is not None:
        new["parent-snapshot-id"] = parent
    return {
        "identifier": {"namespace": ["raw"], "name": "t"},
        "requirements": [
            {"type": "assert-table-uuid", "uuid": base["table-uuid"]},
            {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent},
        ],
        "updates": [
            {"action": "add-snapshot", "snapshot": new},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id},
        ],
    }


@pytest.fixture
def raw(space: Space) -> Space:
    space.make_namespace("raw")
    return space


def load(space: Space, name: str = "t") -> dict[str, Any]:
    metadata: dict[str, Any] = space.send("GET", f"/namespaces/raw/tables/{name}").body["metadata"]
    return metadata


def test_of_several_commits_on_one_base_exactly_one_wins(raw: Space) -> None:
    raw.make_table("raw", "t")
    for _ in range(3):
        base = load(raw)
        replies = at_once(lambda number: raw.send("POST", "/namespaces/raw/tables/t", snapshot(number, base)))  # noqa: B023
        assert sorted(reply.status for reply in replies) == [200] + [409] * (CLIENTS - 1)
        assert {reply.error for reply in replies if reply.status == 409} == {"CommitFailedException"}
        winner = next(reply for reply in replies if reply.status == 200)
        assert load(raw)["current-snapshot-id"] == winner.body["metadata"]["current-snapshot-id"]
    assert len(load(raw)["snapshots"]) == 3


def test_clients_that_rebase_all_get_through(raw: Space) -> None:
    raw.make_table("raw", "t")

    def append(number: int) -> int:
        for attempt in range(100):
            reply = raw.send("POST", "/namespaces/raw/tables/t", snapshot(number, load(raw)))
            if reply.status == 200:
                return attempt
            assert reply.status == 409, reply
        raise AssertionError("starved")

    at_once(append)
    final = load(raw)
    assert len(final["snapshots"]) == CLIENTS
    assert final["last-sequence-number"] == CLIENTS
    parents = {item["snapshot-id"]: item.get("parent-snapshot-id") for item in final["snapshots"]}
    walked, at = 0, final["current-snapshot-id"]
    while at is not None:
        walked, at = walked + 1, parents[at]
    assert walked == CLIENTS, "the history is no chain"


def test_changes_that_assert_nothing_in_common_are_all_kept(raw: Space) -> None:
    raw.make_table("raw", "t")

    def change(number: int) -> Reply:
        update = {"action": "set-properties", "updates": {f"k{number}": str(number)}}
        body = {"identifier": {"namespace": ["raw"], "name": "t"}, "requirements": [], "updates": [update]}
        return raw.send("POST", "/namespaces/raw/tables/t", body)

    assert {reply.status for reply in at_once(change)} == {200}
    properties = load(raw)["properties"]
    assert {f"k{number}" for number in range(CLIENTS)} <= set(properties)


@pytest.mark.parametrize("kind", ["namespace", "table"])
def test_one_creates_and_the_others_find_it_taken(raw: Space, kind: str) -> None:
    def create(_: int) -> int:
        if kind == "namespace":
            return raw.send("POST", "/namespaces", {"namespace": ["new"]}).status
        return raw.send("POST", "/namespaces/raw/tables", {"name": "t", "schema": SCHEMA}).status

    assert sorted(at_once(create)) == [200] + [409] * (CLIENTS - 1)


def test_a_retry_that_overtakes_its_original_is_done_once(raw: Space) -> None:
    headers = {"Idempotency-Key": "01890a5d-ac96-774b-bcce-b302099a8057"}
    body = {"name": "t", "schema": SCHEMA}
    replies = at_once(lambda _: raw.send("POST", "/namespaces/raw/tables", body, headers=headers))
    assert {reply.status for reply in replies} <= {200, 409}
    made = [reply.body["metadata"]["table-uuid"] for reply in replies if reply.status == 200]
    assert len(made) >= 1
    assert set(made) == {load(raw)["table-uuid"]}


def test_transfers_between_tables_never_show_a_half(raw: Space) -> None:
    """Every transaction writes the same value to both tables; readers of the database must never see them differ."""
    for name in ("a", "b"):
        raw.make_table("raw", name)

    def transfer(number: int) -> int:
        changes = [
            {
                "identifier": {"namespace": ["raw"], "name": name},
                "requirements": [],
                "updates": [{"action": "set-properties", "updates": {"v": str(number)}}],
            }
            for name in (("a", "b") if number % 2 else ("b", "a"))
        ]
        return raw.send("POST", "/transactions/commit", {"table-changes": changes}).status

    assert set(at_once(transfer)) == {204}
    assert load(raw, "a")["properties"]["v"] == load(raw, "b")["properties"]["v"]
    rows = raw.server.rows("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ?", raw.catalog)
    versions = {Path(location).name.split("-")[0] for (location,) in rows}
    assert len(versions) == 1, "the tables were committed different numbers of times"


def test_a_mixed_load_never_fails_inside(raw: Space) -> None:
    def work(number: int) -> set[int]:
        statuses = set()
        for turn in range(6):
            name = f"t{(number + turn) % 4}"
            path = f"/namespaces/raw/tables/{name}"
            statuses.add(raw.send("POST", "/namespaces/raw/tables", {"name": name, "schema": SCHEMA}).status)
            statuses.add(raw.send("GET", path).status)
            statuses.add(raw.send("GET", "/namespaces/raw/tables").status)
            statuses.add(raw.send("DELETE", f"{path}?purgeRequested=true").status)
        return statuses

    assert set().union(*at_once(work)) <= {200, 204, 404, 409}


def test_a_drop_and_a_create_inside_never_leave_an_orphan(space: Space) -> None:
    for turn in range(4):
        namespace = f"n{turn}"
        space.make_namespace(namespace)

        def work(number: int, namespace: str = namespace) -> int:
            if number % 2:
                return space.send("DELETE", f"/namespaces/{namespace}").status
            return space.send(
                "POST", f"/namespaces/{namespace}/tables", {"name": f"t{number}", "schema": SCHEMA}
            ).status

        statuses = at_once(work, 4)
        exists = space.send("HEAD", f"/namespaces/{namespace}").status == 204
        assert exists == (200 in statuses[::2])
