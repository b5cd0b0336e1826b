"""`floe logs` on files, without a stack."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from floe_dev.errors import ExitCode
from floe_dev.model.layout import Layout
from tests.cli.helpers import FLOE, environment, floe


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "floe.yaml").write_text("name: shop\n")
    logs = Layout(tmp_path).logs_dir
    logs.mkdir(parents=True)
    (logs / "catalog.log").write_text("".join(f"c{i}\n" for i in range(100)))
    (logs / "dagster.log").write_bytes(b"caf\xe9\n")
    return tmp_path


def test_last_lines_of_all_are_labelled(project: Path) -> None:
    done = floe("logs", "-n", "2", cwd=project)
    assert done.stdout.splitlines() == ["catalog | c98", "catalog | c99", "dagster | caf\ufffd"]


def test_one_service_is_shown_bare(project: Path) -> None:
    assert floe("logs", "catalog", "-n", "1", cwd=project).stdout == "c99\n"


def test_an_unknown_service_is_told_with_the_known_ones(project: Path) -> None:
    done = floe("logs", "catlog", cwd=project)
    assert done.returncode == ExitCode.USAGE
    assert "catalog, dagster" in done.stderr


def test_no_logs_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "floe.yaml").write_text("name: shop\n")
    done = floe("logs", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == ""
    assert "up" in done.stderr


def test_following_sees_new_lines_and_a_replaced_file(project: Path) -> None:
    log = Layout(project).logs_dir / "catalog.log"
    process = subprocess.Popen(
        [str(FLOE), "logs", "catalog", "-n", "0", "-f"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        time.sleep(1.0)  # it must have seen the old end of the file first
        with log.open("a") as file:
            file.write("new one\n")
        assert process.stdout.readline() == "new one\n"
        log.unlink()
        log.write_text("after rotation\n")
        assert process.stdout.readline() == "after rotation\n"
    finally:
        process.send_signal(2)
        assert process.wait(10) == ExitCode.INTERRUPTED
        process.stdout.close()
