"""What the events of a run say of its steps; the events are as Dagster's GraphQL gives them."""

from __future__ import annotations

from typing import Any

import pytest

from floe_dev.model.status import Event
from floe_dev.orchestrators.dagster.monitor import _check
from floe_dev.orchestrators.dagster.runs import RunWatch


def told(*events: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    watch = RunWatch("r" * 36, found.append)
    for event in events:
        watch.take(event)
    return found


def event(kind: str, at: float, **more: Any) -> dict[str, Any]:
    return {"__typename": kind, "timestamp": str(at * 1000), "stepKey": "silver__daily", **more}


KEY = {"assetKey": {"path": ["silver", "daily"]}}


def test_an_asset_takes_as_long_as_its_step_not_until_its_first_partition_is_told() -> None:
    made = event(
        "MaterializationEvent", 101.0, **KEY, metadataEntries=[{"label": "dagster/row_count", "intValue": 1200}]
    )
    planned = event("AssetMaterializationPlannedEvent", 100.0, **KEY)
    begun = event("ExecutionStepStartEvent", 100.5)
    assert [one.data["state"] for one in told(planned, begun, made)] == ["waiting", "running"], "it writes"
    *_, last = told(planned, begun, made, {**made, "timestamp": "102000"}, event("ExecutionStepSuccessEvent", 103.0))
    assert (last.name, last.data["state"]) == ("silver/daily", "done")
    assert last.data["seconds"] == 2.5
    assert last.data["detail"] == "1,200 rows"


@pytest.mark.parametrize(
    ("status", "state"),
    [("SUCCEEDED", "pass"), ("FAILED", "fail"), ("SKIPPED", "skipped"), ("EXECUTION_FAILED", "error")],
)
def test_a_check_that_did_not_run_did_not_fail(status: str, state: str) -> None:
    last = {"status": status, "runId": "r", "timestamp": 1.0, "evaluation": None}
    assert _check({"name": "unique", "description": "", "executionForLatestMaterialization": last}).state == state
