"""Ports of stacks that start at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from floe_dev.supervisor.ports import PortClaims
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
