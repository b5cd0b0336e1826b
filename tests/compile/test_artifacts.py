"""The sample compiled: same bytes, no secret, no orchestrator's types; damaged and old files refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.compile.artifacts import read_artifacts
from floe_dev.compile.canonical import content_hash, to_text
from floe_dev.errors import Code, FloeError

SAMPLE = Path(__file__).parents[2] / "sample_project"


def compiled(root: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "compile", "--project", str(root), "-o", str(file)],
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
    done = compiled(sample(folder / "one"), folder / "one.json")
    assert done.returncode == 0, done.stderr
    return folder / "one.json"


def test_the_same_inputs_give_the_same_bytes_in_another_folder(artifacts: Path, tmp_path: Path) -> None:
    done = compiled(sample(tmp_path / "elsewhere ü"), tmp_path / "two.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two.json").read_bytes() == artifacts.read_bytes()


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


def test_another_version_is_refused_with_the_command_that_makes_it_anew(artifacts: Path, tmp_path: Path) -> None:
    with pytest.raises(FloeError) as caught:
        read_artifacts(changed(artifacts, tmp_path / "old.json", rehash=True, format_version=0))
    assert caught.value.code is Code.ARTIFACTS_VERSION
    assert caught.value.fix == "floe compile"


def test_a_credential_is_never_compiled(tmp_path: Path) -> None:
    root = sample(tmp_path / "leaky")
    text = (root / "platform.yaml").read_text()
    (root / "platform.yaml").write_text(text.replace("{threads: 4}", "{threads: 4, s3_secret_access_key: hunter2}"))
    done = compiled(root, tmp_path / "leaky.json")
    assert done.returncode == 3
    assert "FLOE1404" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert not (tmp_path / "leaky.json").exists()
