"""The wheel and the source distribution, and one clean environment with the wheel, made once for both modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own."""

    python: Path

    @property
    def bin(self) -> Path:
        return self.python.parent

    def install(self, *wanted: str | Path, pinned: bool = True) -> None:
        """What an installer makes of the requirements, at our pins if wanted; uv where it is installed, else pip."""
        pins = ("-c", ROOT / "constraints.txt") if pinned else ()
        if uv := shutil.which("uv"):
            do(uv, "pip", "install", "-q", "--python", self.python, *pins, *wanted, cwd=self.bin)
        else:
            do(self.python, "-m", "pip", "install", "-q", *pins, *wanted, cwd=self.bin)


def do(*command: str | Path, cwd: Path, codes: tuple[int, ...] = (0,), **environment: str) -> str:
    """The output of a command that knows nothing of this checkout's environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "UV_CACHE_DIR") if name in os.environ}
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    do(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and what it needs. test_example.py, which comes after test_wheel.py, adds what tests need."""
    (wheel,) = dist.glob("*.whl")
    venv = tmp_path_factory.mktemp("clean") / "venv"
    if uv := shutil.which("uv"):
        do(uv, "venv", "--quiet", "--python", sys.executable, venv, cwd=dist)
    else:
        do(sys.executable, "-m", "venv", venv, cwd=dist)
    made = Environment(venv / "bin" / "python")
    made.install(wheel)
    return made
