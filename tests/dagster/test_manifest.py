"""The manifest: parsed when something changed, and dbt's own words when it does not parse."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.config.project import load_project
from floe_dev.dbt.profile import write_profile
from floe_dev.errors import Code, FloeError
from floe_dev.model.project import Project
from floe_dev.orchestrators.dagster.definitions import build_definitions
from floe_dev.orchestrators.dagster.manifest import ensure_manifest, is_current, manifest_path, parse_error
from tests.dagster.conftest import copy_sample


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("FLOE_PROJECT_DIR", "FLOE_FORK_SOCKET", "FLOE_PLATFORM_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("URI", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"POLARIS_{name}", "http://127.0.0.1:1/api/catalog" if name == "URI" else "nobody")
    loaded = load_project(copy_sample(tmp_path))
    write_profile(loaded)
    return loaded


def test_it_is_parsed_once_and_again_after_a_change(project: Project) -> None:
    assert ensure_manifest(project) == "parsed"
    first = manifest_path(project).stat().st_mtime_ns
    assert ensure_manifest(project) == "unchanged"
    assert manifest_path(project).stat().st_mtime_ns == first
    model = project.root / "dbt" / "models" / "marts" / "metrics.sql"
    model.write_text(model.read_text() + "\n-- changed\n")
    assert not is_current(project)
    assert ensure_manifest(project) == "parsed"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("models/marts/hot.sql", "select * from {{ ref('nothing') }}", "nothing"),
        ("models/marts/hot.sql", "select 1\nfrom {{ ref('orders' }}", "expected"),
        ("models/marts/hot.yml", "version: 2\nmodels:\n  - name: [", "hot.yml"),
    ],
)
def test_what_does_not_parse_is_told_with_its_file(project: Project, name: str, text: str, told: str) -> None:
    file = project.root / "dbt" / name
    file.write_text(text)
    with pytest.raises(FloeError) as caught:
        ensure_manifest(project)
    error = caught.value
    assert error.code is Code.DBT_PARSE_FAILED
    assert told in "\n".join([error.why or "", *error.detail])
    assert error.where is not None
    assert Path(error.where.file) == file
    assert not is_current(project)


def test_a_project_that_was_never_started_is_told_to_start(project: Project) -> None:
    (project.layout.dbt_dir / "profiles.yml").unlink()
    with pytest.raises(FloeError, match="no profile yet") as caught:
        ensure_manifest(project)
    assert caught.value.fix == "floe up"


def test_dbts_first_sentence_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("")
    output = (
        "20:00:01  Encountered an error:\n"
        "Compilation Error in model a (models/a.sql)\n"
        "  unexpected '}'\n"
        "    line 3\n"
        "      {{ x }\n"
    )
    error = parse_error(tmp_path, output)
    assert error.why == "Compilation Error in model a (models/a.sql): unexpected '}' line 3"
    assert error.where is not None
    assert (Path(error.where.file), error.where.line) == (tmp_path / "models" / "a.sql", 3)


def test_output_without_any_error_line(tmp_path: Path) -> None:
    error = parse_error(tmp_path, "Killed\n")
    assert error.why == "Killed"
    assert error.where is not None
    assert Path(error.where.file).name == "dbt_project.yml"


def test_models_in_a_circle_are_refused_with_their_files(project: Project) -> None:
    marts = project.root / "dbt" / "models" / "marts"
    (marts / "hen.sql").write_text("select * from {{ ref('egg') }}")
    (marts / "egg.sql").write_text("select * from {{ ref('hen') }}")
    ensure_manifest(project)
    with pytest.raises(FloeError) as caught:
        build_definitions(project)
    error = caught.value
    assert error.code is Code.ASSET_CYCLE
    assert error.why in ("hen -> egg -> hen", "egg -> hen -> egg")
    assert error.where is not None
    assert Path(error.where.file) in (marts / "hen.sql", marts / "egg.sql")
