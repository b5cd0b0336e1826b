"""The example pipeline in a clean environment: the wheel, eight workers, and the capsule of a planted failure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, Environment, do

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def example(dist: Path, environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, installed beside the wheel with what its tests need."""
    (wheel,) = dist.glob("*.whl")
    source = tmp_path_factory.mktemp("example") / "orders-pipeline"
    ignored = shutil.ignore_patterns("capsules", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "docs" / "examples" / "orders-pipeline", source, ignore=ignored)
    environment.install(f"floe_dev[test] @ {wheel.as_uri()}", f"{source}[test]")
    return source


def test_it_passes_with_eight_workers(example: Path, environment: Environment) -> None:
    text = do(environment.python, "-m", "pytest", "-q", "-n", "8", cwd=example)
    assert " passed" in text
    assert "failed" not in text
    assert not (example / "capsules").exists()


def test_a_planted_failure_leaves_a_capsule_that_shows_the_cause(
    example: Path, environment: Environment, tmp_path: Path
) -> None:
    planted = ("-m", "pytest", "-q", "tests/test_planted.py")
    do(environment.python, *planted, cwd=example, codes=(1,), PLANT_A_FAILURE="1")
    (file,) = (example / "capsules").glob("*.zip")
    alone = Path(shutil.copy(file, tmp_path / "capsule.zip"))
    shutil.rmtree(example / "capsules")
    assert "no_such_column" in do(environment.bin / "floe", "open", alone, cwd=tmp_path)
    listed = json.loads(do(environment.bin / "floe", "traces", "--capsule", alone, "--json", cwd=tmp_path))["traces"]
    assert [trace["state"] for trace in listed] == ["error"]
    shown = do(environment.bin / "floe", "traces", "--capsule", alone, listed[0]["trace_id"], "--json", cwd=tmp_path)
    assert "no_such_column" in shown
    assert "model broken" in shown


def test_it_passes_forked_with_a_pytest_that_pytest_forked_works_with(
    example: Path, environment: Environment, tmp_path: Path
) -> None:
    """That pytest is laid over the environment's own."""
    environment.install("--target", tmp_path, "pytest<9.1", "pytest-forked", pinned=False)
    command = ("-m", "pytest", "-q", "-n", "2", "--forked")
    text = do(environment.python, *command, cwd=example, PYTHONPATH=str(tmp_path))
    assert " passed" in text
    assert "failed" not in text
