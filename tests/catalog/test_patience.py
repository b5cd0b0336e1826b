"""The time a client has for its request, with the real server and short limits."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from floe_dev.catalogs.rest.app import create_app
from floe_dev.catalogs.rest.protocol import patient_protocol
from floe_dev.catalogs.rest.settings import Limits, Settings
from tests.catalog.server import free_port

SECONDS = 0.6


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    settings = Settings(
        database=str(tmp_path / "catalog.db"),
        warehouse=tmp_path / "warehouse",
        instance="here",
        root_client_id="root",
        root_client_secret="secret",
        signing_key=b"0123456789abcdef",
        limits=dataclasses.replace(Limits(), request_seconds=SECONDS),
    )
    number = free_port()
    config = uvicorn.Config(
        create_app(settings),
        host="127.0.0.1",
        port=number,
        log_level="error",
        http=patient_protocol(SECONDS, "here"),
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield number
    server.should_exit = True
    thread.join(20)


def everything(connection: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(4096):
            answer += part
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /q/health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/catalog/v1/oauth/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\ngrant",
        b"POST /api/catalog/v1/oauth/tokens HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ngrant\r\n",
        b"G",
    ],
    ids=["head", "body", "chunked body", "one byte"],
)
def test_a_request_that_never_ends_is_answered_408(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        started = time.monotonic()
        connection.sendall(sent)
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"RequestTimeout" in answer or b"error" in answer
    assert b"here" in answer
    assert SECONDS * 0.5 < time.monotonic() - started < 15


def test_a_head_that_drips_in_does_not_extend_its_time(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /q/health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(b"y")
                time.sleep(0.05)
        assert time.monotonic() - started < 8


def test_a_connection_that_was_opened_and_not_used_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert everything(connection) == b""


def test_an_idle_connection_serves_again(port: int) -> None:
    request = b"GET /q/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for pause in (SECONDS * 2, 0):
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(pause)
