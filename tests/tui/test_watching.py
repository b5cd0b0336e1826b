"""What stands behind the screens: secrets stay hidden, and a supervisor of another version is told."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pytest
from pydantic import SecretStr

from floe_dev.config.credentials import StackSecrets
from floe_dev.dashboard.details import Details
from floe_dev.dashboard.secrets import HIDDEN, hidden, secret_values
from floe_dev.drivers.logs import open_log, trim
from floe_dev.model.connection import Credential
from floe_dev.model.layout import Layout
from floe_dev.model.state import ServiceView
from floe_dev.model.status import Event
from floe_dev.session import Session
from floe_dev.supervisor import client
from floe_dev.supervisor.lock import Holder, SupervisorLock
from floe_dev.watch.logs import LINE_LIMIT, TAIL_BYTES, read_log
from floe_dev.watch.store import StateStore
from floe_dev.watch.supervisor import SupervisorWatch
from tests.drivers.helpers import eventually


def test_an_environment_hides_secrets_by_name_and_by_value() -> None:
    secrets = StackSecrets.generate().with_principal(
        "floe", Credential(client_id="floe", client_secret=SecretStr("s3cret-of-floe"))
    )
    token = secrets.telemetry_token.get_secret_value()
    shown = dict(
        hidden(
            {
                "PATH": "/usr/bin",
                "MY_PASSWORD": "x",
                "EMPTY_TOKEN": "",
                "OTEL_EXPORTER_OTLP_HEADERS": f"x=1,authorization=Bearer%20{token}",
                "CREDENTIAL_FILE": "/tmp/c",
                "POSTGRES": "postgresql://floe:hunter2@127.0.0.1:5432/db",
                "ODD": "a s3cret-of-floe b",
                "URL": "http://127.0.0.1:3000/@x:y",
            },
            secret_values(secrets),
        )
    )
    assert shown == {
        "PATH": "/usr/bin",
        "MY_PASSWORD": HIDDEN,
        "EMPTY_TOKEN": "",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x=1,authorization=Bearer%20{HIDDEN}",
        "CREDENTIAL_FILE": HIDDEN,
        "POSTGRES": f"postgresql://floe:{HIDDEN}@127.0.0.1:5432/db",
        "ODD": f"a {HIDDEN} b",
        "URL": "http://127.0.0.1:3000/@x:y",
    }


def test_what_is_not_there_yet_while_the_stack_starts_is_loading_and_not_stale() -> None:
    store = StateStore()
    store.stale("assets", "the stack is not running")
    store.put("tables", ["a table"])
    store.stale("tables", "the stack is not running")
    assert store.state.assets.reason == "the stack is not running"
    store.stack(phase="starting")
    store.expect()
    assert store.state.assets.loading
    assert store.state.tables.reason == "the stack is not running"
    store.stale("assets", "Dagster is not up yet")
    assert store.state.assets.loading
    store.stack(phase="ready")
    store.stale("assets", "no answer for more than 5 s")
    assert store.state.assets.reason == "no answer for more than 5 s"


def test_a_supervisor_of_another_version_is_told_with_what_to_do(tmp_path: Path) -> None:
    address = tmp_path / "s"
    Layout(tmp_path).state_dir.mkdir()
    lock = SupervisorLock.acquire(Layout(tmp_path))
    assert lock is not None
    lock.describe(Holder(str(tmp_path), os.getpid(), "test", str(address)))
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(address))
    server.listen()

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(json.dumps({"ok": {"words": "of another time"}}).encode() + b"\n")

    threading.Thread(target=answer, daemon=True).start()

    store = StateStore()
    watch = SupervisorWatch(store, tmp_path)
    watch.start()
    try:
        eventually(lambda: store.state.services.reason is not None, "nothing is told")
        reason = store.state.services.reason or ""
        assert "another version of floe" in reason
        assert "floe down" in reason
    finally:
        watch.stop()
        server.close()
        lock.release()


def test_an_event_that_is_not_understood_is_told_and_does_not_end_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def events(root: Path) -> Iterator[Event]:
        asked.append(root)
        yield Event(kind="error", time=1.0, data={"code": None})

    monkeypatch.setattr(client, "status", lambda _root: None)
    monkeypatch.setattr(client, "events", events)
    store = StateStore()
    watch = SupervisorWatch(store, tmp_path)
    watch.start()
    try:
        eventually(lambda: len(asked) >= 2, "it ended")
    finally:
        watch.stop()
    assert store.state.services.stale_since is not None
    assert "Error" in (store.state.services.reason or "")


def test_a_line_of_ten_megabytes_is_read_in_pieces_and_cut(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"first\n" + b"x" * (10 << 20) + b"\nlast\n")
    began = time.monotonic()
    chunk = read_log(log)
    assert time.monotonic() - began < 10
    assert chunk.lines[-1] == "last"
    # What is left of the long line says that it is cut at both ends.
    assert chunk.lines[0].startswith("…xxx")
    assert chunk.lines[0].endswith(" bytes)")
    assert sum(map(len, chunk.lines)) <= TAIL_BYTES
    log.write_bytes(b"y" * 5000 + b"\n")
    again = read_log(log, chunk.position)
    assert again.restarted
    assert again.lines[0].startswith("y" * LINE_LIMIT)
    assert "(5000 bytes)" in again.lines[0]


def test_a_log_that_is_moved_aside_is_read_on_without_a_gap(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    descriptor = open_log(log)
    os.write(descriptor, b"one\ntwo\n")
    first = read_log(log)
    assert first.lines == ("one", "two")
    os.write(descriptor, b"three\nhalf a")
    assert trim(log, limit=4)
    # Whoever looks first now sees what was written before.
    assert read_log(log).lines == ("one", "two", "three")
    then = read_log(log, first.position)
    assert (then.lines, then.restarted) == (("three",), False)
    os.write(descriptor, b" line\nfour\n")
    last = read_log(log, then.position)
    assert (last.lines, last.restarted) == (("half a line", "four"), False)
    assert read_log(log, last.position).lines == ()
    os.close(descriptor)


def test_a_statement_under_way_keeps_no_watcher_waiting_that_forgets_its_connection() -> None:
    """The stack is stopped while somebody reads: the services panel tells it at once."""
    opened: list[str] = []

    def connect(principal: str) -> duckdb.DuckDBPyConnection:
        opened.append(principal)
        return duckdb.connect()

    details = Details(cast("Session", SimpleNamespace(duckdb=connect)))
    reading = threading.Thread(
        target=details.query, args=("select count(*) from range(200000000) t(i) where i % 7 = 3",)
    )
    reading.start()
    give_up = time.monotonic() + 60
    while details._database is None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    details.forget_connections()
    assert reading.is_alive(), "it was over too soon to tell anything"
    reading.join(60)
    assert details.query("select 1").rows == (("1",),)
    assert opened == ["floe", "floe"], "the next statement has a connection of the new start"


def test_the_services_panel_never_shows_an_older_picture_after_a_newer_one(tmp_path: Path) -> None:
    """One thread has the supervisor's word, another one measures; both put the services."""
    store = StateStore()
    watch = SupervisorWatch(store, tmp_path)
    put, slow = store.put, threading.Event()

    def late(name: str, items: Iterable[ServiceView]) -> None:
        found = tuple(items)
        if threading.current_thread().name == "measuring":
            slow.set()
            time.sleep(0.3)
        put(name, found)

    store.put = late  # type: ignore[method-assign]
    running = Event(kind="service", time=1.0, name="a", data={"name": "a", "state": "starting", "pid": os.getpid()})
    failed = Event(kind="service", time=2.0, name="a", data={"name": "a", "state": "failed"})
    with watch._lock:
        watch._take(running)
    measuring = threading.Thread(target=watch._measure, name="measuring", daemon=True)
    measuring.start()
    assert slow.wait(10)
    with watch._lock:
        watch._take(failed)
    watch.stop()
    measuring.join(10)
    assert [one.status.state.value for one in store.state.services.items] == ["failed"]
