"""A disk that fills up under a running stack: a real file system of some megabytes, where the machine mounts one."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_dev.errors import Code, ExitCode
from tests.cli.helpers import floe
from tests.cli.tiny import make_tiny

pytestmark = pytest.mark.stack


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting needs root")
    root = make_tiny(disk / "project")
    try:
        yield root
    finally:
        floe("down", cwd=root)
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_run_that_a_full_disk_keeps_from_starting_says_so(small_disk: Path) -> None:
    """It was told as Dagster's refusal, with a database's words and the advice to read a log."""
    up = floe("up", "--no-run", cwd=small_disk, timeout=240)
    assert up.returncode == 0, up.stderr
    ballast = small_disk.parent / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    refused = floe("run", cwd=small_disk)
    assert refused.returncode == ExitCode.MACHINE, refused.stderr
    assert Code.DISK_FULL.id in refused.stderr
    assert "fix: free some space" in refused.stderr
    ballast.unlink()
    done = floe("run", cwd=small_disk)
    assert done.returncode == 0, done.stderr
