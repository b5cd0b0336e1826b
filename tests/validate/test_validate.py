"""The checklist without a stack: each planted anti-pattern at its line, and none in the sample."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.config.project import load_project
from floe_dev.dbt.profile import write_profile
from floe_dev.model.tables import TableInfo
from floe_dev.orchestrators.dagster.manifest import ensure_manifest
from floe_dev.session import Session
from floe_dev.validate.checks import validate
from floe_dev.validate.result import Finding
from floe_dev.validate.secrets import is_credential
from floe_dev.validate.tables import _iceberg, faults

ROOT = Path(__file__).parents[2]
PLANTED = ROOT / "tests" / "fixtures" / "antipatterns"
_MARK = re.compile(r"# planted: ([a-z:-]+)")
#: What dbt's profile reads; a parse connects to nothing.
POLARIS = {f"POLARIS_{name}": "x" for name in ("URI", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET")}


def planted() -> set[tuple[str, str, int]]:
    """What the comments of the fixture say: check, file, line."""
    return {
        (match.group(1), file.relative_to(PLANTED).as_posix(), number)
        for file in PLANTED.rglob("*.*")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (match := _MARK.search(line))
    }


def copied(source: Path, folder: Path) -> Path:
    root = folder / "project"
    shutil.copytree(source, root, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    return root


def failures(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.status == "failed"]


def test_each_planted_anti_pattern_is_found_at_its_line(tmp_path: Path) -> None:
    root = copied(PLANTED, tmp_path)
    project = load_project(root)
    write_profile(project)
    ensure_manifest(project, {**os.environ, **POLARIS})
    found = failures(validate(Session(root)))
    assert {(finding.check, finding.file, finding.line) for finding in found} == planted()
    assert len(found) == len(planted()), "each is told once"
    assert all(finding.fix for finding in found)
    assert "not-a-real-one" not in json.dumps([finding.model_dump() for finding in found])


def test_the_sample_is_green_and_what_needs_the_stack_is_skipped(tmp_path: Path) -> None:
    root = copied(ROOT / "sample_project", tmp_path)
    found = validate(Session(root))
    assert failures(found) == []
    skipped = {finding.check: finding for finding in found if finding.status == "skipped"}
    assert set(skipped) == {"manifest", "credentials", "tables", "lineage", "ticks", "partitions"}
    assert all(finding.fix == "floe up" for finding in skipped.values())


def test_the_command_exits_with_1_and_says_where(tmp_path: Path) -> None:
    root = copied(PLANTED, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "validate", "--project", str(root), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["schemaVersion"] == 1
    assert document["code"] == "FLOE1401"
    assert any(finding["file"] == "pipeline/assets.py" for finding in document["findings"])


def test_a_wrong_configuration_hides_no_other_finding(tmp_path: Path) -> None:
    root = copied(PLANTED, tmp_path)
    (root / "floe.yaml").write_text("name: planted\nversion: '1'\ncatalog: defualt\n")
    found = failures(validate(Session(root)))
    wrong = next(finding for finding in found if finding.check == "configuration")
    assert (wrong.file, wrong.line) == ("floe.yaml", 3)
    assert "FLOE1204" in wrong.message
    assert {"python:writes", "yaml"} <= {finding.check for finding in found}


def test_files_that_do_not_parse_are_told(tmp_path: Path) -> None:
    root = copied(ROOT / "sample_project", tmp_path)
    (root / "broken.py").write_text("x = 1\ndef f(:\n")
    (root / "broken.yml").write_text("a: [1\n")
    found = validate(Session(root))
    assert [(finding.file, finding.line) for finding in failures(found)] == [("broken.py", 2)]
    assert "broken.yml" in [finding.file for finding in found if finding.status == "skipped"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("password", "hunter2", True),
        ("s3.secret-access-key", "abc", True),
        ("clientSecret", "abc", True),
        ("password", "{{ env_var('PASSWORD') }}", False),
        ("password", "${PASSWORD}", False),
        ("client_secret", "POLARIS_CLIENT_SECRET", False),
        ("password", "", False),
        ("password", None, False),
        ("passwords_seen", "many", False),
        ("secret_ref", "polaris-client-id", False),
    ],
)
def test_what_counts_as_a_credential(name: str, value: object, expected: bool) -> None:
    assert is_credential(name, value) is expected


def test_what_a_table_lacks_is_said() -> None:
    metadata = {
        "current-schema-id": 0,
        "schemas": [{"schema-id": 0, "fields": [{"id": 1, "name": "Id", "type": "long", "required": False}]}],
    }
    table = TableInfo(("gold",), "t", "table", "u", "file:///t", 2, metadata, metadata_location=None)
    told = faults(table, {"id": "string", "missing": None})
    assert len(told) == 4
    assert "snapshot" in told[1]
    assert told[2].endswith(": missing")
    assert told[3] == "its contract says that id is string; it is long"


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("bigint", "long"),
        ("VARCHAR", "string"),
        ("decimal(10,2)", "decimal(10, 2)"),
        ("timestamp", "timestamp"),
        ("smallint", "int"),
        ("integer[]", None),
        ("no_such_type", None),
        (None, None),
    ],
)
def test_a_contracts_type_is_compared_as_iceberg_writes_it(declared: str | None, stored: str | None) -> None:
    assert _iceberg(declared) == stored
