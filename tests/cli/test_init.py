"""`floe init` on empty, odd and occupied folders."""

from __future__ import annotations

import json
from pathlib import Path

from floe_dev.config.project import load_project
from floe_dev.errors import ExitCode
from tests.cli.helpers import floe


def test_a_new_project_loads(tmp_path: Path) -> None:
    done = floe("init", "Mein Läden 1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    root = tmp_path / "Mein Läden 1"
    content = json.loads(done.stdout)
    assert content["project"] == str(root)
    assert load_project(root).spec.name == content["name"]
    assert not any(name.startswith((".floe/", "dbt/target/")) for name in content["files"])
    assert ".floe/" in (root / ".gitignore").read_text().splitlines()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = floe("init", cwd=tmp_path)
    assert done.returncode == ExitCode.CONFIG
    assert "FLOE1003" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = floe("init", "file/below", cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
