"""P5: catalog operations per second, with one client and with eight, against PyIceberg's SqlCatalog in the same run.

Three ways to the same four operations (create, load, commit of an append, drop), each client a process of its own:

- `rest`: plain HTTP requests to the embedded catalog; what the server itself costs.
- `pyiceberg-rest`: PyIceberg's RestCatalog on the embedded catalog; what a Python user sees.
- `sqlcatalog`: PyIceberg's SqlCatalog on a SQLite file of its own, in the client's process: the peer. It has no server,
  no tokens and no grants, and only clients on this machine that can write its files may use it.

The commit adds a snapshot and asserts the one before, as every engine's append does; no data file is written, since the
engine and not the catalog does that. Run as `python -m benchmarks.p5_catalog`.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

import psutil

from tests.catalog.server import Principal, RunningCatalog, start_catalog

OPERATIONS = ("create", "load", "commit", "drop")
WAYS = ("rest", "pyiceberg-rest", "sqlcatalog")
CLIENTS = (1, 8)
#: Operations of each kind in a phase, over all clients.
COUNT = 80
#: The ways take turns this often, so that what else the machine does falls on all of them alike.
ROUNDS = 3
_PEER = "sqlcatalog"
_SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "id", "required": False, "type": "long"},
        {"id": 2, "name": "day", "required": False, "type": "date"},
        {"id": 3, "name": "name", "required": False, "type": "string"},
    ],
}


@dataclass(frozen=True)
class Target:
    """What a client process is told: where the catalog is, and who it is there."""

    port: int
    catalog: str
    token: str
    uri: str
    warehouse: str


class Client(Protocol):
    """One client of one catalog; names are of tables in the namespace `bench`."""

    def create(self, name: str) -> None:
        """Create a table."""

    def load(self, name: str) -> None:
        """Load it."""

    def commit(self, name: str) -> None:
        """Append a snapshot to it."""

    def drop(self, name: str) -> None:
        """Drop it."""


class HttpClient:
    """Plain requests over one connection that stays open."""

    def __init__(self, target: Target) -> None:
        self._connection = HTTPConnection("127.0.0.1", target.port)
        self._base = f"/api/catalog/v1/{target.catalog}/namespaces/bench/tables"
        self._headers = {"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"}
        self._loaded: dict[str, Any] = {}

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, self._base + path, data, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()}")
        return json.loads(text) if text else None

    def create(self, name: str) -> None:
        """Create a table."""
        self._send("POST", "", {"name": name, "schema": _SCHEMA})

    def load(self, name: str) -> None:
        """Load a table, keeping its metadata for the commit."""
        self._loaded[name] = self._send("GET", f"/{name}")["metadata"]

    def commit(self, name: str) -> None:
        """Append a snapshot to a loaded table."""
        base = self._loaded[name]
        parent = base.get("current-snapshot-id")
        answer = self._send(
            "POST",
            f"/{name}",
            {
                "requirements": [
                    {"type": "assert-table-uuid", "uuid": base["table-uuid"]},
                    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent},
                ],
                "updates": _append(base["location"], parent, base["last-sequence-number"] + 1),
            },
        )
        self._loaded[name] = answer["metadata"]

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._send("DELETE", f"/{name}")


class PyIcebergClient:
    """Either of PyIceberg's catalogs."""

    def __init__(self, target: Target, way: str) -> None:
        from pyiceberg.catalog import load_catalog
        from pyiceberg.schema import Schema

        if way == _PEER:
            settings = {"type": "sql", "uri": target.uri, "warehouse": target.warehouse}
        else:
            settings = {
                "type": "rest",
                "uri": f"http://127.0.0.1:{target.port}/api/catalog",
                "warehouse": target.catalog,
                "token": target.token,
                "header.X-Iceberg-Access-Delegation": "",
            }
        self._catalog = load_catalog("bench", **settings)
        self._schema = Schema.model_validate(_SCHEMA)
        self._loaded: dict[str, Any] = {}

    def create(self, name: str) -> None:
        """Create a table."""
        self._catalog.create_table(("bench", name), self._schema)

    def load(self, name: str) -> None:
        """Load a table, keeping its metadata for the commit."""
        self._loaded[name] = self._catalog.load_table(("bench", name))

    def commit(self, name: str) -> None:
        """Append a snapshot to a loaded table."""
        from pydantic import TypeAdapter
        from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, TableUpdate

        table = self._loaded[name]
        base = table.metadata
        parent = base.current_snapshot_id
        updates = TypeAdapter(tuple[TableUpdate, ...]).validate_python(
            _append(base.location, parent, base.last_sequence_number + 1)
        )
        requirements = (
            AssertTableUUID(uuid=base.table_uuid),
            AssertRefSnapshotId.model_validate({"ref": "main", "snapshot-id": parent}),
        )
        self._catalog.commit_table(table, requirements, updates)

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._catalog.drop_table(("bench", name))


