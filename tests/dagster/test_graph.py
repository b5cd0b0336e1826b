"""What is refused before Dagster loads it: keys that are taken, circles, a manifest of another dbt."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from floe_dev.config.project import load_project
from floe_dev.dbt.profile import check_profile, write_profile
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.project import Project
from floe_dev.orchestrators.dagster.automation import check_started_jobs, project_automation
from floe_dev.orchestrators.dagster.definitions import asset_modules
from floe_dev.orchestrators.dagster.graph import check_dbt_keys, check_graph
from floe_dev.orchestrators.dagster.manifest import check_version
from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator
from tests.cli.tiny import PLATFORM_YAML


def project(tmp_path: Path, orchestration: str = "") -> Project:
    text = f'name: tiny\nversion: "1.0.0"\ncatalog: default\n{orchestration}'
    (tmp_path / "floe.yaml").write_text(text)
    (tmp_path / "platform.yaml").write_text(PLATFORM_YAML)
    return load_project(tmp_path, {})


def node(kind: str, name: str, schema: str = "silver") -> dict[str, Any]:
    return {"resource_type": kind, "name": name, "schema": schema, "original_file_path": f"models/{name}.sql"}


def test_a_source_that_is_a_models_own_table_is_refused(tmp_path: Path) -> None:
    manifest = {"nodes": {"a": node("model", "orders")}, "sources": {"b": node("source", "orders")}}
    with pytest.raises(FloeError) as refused:
        check_dbt_keys(project(tmp_path), manifest, FloeDbtTranslator())
    assert refused.value.code is Code.ASSET_KEY_TWICE
    assert "silver/orders" in refused.value.what
    assert "ref('orders')" in str(refused.value.fix)


def test_two_models_that_are_one_table_are_refused_and_two_sources_are_not(tmp_path: Path) -> None:
    twice = {"nodes": {"a": node("model", "orders"), "b": {**node("model", "other"), "alias": "orders"}}}
    with pytest.raises(FloeError, match="FLOE1304"):
        check_dbt_keys(project(tmp_path), twice, FloeDbtTranslator())
    sources = {"a": node("source", "orders"), "b": node("source", "orders")}
    check_dbt_keys(project(tmp_path), {"nodes": {}, "sources": sources}, FloeDbtTranslator())


def line_of(text: str, found: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if found in line)


def test_a_source_that_is_a_models_table_is_told_at_its_line(tmp_path: Path) -> None:
    text = "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: other\n      - name: orders\n"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sources.yml").write_text(text)
    source = {**node("source", "orders"), "source_name": "raw", "original_file_path": "models/sources.yml"}
    with pytest.raises(FloeError) as refused:
        check_dbt_keys(
            project(tmp_path), {"nodes": {"a": node("model", "orders")}, "sources": {"b": source}}, FloeDbtTranslator()
        )
    assert refused.value.where is not None
    assert (Path(refused.value.where.file).name, refused.value.where.line) == ("sources.yml", 6)


@dg.asset(key=["silver", "orders"])
def first_orders() -> None: ...


@dg.asset(key=["silver", "orders"])
def second_orders() -> None: ...


@dg.asset(key=["s", "a"], deps=[dg.AssetKey(["s", "b"])])
def of_the_circle_a() -> None: ...


@dg.asset(key=["s", "b"], deps=[dg.AssetKey(["s", "a"])])
def of_the_circle_b() -> None: ...


def test_an_asset_that_is_made_twice_is_refused_at_the_second(tmp_path: Path) -> None:
    both = [dg.Definitions(assets=[each]) for each in (first_orders, second_orders)]
    with pytest.raises(FloeError, match="FLOE1304") as refused:
        check_graph(project(tmp_path), both)
    text = Path(__file__).read_text()
    assert refused.value.where is not None
    assert Path(refused.value.where.file) == Path(__file__)
    assert refused.value.where.line == line_of(text, "def second_orders") - 1
    assert f"{Path(__file__).name}:{line_of(text, 'def first_orders') - 1}" in str(refused.value.why)


def test_a_circle_is_named_with_the_lines_of_its_assets(tmp_path: Path) -> None:
    with pytest.raises(FloeError) as refused:
        check_graph(project(tmp_path), [dg.Definitions(assets=[each]) for each in (of_the_circle_a, of_the_circle_b)])
    assert refused.value.code is Code.ASSET_CYCLE
    assert "s/a -> s/b" in str(refused.value.why) or "s/b -> s/a" in str(refused.value.why)
    text = Path(__file__).read_text()
    assert refused.value.where is not None
    lines = {line_of(text, f"def of_the_circle_{name}") - 1 for name in "ab"}
    assert refused.value.where.line in lines
    assert len(refused.value.detail) == 2


@dg.asset(key_prefix="s", partitions_def=dg.DailyPartitionsDefinition("2025-01-01"))
def of_each_day() -> None: ...


def test_a_job_that_is_started_without_a_partition_selects_no_partitioned_asset(tmp_path: Path) -> None:
    jobs = 'orchestration:\n  jobs:\n    all: {select: "*"}\n'
    jobs += '    some: {select: "key:elsewhere or not key:s/of_each_day"}\n'
    by_hand = project(tmp_path, jobs)
    definitions = dg.Definitions(assets=[of_each_day, of_the_circle_a])
    check_started_jobs(by_hand, definitions)
    fine = project(tmp_path, jobs + '  schedules:\n    night: {job: some, cron: "0 3 * * *"}\n')
    check_started_jobs(fine, definitions)
    with pytest.raises(FloeError, match=r"FLOE1202.*s/of_each_day") as refused:
        check_started_jobs(
            project(tmp_path, jobs + "  sensors:\n    drop: {type: file, path: in, job: all}\n"), definitions
        )
    assert "`drop` would start" in str(refused.value.why)
    assert refused.value.where is not None
    assert refused.value.where.line == 6


def test_a_manifest_of_another_dbt_is_refused_at_the_line_that_names_it(tmp_path: Path) -> None:
    declared = project(tmp_path, "orchestration:\n  dbt: {manifest_path: manifest.json}\n")
    with pytest.raises(FloeError, match="FLOE1102"):
        check_version(declared)
    (tmp_path / "manifest.json").write_text(json.dumps({"metadata": {"dbt_version": "1.3.0"}}))
    with pytest.raises(FloeError, match="FLOE1302") as refused:
        check_version(declared)
    assert refused.value.where is not None
    assert (Path(refused.value.where.file).name, refused.value.where.line) == ("floe.yaml", 5)


def test_a_profile_without_the_target_of_floe_yaml_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "dbt_project.yml").write_text("name: tiny\nprofile: tiny\n")
    (tmp_path / "dbt" / "profiles.yml").write_text("tiny: {target: dev, outputs: {dev: {type: floe}}}\n")
    declared = project(tmp_path, "transforms:\n  - type: dbt\n    path: dbt\n    target: production\n")
    with pytest.raises(FloeError, match="FLOE1303") as refused:
        check_profile(declared, tmp_path / "dbt")
    assert "floe.yaml:7" in str(refused.value)
    (tmp_path / "dbt" / "profiles.yml").write_text("other: {target: dev, outputs: {dev: {type: floe}}}\n")
    with pytest.raises(FloeError, match="FLOE1303") as refused:
        check_profile(declared, tmp_path / "dbt")
    assert "dbt_project.yml:2" in str(refused.value)
    written = write_profile(declared)
    assert written is not None
    check_profile(declared, written.parent)


BAD = """\
orchestration:
  partitions:
    days: {type: daily, start: "2025-01-01"}
  jobs:
    all: {select: "*"}
    daily: {select: "*", partitions: days}
