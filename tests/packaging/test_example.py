"""The example pipeline in a clean environment: the wheel, eight workers, and the capsule of a planted failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]


def _do(*command: str | Path, cwd: Path, codes: tuple[int, ...] = (0,), **environment: str) -> str:
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


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the example, and the `bin` of an environment with it and the wheel."""
    folder = tmp_path_factory.mktemp("example")
    _do(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    source = folder / "orders-pipeline"
    ignored = shutil.ignore_patterns("capsules", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "docs" / "examples" / "orders-pipeline", source, ignore=ignored)
    python = folder / "venv" / "bin" / "python"
    wanted = [f"floe_dev[test] @ {wheel.as_uri()}", f"{source}[test]", "-c", str(ROOT / "constraints.txt")]
    if uv := shutil.which("uv"):
        _do(uv, "venv", "-q", "--python", sys.executable, folder / "venv", cwd=folder)
    else:
        _do(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    _install(python, *wanted, cwd=folder)
    return source, python.parent


def _install(python: Path, *wanted: str, cwd: Path) -> None:
    if uv := shutil.which("uv"):
        _do(uv, "pip", "install", "-q", "--python", python, *wanted, cwd=cwd)
    else:
        _do(python, "-m", "pip", "install", "-q", *wanted, cwd=cwd)


def test_it_passes_with_eight_workers(example: tuple[Path, Path]) -> None:
    source, programs = example
    text = _do(programs / "python", "-m", "pytest", "-q", "-n", "8", cwd=source)
    assert " passed" in text
    assert "failed" not in text
    assert not (source / "capsules").exists()


def test_a_planted_failure_leaves_a_capsule_that_shows_the_cause(example: tuple[Path, Path], tmp_path: Path) -> None:
    source, programs = example
    planted = ("-m", "pytest", "-q", "tests/test_planted.py")
    _do(programs / "python", *planted, cwd=source, codes=(1,), PLANT_A_FAILURE="1")
    (file,) = (source / "capsules").glob("*.zip")
    alone = Path(shutil.copy(file, tmp_path / "capsule.zip"))
    shutil.rmtree(source / "capsules")
    assert "no_such_column" in _do(programs / "floe", "open", alone, cwd=tmp_path)
    listed = json.loads(_do(programs / "floe", "traces", "--capsule", alone, "--json", cwd=tmp_path))["traces"]
    assert [trace["state"] for trace in listed] == ["error"]
    shown = _do(programs / "floe", "traces", "--capsule", alone, listed[0]["trace_id"], "--json", cwd=tmp_path)
    assert "no_such_column" in shown
    assert "model broken" in shown


def test_it_passes_forked_with_a_pytest_that_pytest_forked_works_with(example: tuple[Path, Path]) -> None:
    """The last one of this module: it exchanges the environment's pytest."""
    source, programs = example
    _install(programs / "python", "pytest<9.1", "pytest-forked", cwd=source)
    text = _do(programs / "python", "-m", "pytest", "-q", "-n", "2", "--forked", cwd=source)
    assert " passed" in text
    assert "failed" not in text
