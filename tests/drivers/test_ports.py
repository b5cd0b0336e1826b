from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from floe_dev.drivers.ports import choose, holder_of, is_free, listens
from tests.drivers.helpers import eventually


def _listener(address: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket()
    sock.bind((address, 0))
    sock.listen()
    return sock


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_replaced_and_its_holder_named(address: str) -> None:
    with _listener(address) as sock:
        wanted = sock.getsockname()[1]
        assert not is_free(wanted)
        choice = choose(wanted)
        assert choice.port != wanted
        assert choice.taken == wanted
        assert choice.holder is not None
        assert f"(pid {os.getpid()})" in choice.holder
    assert is_free(wanted)
    assert choose(wanted).port == wanted


def test_a_port_promised_to_another_service_is_not_given_twice() -> None:
    with _listener() as sock:
        free = sock.getsockname()[1]
    assert choose(free, avoid=frozenset({free})).port != free


def test_the_last_port_taken_still_leads_to_one() -> None:
    assert 0 < choose(65535, avoid=frozenset({65535})).port < 65535


def test_nobody_holds_a_free_port() -> None:
    with _listener() as sock:
        port = sock.getsockname()[1]
    assert holder_of(port) is None


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_whether_a_session_listens() -> None:
    code = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(600)"  # noqa: E501
    leader = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    process = subprocess.Popen([sys.executable, "-c", leader], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        eventually(lambda: listens(port, process.pid) is True, "the leader's child listens, and was not found")
        assert listens(port, os.getsid(0)) is False
        with _listener() as sock:
            assert listens(sock.getsockname()[1], process.pid) is False
    finally:
        os.killpg(process.pid, 9)
        process.communicate()
