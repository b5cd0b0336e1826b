"""What counts as a change of the project."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import pytest

from floe_dev.errors import Code, FloeError, Where
from floe_dev.orchestrators.dagster.watch import Watch, read_report, report_file, report_text, write_report


def test_changes_of_the_projects_files_are_seen_once(tmp_path: Path) -> None:
    model = tmp_path / "dbt" / "models" / "a.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1")
    watch = Watch(tmp_path)
    assert not watch.changed()
    model.write_text("select 11")
    assert watch.changed()
    assert not watch.changed()
    os.utime(model, ns=(1, 1))
    assert watch.changed()
    model.unlink()
    assert watch.changed()


def test_what_tools_write_is_not_the_project(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    for name in (".floe/dbt/a.sql", "dbt/target/manifest.yml", "__pycache__/x.py", ".git/y.py", "notes.parquet"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    virtual = tmp_path / "env"
    virtual.mkdir()
    (virtual / "pyvenv.cfg").write_text("")
    (virtual / "module.py").write_text("")
    assert not watch.changed()


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.sql")).write_text("select 1")
    assert not Watch(tmp_path).changed()


def test_the_report_tells_the_error_until_all_is_well(tmp_path: Path) -> None:
    error = RuntimeError("outer")
    error.__cause__ = FloeError(Code.DBT_PARSE_FAILED, "broken", where=Where("a.sql", 3))
    write_report(tmp_path, error)
    told = json.loads(report_file(tmp_path).read_text())
    assert told["code"] == "FLOE4001"
    assert told["where"]["line"] == 3
    assert read_report(tmp_path) == told
    assert "a.sql:3" in report_text(told)
    write_report(tmp_path, None)
    assert not report_file(tmp_path).exists()
    assert read_report(tmp_path) is None
    write_report(tmp_path, None)


def test_the_report_names_the_projects_own_line(tmp_path: Path) -> None:
    module = tmp_path / "assets.py"
    module.write_text("import json\n\njson.loads('{')\n")
    with pytest.raises(ValueError, match="Expecting") as broken:
        runpy.run_path(str(module))
    write_report(tmp_path, broken.value)
    told = read_report(tmp_path)
    assert told is not None
    assert told["where"] == {"file": str(module), "line": 3}
    assert f"at: {module}:3" in report_text(told)
    module.write_text("x = 1\nthis is no Python\n")
    with pytest.raises(SyntaxError) as broken_syntax:
        runpy.run_path(str(module))
    write_report(tmp_path, broken_syntax.value)
    told = read_report(tmp_path)
    assert told is not None
    assert told["where"] == {"file": str(module), "line": 2}
