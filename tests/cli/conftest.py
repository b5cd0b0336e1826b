"""One embedded stack for all command line tests of a test run, shared by the workers of pytest-xdist."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import floe
from tests.cli.tiny import make_tiny


@dataclass(frozen=True)
class RunningStack:
    """A running project (see `tiny`): its root, and the variables that keep its registry and socket apart."""

    root: Path
    env: dict[str, str]

    def floe(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`floe` in the project's folder."""
        return floe(*arguments, cwd=self.root, env=self.env, **options)

    def json(self, *arguments: str) -> Any:
        """The JSON document of a command that goes well."""
        done = self.floe(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def first_up(self) -> str:
        """What the first `floe up` printed as its summary."""
        return (self.root.parent / "up.stdout").read_text()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The tiny project, up and materialized; the first worker starts it, the last one stops it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home = shared / "cli-stack"
    home.mkdir(exist_ok=True)
    running = RunningStack(home / "my shop ü", {"XDG_STATE_HOME": str(home / "state")})
    users = home / "users"
    with _locked(home / "lock"):
        if _count(users, +1) == 1:
            make_tiny(running.root)
            up = floe("up", cwd=running.root, env=running.env, timeout=240)
            # Where the first worker was through before the second began, this is not the first `up`.
            if not (home / "up.stdout").exists():
                (home / "up.stdout").write_text(up.stdout)
            (home / "up.stderr").write_text(up.stderr)
            assert up.returncode == 0, up.stdout + up.stderr
    try:
        yield running
    finally:
        with _locked(home / "lock"):
            if _count(users, -1) == 0:
                down = floe("down", cwd=running.root, env=running.env, timeout=60)
                assert down.returncode == 0, down.stderr


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(path: Path, change: int) -> int:
    users = (int(path.read_text()) if path.exists() else 0) + change
    path.write_text(str(users))
    return users
