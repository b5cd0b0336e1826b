from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from floe_dev.drivers.markers import MARKER, kill_marked, marked
from tests.drivers.helpers import alive, eventually, number_in

SLEEP = "import time; time.sleep(600)"
#: Starts a grandchild in a session of its own, which no process group reaches, and ignores SIGTERM.
FAMILY = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
open(sys.argv[1], "w").write(f"{{grandchild.pid}}\\n")
time.sleep(600)
"""


def _start(instance: str, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", *command], env={**os.environ, MARKER: instance})


def test_only_what_carries_the_marker_is_ended_grandchildren_included(tmp_path: Path) -> None:
    key = uuid.uuid4().hex
    ours = _start(f"{key}-1", FAMILY, str(tmp_path / "grandchild"))
    earlier = _start(f"{key}-0", SLEEP)
    other = _start(uuid.uuid4().hex, SLEEP)
    try:
        grandchild = number_in(tmp_path / "grandchild")
        assert set(marked(f"{key}-1")) == {ours.pid, grandchild}
        assert set(marked(f"{key}-")) == {ours.pid, grandchild, earlier.pid}
        assert set(kill_marked(f"{key}-1", grace_seconds=0.3)) == {ours.pid, grandchild}
        assert ours.wait() == -signal.SIGKILL
        assert not alive(grandchild)
        assert alive(earlier.pid)
        assert kill_marked(f"{key}-") == [earlier.pid]
        assert alive(other.pid)
        assert kill_marked(f"{key}-") == []
    finally:
        for process in (ours, earlier, other):
            process.kill()
            process.wait()


def test_the_guardian_ends_everything_once_its_supervisor_is_gone(tmp_path: Path) -> None:
    key = uuid.uuid4().hex
    ours = _start(key, FAMILY, str(tmp_path / "grandchild"))
    grandchild = number_in(tmp_path / "grandchild")
    guardian = subprocess.Popen([sys.executable, "-m", "floe_dev.drivers.guardian", key], stdin=subprocess.PIPE)
    try:
        time.sleep(0.5)
        guardian.send_signal(signal.SIGTERM)  # Ctrl-C and a polite kill do not take the guard away
        assert guardian.poll() is None
        assert alive(ours.pid)
        assert guardian.stdin is not None
        guardian.stdin.close()
        assert guardian.wait(20) == 0
        assert ours.wait(5) == -signal.SIGKILL
        eventually(lambda: not alive(grandchild), "the grandchild outlived the guardian")
    finally:
        for process in (ours, guardian):
            process.kill()
            process.wait()
