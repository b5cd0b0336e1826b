"""The sample compiled: same bytes, no secret, no orchestrator's types; damaged and old files refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.config.artifacts import content_hash, read_artifacts, to_text
from floe_dev.errors import Code, FloeError

SAMPLE = Path(__file__).parents[2] / "sample_project"


def compiled(root: Path, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "compile", "--project", str(root), "-o", str(file), *more],
        capture_output=True,
        text=True,
        check=False,
    )


def sample(folder: Path) -> Path:
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    return folder


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compile")
    done = compiled(sample(folder / "one"), folder / "one.json", "--package")
    assert done.returncode == 0, done.stderr
    return folder / "one.json"


def test_the_same_inputs_give_the_same_bytes_in_another_folder(artifacts: Path, tmp_path: Path) -> None:
    done = compiled(sample(tmp_path / "elsewhere ü"), tmp_path / "one.json", "--package")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.json").read_bytes() == artifacts.read_bytes()


def test_it_holds_the_graph_in_no_orchestrators_terms(artifacts: Path) -> None:
    read = read_artifacts(artifacts)
    nodes = {node.key: node for node in read.assets}
    assert nodes["silver/stg_orders"].dbt_node == "model.shop.stg_orders"
    assert nodes["silver/stg_orders"].depends_on == ("bronze/raw_orders",)
    assert nodes["bronze/raw_orders"].dbt_node is None
    assert nodes["gold/daily_traffic"].partitioned
    assert "dagster" not in json.dumps([node.model_dump() for node in read.assets]).lower()
    assert read.platform.catalogs["default"].uri == "http://127.0.0.1:8181/api/catalog"
    assert str(artifacts.parent) not in artifacts.read_text()


def changed(artifacts: Path, file: Path, *, rehash: bool = False, **values: object) -> Path:
    content = {**json.loads(artifacts.read_text()), **values}
    if rehash:
        content["content_hash"] = content_hash(content)
    file.write_text(to_text(content))
    return file


def test_a_file_edited_by_hand_is_refused(artifacts: Path, tmp_path: Path) -> None:
    file = changed(artifacts, tmp_path / "edited.json", lineage_namespace="mine")
    with pytest.raises(FloeError) as caught:
        read_artifacts(file)
    assert caught.value.code is Code.ARTIFACTS_CHANGED
    assert caught.value.where is not None
    assert caught.value.where.file == file
    assert file.read_text().splitlines()[(caught.value.where.line or 0) - 1].startswith(' "content_hash"')


@pytest.mark.parametrize(("version", "fix"), [(0, "floe compile"), (99, "pip install --upgrade floe_dev")])
def test_another_version_is_refused_with_the_upgrade_to_make(
    artifacts: Path, tmp_path: Path, version: int, fix: str
) -> None:
    with pytest.raises(FloeError) as caught:
        read_artifacts(changed(artifacts, tmp_path / "old.json", rehash=True, format_version=version))
    assert caught.value.code is Code.ARTIFACTS_VERSION
    assert caught.value.fix == fix
    assert caught.value.where is not None
    assert caught.value.where.line is not None


def test_a_file_of_the_first_version_is_read(artifacts: Path, tmp_path: Path) -> None:
    content = json.loads(artifacts.read_text())
    del content["dbt"]["packaged_project_dir"]
    old = changed(artifacts, tmp_path / "old.json", rehash=True, format_version=1, dbt=content["dbt"])
    read = read_artifacts(old)
    assert read.dbt is not None
    assert read.dbt.packaged_project_dir is None
    assert read.assets == read_artifacts(artifacts).assets


DEPLOYMENT = """
import json
from pathlib import Path

from floe_dev.orchestrators.dagster import build_definitions

defs = build_definitions(Path("app/one.json"))
graph = defs.resolve_asset_graph()
print(json.dumps({
    "assets": sorted("/".join(key.path) for key in graph.get_all_asset_keys()),
    "jobs": sorted(job.name for job in defs.jobs),
    "schedules": {each.name: each.default_status.value for each in defs.schedules},
    "sources": sorted({
        reference.file_path
        for key in graph.get_all_asset_keys()
        for references in [graph.get(key).metadata.get("dagster/code_references")] if references
        for reference in references.code_references
    }),
}))
"""


def deploy(artifacts: Path, folder: Path) -> Path:
    """What an image of the project holds: its Python package, the file and the packaged dbt project."""
    app = folder / "app"
    app.mkdir()
    shutil.copy(artifacts, app)
    shutil.copytree(artifacts.with_name("one.dbt"), app / "one.dbt")
    shutil.copytree(SAMPLE / "shop", app / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    return app


def deployed(folder: Path) -> subprocess.CompletedProcess[str]:
    names = ("URI", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "DBT_", "DAGSTER"))}
    return subprocess.run(
        [sys.executable, "-c", DEPLOYMENT],
        cwd=folder,
        env={**clean, **{f"POLARIS_{name}": "x" for name in names}, "FLOE_PLATFORM_ENV": "production"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_deployment_needs_neither_of_the_two_files_and_no_parse(artifacts: Path, tmp_path: Path) -> None:
    app = deploy(artifacts, tmp_path)
    done = deployed(tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    read = read_artifacts(artifacts)
    assert loaded["assets"] == [node.key for node in read.assets]
    assert {*read.spec.orchestration.jobs} <= {*loaded["jobs"]}
    assert set(loaded["schedules"].values()) == {"STOPPED"}
    packaged = [source for source in loaded["sources"] if source.endswith("metrics.sql")]
    assert packaged == [str(app / "one.dbt" / "models" / "marts" / "metrics.sql")]
    assert not list(app.rglob("partial_parse.msgpack")), "dbt was run"


def test_a_dbt_project_that_asks_for_another_profile_is_refused_with_its_line(artifacts: Path, tmp_path: Path) -> None:
    app = deploy(artifacts, tmp_path)
    file = app / "one.dbt" / "dbt_project.yml"
    file.write_text(file.read_text().replace("profile: shop", "profile: other"))
    line = file.read_text().splitlines().index("profile: other") + 1
    done = deployed(tmp_path)
    assert "FLOE1303" in done.stderr
    assert f"dbt_project.yml:{line}" in done.stderr


def test_a_credential_is_never_compiled(tmp_path: Path) -> None:
    root = sample(tmp_path / "leaky")
    text = (root / "platform.yaml").read_text()
    (root / "platform.yaml").write_text(text.replace("{threads: 4}", "{threads: 4, s3_secret_access_key: hunter2}"))
    done = compiled(root, tmp_path / "leaky.json")
    assert done.returncode == 3
    assert "FLOE1404" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert not (tmp_path / "leaky.json").exists()
