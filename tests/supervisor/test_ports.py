"""Ports of stacks that start at the same moment, and what counts as an answer at one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.model.stack import Probe
from floe_dev.supervisor.ports import PortClaims
from floe_dev.supervisor.probe import ProbeAnswer, ask
from tests.catalog.server import free_port


def test_a_claimed_port_is_not_given_to_another_stack_and_its_owner_is_named(tmp_path: Path) -> None:
    wanted = free_port()
    script = (
        "import sys; from pathlib import Path; from floe_dev.supervisor.ports import PortClaims\n"
        "claims = PortClaims(Path(sys.argv[1])); print(claims.choose(int(sys.argv[2])).port, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "first"), str(wanted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == wanted
        choice = PortClaims(tmp_path / "second").choose(wanted)
        assert choice.port != wanted
        assert choice.taken == wanted
        assert "first" in str(choice.holder)
        other.kill()
    # Nothing needs cleaning up after a killed stack.
    assert PortClaims(tmp_path / "third").choose(wanted).port == wanted


def test_one_stack_never_gets_one_port_twice(tmp_path: Path) -> None:
    claims = PortClaims(tmp_path)
    wanted = free_port()
    assert claims.choose(wanted).port != claims.choose(wanted).port


@pytest.mark.parametrize(("first", "ready"), [(b"", False), (b"hello", True), (None, True)])
def test_a_connection_that_is_hung_up_at_once_is_no_answer(first: bytes | None, ready: bool) -> None:
    """An engine accepts for a container in which nothing listens yet; None: it waits for us to speak."""

    async def asked() -> ProbeAnswer:
        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if first is not None:
                writer.write(first)
                writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            return await ask(Probe(path=None), server.sockets[0].getsockname()[1], "instance")

    assert asyncio.run(asked()).ready is ready