def _append(location: str, parent: int | None, sequence: int) -> tuple[dict[str, Any], ...]:
    snapshot_id = uuid.uuid4().int >> 66
    snapshot: dict[str, Any] = {
        "snapshot-id": snapshot_id,
        "sequence-number": sequence,
        "timestamp-ms": int(time.time() * 1000),
        "manifest-list": f"{location}/metadata/snap-{snapshot_id}.avro",
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    if parent is not None:
        snapshot["parent-snapshot-id"] = parent
    return (
        {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id},
    )


def _client(way: str, target: Target) -> Client:
    return HttpClient(target) if way == "rest" else PyIcebergClient(target, way)


def _work(way: str, target: Target, count: int, barrier: Any, results: Any) -> None:
    """One client process: the operations phase by phase, all clients entering a phase together."""
    client = _client(way, target)
    names = [f"t{uuid.uuid4().hex}" for _ in range(count)]
    client.create("w" + names[0])
    client.load("w" + names[0])
    client.commit("w" + names[0])
    timings: dict[str, list[tuple[float, float]]] = {}
    for operation in OPERATIONS:
        act: Callable[[str], None] = getattr(client, operation)
        barrier.wait()
        spans = []
        for name in names:
            begin = time.perf_counter()
            _retrying(act, name)
            spans.append((begin, time.perf_counter()))
        timings[operation] = spans
    results.put(timings)


def _retrying(act: Callable[[str], None], name: str) -> None:
    # Only the peer needs it: its clients share a SQLite file that is locked as a whole while one of them writes.
    for _ in range(50):
        try:
            act(name)
        except Exception as error:
            if "locked" not in str(error):
                raise
        else:
            return
    raise RuntimeError("the database stayed locked")


Spans = list[tuple[float, float]]


def _measure(way: str, target: Target, clients: int, count: int) -> dict[str, Spans]:
    """Begin and end of every operation of one phase each, over all clients."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(clients), context.Queue()
    arguments = (way, target, max(count // clients, 1), barrier, results)
    workers = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(clients)]
    for worker in workers:
        worker.start()
    collected = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    return {operation: [span for one in collected for span in one[operation]] for operation in OPERATIONS}


def _figures(rounds: list[Spans]) -> dict[str, float]:
    taken = sorted((end - begin) * 1000 for spans in rounds for begin, end in spans)
    # perf_counter is one clock for all processes of a machine (CLOCK_MONOTONIC).
    rates = [len(spans) / (max(end for _, end in spans) - min(begin for begin, _ in spans)) for spans in rounds]
    return {
        "per_second": statistics.median(rates),
        "p50_ms": statistics.median(taken),
        "p99_ms": taken[min(len(taken) - 1, int(len(taken) * 0.99))],
    }


def rates(way: str, target: Target, clients: int, count: int = COUNT) -> dict[str, dict[str, float]]:
    """Figures of one way to one catalog, by operation, over the usual rounds."""
    rounds = [_measure(way, target, clients, count) for _ in range(ROUNDS)]
    return {operation: _figures([one[operation] for one in rounds]) for operation in OPERATIONS}


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except AttributeError:
        # Only Linux tells the proportional share.
        return float(process.memory_info().rss) / 2**20


def _prepared(folder: Path, server: RunningCatalog) -> Target:
    from pyiceberg.catalog.sql import SqlCatalog

    server.add_catalog("bench")
    owner: Principal = server.add_principal("bench", "bench", "CATALOG_MANAGE_CONTENT")
    token = server.token_of(owner)
    body = {"namespace": ["bench"]}
    server.send("POST", "/api/catalog/v1/bench/namespaces", body, token=token)
    uri, warehouse = f"sqlite:///{folder}/peer.db", f"file://{folder}/peer"
    peer = SqlCatalog("bench", uri=uri, warehouse=warehouse)
    peer.create_namespace("bench")
    peer.close()
    return Target(server.port, "bench", token, uri, warehouse)


def run(count: int = COUNT) -> dict[str, Any]:
    """Measure: figures by way, number of clients and operation, with the ratio of rates to the peer's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        server = start_catalog(folder / "server")
        ready = time.perf_counter() - begin
        try:
            target = _prepared(folder, server)
            rounds = [
                {(way, clients): _measure(way, target, clients, count) for clients in CLIENTS for way in WAYS}
                for _ in range(ROUNDS)
            ]
            memory = _memory(psutil.Process(server.process.pid))
        finally:
            server.stop()
    figures = {
        way: {
            str(clients): {
                operation: _figures([one[way, clients][operation] for one in rounds]) for operation in OPERATIONS
            }
            for clients in CLIENTS
        }
        for way in WAYS
    }
    for way in WAYS:
        for clients, operations in figures[way].items():
            for operation, measured in operations.items():
                measured["ratio"] = measured["per_second"] / figures[_PEER][clients][operation]["per_second"]
    return {"ready_seconds": ready, "memory_mb": memory, "operations": figures}


def main() -> None:
    """Print the table."""
    result = run()
    print(f"{'way':15} {'clients':>7} {'operation':9} {'per second':>10} {'p50 ms':>8} {'p99 ms':>8} {'x peer':>7}")
    for way, by_clients in result["operations"].items():
        for clients, operations in by_clients.items():
            for operation, measured in operations.items():
                print(
                    f"{way:15} {clients:>7} {operation:9} {measured['per_second']:10.0f} {measured['p50_ms']:8.1f} "
                    f"{measured['p99_ms']:8.1f} {measured['ratio']:7.2f}"
                )
    print(f"server ready after {result['ready_seconds']:.2f} s, {result['memory_mb']:.0f} MB at the end")


if __name__ == "__main__":
    main()
