"""A full and a read-only disk: real file systems of a few kilobytes, where the machine lets us mount one."""

from __future__ import annotations

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_dev.config.machine import machine_error
from floe_dev.errors import Code, ExitCode, FloeError
from tests.supervisor.helpers import TinyStack, service


@pytest.fixture
def small_disk(stack: TinyStack, tmp_path: Path) -> Iterator[TinyStack]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting needs root")
    (disk / "project").mkdir()
    there = TinyStack(disk / "project")
    try:
        yield there
    finally:
        there.clean()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(stack: TinyStack, leave: int) -> None:
    with (stack.root / "ballast").open("wb", buffering=0) as file:
        written = 0
        with contextlib.suppress(OSError):
            while True:
                written += file.write(b"x" * 4096)
        file.truncate(max(0, written - leave))


@pytest.mark.parametrize("leave", [0, 4096, 8192])
def test_a_full_disk_is_called_by_its_name(small_disk: TinyStack, leave: int) -> None:
    small_disk.declare(service("a"))
    _fill(small_disk, leave)
    with pytest.raises(FloeError) as full:
        small_disk.up()
    assert full.value.code is Code.DISK_FULL
    assert full.value.exit_code is ExitCode.MACHINE
    assert "free some space" in (full.value.fix or "")
    small_disk.assert_gone()


def test_a_disk_that_fills_up_later_does_not_keep_the_stack_from_ending(small_disk: TinyStack) -> None:
    small_disk.declare(service("a"))
    small_disk.up()
    _fill(small_disk, 0)
    assert small_disk.status() is not None
    small_disk.down()
    small_disk.assert_gone()


def test_a_read_only_disk(small_disk: TinyStack) -> None:
    small_disk.declare(service("a"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.root.parent)], check=True)
    with pytest.raises(FloeError) as refused:
        small_disk.up()
    assert refused.value.code is Code.READ_ONLY
    assert str(small_disk.layout.state_dir) in refused.value.what
    assert small_disk.status() is None
    assert small_disk.down() == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.DISK_FULL),
        (errno.EDQUOT, Code.DISK_FULL),
        (errno.EROFS, Code.READ_ONLY),
        (errno.EACCES, Code.NO_PERMISSION),
        (errno.EPERM, Code.NO_PERMISSION),
    ],
)
def test_what_the_file_system_refused_has_a_code(number: int, code: Code) -> None:
    error = machine_error(OSError(number, "refused"), Path("/x"))
    assert error.code is code
    assert error.why == "refused"
    assert error.fix