"""


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ('  schedules:\n    night: {job: all, cron: "61 6 * * *"}\n', 8, "61 6"),
        ('  schedules:\n    night: {job: all, cron: "0 6 * * *", timezone: Mars/Base}\n', 8, "Mars/Base"),
        ("  sensors:\n    drop: {type: file, job: all}\n", 8, "path"),
        ("  sensors:\n    drop: {type: snapshot, table: a.b, job: daily}\n", 8, "partitioned"),
    ],
)
def test_what_dagster_does_not_take_names_its_line(tmp_path: Path, lines: str, line: int, words: str) -> None:
    with pytest.raises(FloeError) as refused:
        project_automation(project(tmp_path, BAD + lines))
    assert refused.value.code is Code.INVALID_VALUE
    assert refused.value.where is not None
    # Three lines stand before `orchestration`.
    assert refused.value.where.line == line + 3
    assert words in str(refused.value)


def test_an_asset_module_that_does_not_import_is_told_at_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "broken_module_of_a_test.py").write_text("ROWS = 1\n\nnothing\n")
    declared = project(tmp_path, "orchestration:\n  asset_modules: [broken_module_of_a_test, no_such_module]\n")
    with pytest.raises(FloeError, match="nothing") as refused:
        asset_modules(declared)
    assert refused.value.code is Code.DEFINITIONS_FAILED
    assert refused.value.where == Where(tmp_path / "broken_module_of_a_test.py", 3)
    (tmp_path / "broken_module_of_a_test.py").write_text("ROWS = 1\n")
    importlib.invalidate_caches()
    with pytest.raises(FloeError, match="no_such_module") as missing:
        asset_modules(declared)
    assert "broken_module" not in str(missing.value)


def test_a_second_dbt_project_is_refused_at_its_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(FloeError) as refused:
        project(tmp_path, "transforms:\n  - {type: dbt, path: a}\n  - {type: dbt, path: b}\n")
    assert refused.value.code is Code.SEVERAL_DBT_PROJECTS
    assert refused.value.where is not None
    assert refused.value.where.line == 6


def test_what_starts_runs_is_off_unless_enabled_and_always_off_elsewhere(tmp_path: Path) -> None:
    lines = (
        '  schedules:\n    a: {job: all, cron: "0 6 * * *"}\n    b: {job: all, cron: "0 7 * * *", enabled: true}\n'
        "  sensors:\n    c: {type: file, path: inbox, job: all, enabled: true}\n"
    )
    here = project_automation(project(tmp_path, BAD + lines))
    assert [schedule.default_status.value for schedule in here.schedules] == ["STOPPED", "RUNNING"]
    assert [sensor.default_status.value for sensor in here.sensors] == ["RUNNING"]
    elsewhere = project_automation(project(tmp_path, BAD + lines), start_switched_off=True)
    assert {schedule.default_status.value for schedule in elsewhere.schedules} == {"STOPPED"}
    assert {sensor.default_status.value for sensor in elsewhere.sensors} == {"STOPPED"}


def test_a_file_sensor_asks_for_a_run_once_for_each_change(tmp_path: Path) -> None:
    lines = "  sensors:\n    drop: {type: file, path: inbox, job: all}\n"
    (sensor,) = project_automation(project(tmp_path, BAD + lines)).sensors

    @dg.asset
    def anything() -> None: ...

    repository = dg.Definitions(assets=[anything], jobs=[dg.define_asset_job("all", "*")]).get_repository_def()

    def tick(cursor: str | None) -> Any:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
            return sensor.evaluate_tick(context)

    assert "no folder" in tick(None).skip_message
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "new.csv").write_text("1")
    first = tick(None)
    assert [request.tags["floe/files"] for request in first.run_requests] == ["new.csv"]
    assert not tick(first.cursor).run_requests
    (tmp_path / "inbox" / "new.csv").write_text("12")
    assert len(tick(first.cursor).run_requests) == 1
