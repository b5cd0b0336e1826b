"""What floe tells as OpenLineage is what OpenLineage's published schema says."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest
from jsonschema import ValidationError
from referencing.exceptions import Unresolvable

from floe_dev.tracing.lineage import Output, node_event, run_event
from tests.telemetry.openlineage_schema import facets, validate

RUN = str(uuid.UUID(int=7, version=4))
WRITTEN = Output(
    table="silver.orders",
    columns=(("id", "long"), ("placed at", "timestamptz")),
    rows=5,
    size=1000,
    files=1,
    snapshot_id=2**62 + 1,
    sequence_number=3,
    summary={"operation": "overwrite", "added-records": "5", "deleted-records": "4", "floe.run-id": RUN},
)


def _node(kind: str, **more: Any) -> dict[str, Any]:
    return node_event(
        kind,
        node="model.shop.orders",
        run_id=RUN,
        invocation="i",
        inputs=["bronze.raw"],
        outputs=[WRITTEN],
        at=1_780_000_000.5,
        **more,
    )


@pytest.mark.parametrize(
    "event",
    [
        run_event("START", RUN, "__ASSET_JOB"),
        run_event("COMPLETE", RUN, "nightly"),
        run_event("FAIL", RUN, "nightly", error="no such table\nline 2"),
        run_event("ABORT", RUN, "nightly", error="cancelled"),
        _node("START"),
        _node("COMPLETE"),
        _node("FAIL", error="x" * 10_000),
        node_event("COMPLETE", node="a/b", run_id=None, invocation="i", outputs=[Output("a.b")]),
    ],
    ids=lambda event: f"{event['eventType']} {event['job']['name']}",
)
def test_every_event_validates(event: dict[str, Any]) -> None:
    validate(event)
    assert list(facets(event))


@pytest.mark.parametrize(
    ("place", "key"), [("run", "runId"), ("job", "name"), (None, "eventTime"), (None, "producer"), (None, "schemaURL")]
)
def test_the_check_would_tell(place: str | None, key: str) -> None:
    event = copy.deepcopy(_node("COMPLETE"))
    (event[place] if place else event).pop(key)
    with pytest.raises((ValidationError, KeyError)):
        validate(event)


def test_a_facet_that_is_not_published_would_be_told() -> None:
    event = copy.deepcopy(_node("COMPLETE"))
    event["run"]["facets"]["own"] = {"_producer": "urn:x", "_schemaURL": "urn:nobody:published"}
    with pytest.raises(Unresolvable):
        validate(event)


def test_the_snapshot_is_told_as_iceberg_reports_commits() -> None:
    (output,) = _node("COMPLETE")["outputs"]
    assert output["facets"]["version"]["datasetVersion"] == str(2**62 + 1)
    report = output["outputFacets"]["icebergCommitReport"]
    assert (report["snapshotId"], report["sequenceNumber"], report["operation"]) == (2**62 + 1, 3, "overwrite")
    assert report["commitMetrics"] == {"addedRecords": 5, "removedRecords": 4}
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (5, 1000, 1)


def test_a_table_is_the_same_dataset_whatever_port_the_catalog_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARIS_WAREHOUSE", "shop_catalog")
    named = []
    for port in (8181, 8182):
        monkeypatch.setenv("POLARIS_URI", f"http://127.0.0.1:{port}/api/catalog")
        (output,) = _node("COMPLETE")["outputs"]
        named.append((output["namespace"], output["name"]))
        assert output["facets"]["catalog"]["metadataUri"].endswith(f":{port}/api/catalog")
    assert named == [("iceberg://shop_catalog", "silver.orders")] * 2


def test_each_try_and_each_node_is_a_run_of_its_own_below_dagsters() -> None:
    first, again = _node("START"), node_event("START", node="model.shop.orders", run_id=RUN, invocation="second")
    assert first["run"]["runId"] == _node("COMPLETE")["run"]["runId"] != again["run"]["runId"]
    assert first["run"]["facets"]["parent"]["run"]["runId"] == RUN
    assert first["run"]["facets"]["parent"]["job"]["name"] == run_event("START", RUN, "__ASSET_JOB")["job"]["name"]
