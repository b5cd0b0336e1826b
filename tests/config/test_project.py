"""floe.yaml and platform.yaml: upstream's forms, names resolved, problems told where they stand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from floe_dev.config.overlay import write_overlay
from floe_dev.config.project import find_platform, find_project, load_project, platform_candidates
from floe_dev.errors import Code, FloeError
from tests.config.helpers import FLOE, PLATFORM, write_project


def load(root: Path) -> FloeError:
    with pytest.raises(FloeError) as caught:
        load_project(root, {})
    return caught.value


def test_upstreams_forms_are_taken_in_full(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path / "a shop ü"), {})
    assert project.namespaces() == ("raw", "silver")
    assert project.catalog().warehouse == "demo_catalog"
    assert project.spec.orchestration.schedules["every_night"].cron == "0 3 * * *"
    assert project.platform.storage["bronze"].credentials.secret_ref == "aws-credentials"


def test_an_unknown_key_names_file_line_column_path_and_the_nearest(tmp_path: Path) -> None:
    root = write_project(tmp_path, platform=PLATFORM.replace("    warehouse:", "    warehous:"))
    error = load(root)
    assert error.code is Code.INVALID_VALUE  # `warehouse` is missing; the unknown key is told with it
    assert "warehouse" in error.what
    line = next(n for n, text in enumerate(PLATFORM.splitlines(), 1) if "    warehouse:" in text)
    assert f"platform.yaml:{line}:5 (catalogs.default.warehous)" in str(error)
    assert "write `warehouse`" in str(error)


def test_all_problems_of_a_file_come_in_one_error(tmp_path: Path) -> None:
    floe = "nme: shop\nversion: 1.0\ncatalogue: default\ntransforms:\n  - {type: dtb, path: 3}\n"
    text = str(load(write_project(tmp_path, floe=floe)))
    for told in (
        "unknown key `nme`",
        "write `name`",
        '`version: "1.0"`',
        "write `catalog`",
        "write `dbt`",
        "floe.yaml:5:",
    ):
        assert told in text


def test_a_secret_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    platform = PLATFORM.replace("{secret_ref: polaris-client-secret}", "hunter2")
    error = load(write_project(tmp_path, platform=platform))
    assert "hunter2" not in str(error)
    assert "secret_ref" in (error.fix or "")


@pytest.mark.parametrize(
    ("floe", "platform", "file", "told"),
    [
        (FLOE.replace("catalog: default", "catalog: defualt"), PLATFORM, "floe.yaml:4:1", "write `default`"),
        (
            FLOE,
            PLATFORM.replace("storage_ref: bronze, catalog_ref: default}", "storage_ref: bronce}"),
            "platform.yaml:12",
            "write `bronze`",
        ),
        (FLOE.replace("job: nightly, cron", "job: nighty, cron"), PLATFORM, "floe.yaml:16", "write `nightly`"),
        (FLOE.replace("partitions: day, group", "partitions: days, group"), PLATFORM, "floe.yaml:12", "write `day`"),
    ],
)
def test_a_name_nothing_defines_is_told_with_its_line(
    tmp_path: Path, floe: str, platform: str, file: str, told: str
) -> None:
    error = load(write_project(tmp_path, floe, platform))
    assert error.code is Code.UNKNOWN_REFERENCE
    assert file in str(error)
    assert told in str(error)


def test_an_empty_file_says_what_it_needs(tmp_path: Path) -> None:
    text = str(load(write_project(tmp_path, floe="")))
    assert "`name` is missing" in text
    assert "`version` is missing" in text


def test_a_missing_transform_folder_is_told(tmp_path: Path) -> None:
    error = load(write_project(tmp_path, floe=FLOE + "transforms: [{type: dbt, path: nowhere}]\n"))
    assert "nowhere" in error.what
    assert error.where is not None
    assert error.where.line == 23


def test_the_project_is_found_from_below(tmp_path: Path) -> None:
    root = write_project(tmp_path / "p")
    below = root / "dbt" / "models"
    below.mkdir(parents=True)
    assert find_project(below) == root
    with pytest.raises(FloeError) as caught:
        find_project(tmp_path)
    assert caught.value.code is Code.NO_PROJECT


def test_platform_yaml_is_looked_up_in_upstreams_order(tmp_path: Path) -> None:
    for environ, env in (({}, "local"), ({"FLOE_PLATFORM_ENV": "prod"}, "prod")):
        root, home = write_project(tmp_path / env / "p"), tmp_path / env / "home"
        (root / "platform.yaml").unlink()
        candidates = platform_candidates(root, environ, home)
        assert [str(c.parent) for c in candidates[:3]] == [
            f"{root}/platform/{env}",
            f"{root}/.floe/{env}",
            f"{home}/.floe/{env}",
        ]
        for wanted in reversed(candidates):
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.write_text(PLATFORM)
            assert find_platform(root, environ, home) == wanted
    named = tmp_path / "named.yaml"
    named.write_text(PLATFORM)
    assert find_platform(root, {"FLOE_PLATFORM_FILE": str(named)}, home) == named
    with pytest.raises(FloeError, match="no platform"):
        find_platform(root, {"FLOE_PLATFORM_FILE": str(tmp_path / "none")}, home)


def test_dagsters_deployment_names_the_platform_and_a_misspelt_one_is_refused(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    (root / "platform" / "production").mkdir(parents=True)
    (root / "platform" / "production" / "platform.yaml").write_text(PLATFORM.replace("demo_catalog", "analytics"))
    assert load_project(root, {"DAGSTER_DEPLOYMENT": "production"}).catalog().warehouse == "analytics"
    assert load_project(root, {"DAGSTER_DEPLOYMENT": "local"}).catalog().warehouse == "demo_catalog"
    with pytest.raises(FloeError) as refused:
        load_project(root, {"DAGSTER_DEPLOYMENT": "prodution"})
    assert refused.value.code is Code.UNKNOWN_REFERENCE
    assert refused.value.fix == "export DAGSTER_DEPLOYMENT=production"


def test_observed_endpoints_are_laid_over_their_own_file_only(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    before = (root / "platform.yaml").read_bytes()
    layout = load_project(root, {}).layout
    write_overlay(layout, {"default": "http://127.0.0.1:9999/api/catalog"}, root / "platform.yaml")
    assert load_project(root, {}).catalog().uri == "http://127.0.0.1:9999/api/catalog"
    other = tmp_path / "prod.yaml"
    other.write_text(PLATFORM)
    assert ":8181" in load_project(root, {"FLOE_PLATFORM_FILE": str(other)}).catalog().uri
    assert (root / "platform.yaml").read_bytes() == before
    assert layout.overlay_file.stat().st_mode & 0o777 == 0o600


def test_a_damaged_overlay_says_to_delete_it(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    write_overlay(load_project(root, {}).layout, {})
    overlay = root / ".floe" / "platform.yaml"
    overlay.write_text("catalogs: [")
    error = load(root)
    assert str(overlay) in (error.fix or "")


def test_loading_is_fast(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    load_project(root, {})
    best = min(_timed(root) for _ in range(5))
    assert best < 0.04


def _timed(root: Path) -> float:
    began = time.perf_counter()
    load_project(root, {})
    return time.perf_counter() - began


def test_the_sample_projects_files_load(monkeypatch: pytest.MonkeyPatch) -> None:
    project = load_project(Path(__file__).parents[2] / "sample_project", {})
    assert project.catalog().warehouse == "demo_catalog"
    assert project.namespaces() == ("bronze", "silver", "gold")
