"""The server as a process: starting, stopping, crashing, what it imports, where it listens."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.catalog.conftest import Space
from tests.catalog.server import RunningCatalog, start_catalog

MODULE = [sys.executable, "-m", "floe_dev.catalogs.rest"]


def demo(server: RunningCatalog) -> Space:
    server.add_catalog("demo")
    space = Space(server, "demo", server.add_principal("owner", "demo", "CATALOG_MANAGE_CONTENT"))
    space.make_namespace("raw")
    return space


def set_version(space: Space, names: tuple[str, ...], value: int) -> int:
    changes = [
        {
            "identifier": {"namespace": ["raw"], "name": name},
            "requirements": [],
            "updates": [{"action": "set-properties", "updates": {"v": str(value)}}],
        }
        for name in names
    ]
    return space.send("POST", "/transactions/commit", {"table-changes": changes}).status


def test_metadata_needs_neither_pyarrow_nor_sqlalchemy() -> None:
    code = (
        "import sys, floe_dev.catalogs.rest.app; early = set(sys.modules); import pyiceberg.table.update; "
        "print([m for m in ('pyiceberg', 'pyarrow', 'sqlalchemy', 'pandas') if m in early], 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[] False"


def test_it_serves_before_it_is_warm_and_stays_small(tmp_path: Path) -> None:
    server = start_catalog(tmp_path)
    try:
        space = demo(server)
        space.make_table("raw", "t")
        memory = psutil.Process(server.process.pid).memory_info().rss
        assert memory < 150 * 2**20, f"{memory / 2**20:.0f} MB"
    finally:
        server.stop()


def test_it_listens_on_the_loopback_only(server: RunningCatalog) -> None:
    listening = [c for c in psutil.Process(server.process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


def test_no_secret_is_in_its_arguments(server: RunningCatalog) -> None:
    arguments = " ".join(psutil.Process(server.process.pid).cmdline())
    assert server.root.client_secret.get_secret_value() not in arguments
    assert server.signing_key not in arguments


def test_it_stops_at_once_although_clients_hold_connections(own_server: RunningCatalog) -> None:
    connections = [HTTPConnection("127.0.0.1", own_server.port, timeout=10) for _ in range(5)]
    for connection in connections:
        connection.request("GET", "/q/health/live")
        connection.getresponse().read()
    started = time.monotonic()
    assert own_server.stop() in (0, -signal.SIGTERM)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("credentials", "arguments"),
    [
        ("", ["--port", "0"]),
        ("POLARIS,root", ["--port", "0"]),
        ("POLARIS,root,s", ["--port", "x"]),
        ("POLARIS,root,s", []),
    ],
)
def test_settings_that_cannot_work_end_it_with_a_message(
    tmp_path: Path, credentials: str, arguments: list[str]
) -> None:
    command = [*MODULE, "--database", str(tmp_path / "c.db"), "--warehouse", str(tmp_path / "w"), *arguments]
    environment = {**os.environ, "POLARIS_BOOTSTRAP_CREDENTIALS": credentials}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode not in (0, 1)
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_every_commit_that_was_answered_survives_a_kill(own_server: RunningCatalog) -> None:
    space = demo(own_server)
    names = ("a", "b")
    for name in names:
        space.make_table("raw", name)
    answered = -1

    def write() -> None:
        nonlocal answered
        try:
            for value in range(10_000):
                assert set_version(space, names, value) == 204
                answered = value
        except (OSError, AssertionError):
            return

    writer = threading.Thread(target=write)
    writer.start()
    while answered < 20:
        time.sleep(0.005)
    own_server.kill()
    writer.join(30)
    again = start_catalog(own_server.database.parent, root=own_server.root, signing_key=own_server.signing_key)
    try:
        token = own_server.token_of(space.owner)
        found: list[Any] = [
            again.send("GET", f"/api/catalog/v1/demo/namespaces/raw/tables/{name}", token=token).body for name in names
        ]
        values = {int(body["metadata"]["properties"]["v"]) for body in found}
        assert len(values) == 1, "half of a transaction survived"
        assert values <= {answered, answered + 1}
    finally:
        again.stop()


def test_another_program_that_holds_the_database_delays_but_does_not_break(own_server: RunningCatalog) -> None:
    space = demo(own_server)
    space.make_table("raw", "t")
    other = sqlite3.connect(own_server.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    statuses: list[int] = []
    writer = threading.Thread(target=lambda: statuses.append(set_version(space, ("t",), 1)))
    writer.start()
    time.sleep(0.5)
    assert space.send("GET", "/namespaces/raw/tables/t", timeout=5).status == 200, "a reader had to wait"
    other.execute("ROLLBACK")
    other.close()
    writer.join(20)
    assert statuses == [204]


def test_a_warehouse_with_spaces_and_unicode_in_its_path(tmp_path: Path) -> None:
    server = start_catalog(tmp_path / "mein Projekt é 日本")
    try:
        space = demo(server)
        table = space.make_table("raw", "t")
        location = table["metadata"]["location"]
        assert location == f"file://{server.warehouse}/demo/raw/t"
        assert Path(location.removeprefix("file://")).is_dir()
    finally:
        server.stop()
