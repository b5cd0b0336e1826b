"""The whole checklist on the sample's running stack."""

from __future__ import annotations

import json

import pytest

from floe_dev.session import Session
from floe_dev.validate.checks import CHECKS, validate
from tests.dagster.conftest import Stack

pytestmark = pytest.mark.stack


def test_the_sample_passes_every_check(stack: Stack) -> None:
    runs = "{ runsOrError { ... on Runs { results { id } } } }"
    before = stack.dagster.query(runs)
    done = stack.floe("validate", "--json")
    document = json.loads(done.stdout)
    assert [finding for finding in document["findings"] if finding["status"] != "ok"] == []
    assert done.returncode == 0
    assert {finding["check"] for finding in document["findings"]} == {check.name for check in CHECKS}
    ticks = next(finding for finding in document["findings"] if finding["check"] == "ticks")
    assert ticks["message"].startswith("6 ")
    assert stack.dagster.query(runs) == before, "nothing was launched"


def test_a_table_without_a_snapshot_is_found(stack: Stack) -> None:
    from pyiceberg.schema import Schema
    from pyiceberg.types import LongType, NestedField

    session = Session(stack.root)
    catalog = session.catalog()
    catalog.create_table("gold.never_written", Schema(NestedField(1, "id", LongType())))
    try:
        failed = [finding for finding in validate(session) if finding.status == "failed"]
    finally:
        catalog.drop_table("gold.never_written")
    assert [finding.check for finding in failed] == ["tables"]
    assert "gold.never_written: it has no snapshot" in failed[0].message
