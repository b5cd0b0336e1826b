"""scripts/bootstrap.py: what it says when something is missing, and that a second run does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment."""
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("scripts/bootstrap.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _bootstrap(checkout: Path, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(checkout / "scripts" / "bootstrap.py")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(checkout), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_python_that_does_not_fit_is_named_with_the_fix(checkout: Path) -> None:
    fake = checkout / "python3.9"
    fake.write_text("#!/bin/sh\necho 3.9\n")
    fake.chmod(0o755)
    done = _bootstrap(checkout, PYTHON=str(fake))
    assert done.returncode == 9
    assert "3.11" in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv").exists()


def test_without_any_way_to_make_an_environment_it_says_what_to_install(checkout: Path) -> None:
    bare = checkout / "python3.11"
    # A Python without ensurepip, virtualenv and pip, as Debian's is without python3-venv.
    bare.write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*|*virtualenv*|*pip*) exit 1;; esac\nexec {sys.executable} "$@"\n'
    )
    bare.chmod(0o755)
    done = _bootstrap(checkout, PYTHON=str(bare))
    assert done.returncode == 9
    assert "apt install python3-venv" in done.stderr


def test_what_uv_made_can_be_gone_on_with_in_a_shell_without_uv(checkout: Path) -> None:
    if (uv := shutil.which("uv")) is None:
        pytest.skip("no uv here: pip install uv")
    program = f"import bootstrap; bootstrap.make_venv({sys.executable!r}, {uv!r})"
    subprocess.run([sys.executable, "-c", program], cwd=checkout / "scripts", check=True)
    asked = [str(checkout / ".venv" / "bin" / "python"), "-m", "pip", "--version"]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_a_second_run_installs_nothing() -> None:
    if not (ROOT / ".venv" / "floe-dev.stamp").is_file():
        pytest.skip("this environment was not made by scripts/bootstrap.py: run `make test`")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "bootstrap.py"), "--dev"],
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "installing" not in done.stderr
    assert time.monotonic() - started < 5


def test_the_pins_name_no_place_and_cover_what_is_declared() -> None:
    files = sorted(ROOT.glob("constraints*.txt"))
    assert len(files) > 1
    lines = [line for file in files for line in file.read_text().splitlines()]
    for line in lines:
        name, _, version = line.partition("==")
        assert name, line
        assert version, line
        assert "/" not in line
