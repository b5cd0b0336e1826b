"""Snapshots without a stamp, expired ones, compactions: what is known, what is concluded, what is not made up."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from floe_dev.cli.render.traces import history_text
from floe_dev.model.lineage import SnapshotLink
from floe_dev.model.tables import TableInfo
from floe_dev.telemetry.join import Join
from tests.telemetry.receiver import RunningReceiver

#: Milliseconds; the run below goes on from here for ten seconds.
NOW = time.time_ns() // 1_000_000 - 3_600_000


def _send(
    running: RunningReceiver, trace: bytes, name: str, at_ms: int, seconds: float, kind: int = 1, **told: Any
) -> str:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=trace, span_id=os.urandom(8), name=name, kind=kind)
    )
    span.start_time_unix_nano = at_ms * 1_000_000
    span.end_time_unix_nano = at_ms * 1_000_000 + int(seconds * 1e9)
    for key, value in told.items():
        span.attributes.add(key="floe." + key.replace("__", ".")).value.string_value = str(value)
    assert running.post("/v1/traces", request.SerializeToString())[0] == 200
    return trace.hex()


def _table(name: str, *snapshots: tuple[int, int, dict[str, str]]) -> TableInfo:
    content = [
        {
            "snapshot-id": number,
            "timestamp-ms": at,
            "sequence-number": index,
            "summary": {"operation": "append", **told},
        }
        for index, (number, at, told) in enumerate(snapshots, 1)
    ]
    namespace, _, short = name.partition(".")
    return TableInfo((namespace,), short, "table", "uuid", "file:///t", 2, {"snapshots": content})


def _history(running: RunningReceiver, info: TableInfo) -> dict[int, SnapshotLink]:
    return {link.snapshot_id: link for link in Join(running.reader, [info], ()).history(info)}


@pytest.fixture(scope="module")
def run(running: RunningReceiver) -> str:
    """A run of ten seconds that touched three tables as the principal `floe`."""
    trace = os.urandom(16)
    _send(running, trace, "run", NOW, 10, run__id="the-run", principal="floe")
    for table in ("silver.a", "silver.b", "silver.c"):
        _send(running, trace, "write", NOW + 1, 1, table=table, asset=table.replace(".", "/"))
    return trace.hex()


def test_the_catalogs_span_says_who_committed_and_when_it_was_no_run(running: RunningReceiver, run: str) -> None:
    commit = os.urandom(16)
    _send(running, commit, "commit silver.a", NOW + 2000, 0.01, 2, table="silver.a", snapshot=11, principal="spark")
    (link,) = _history(running, _table("silver.a", (11, NOW + 2005, {}))).values()
    # Committed while the run went on, but not by its principal: the run did not make it.
    assert (link.principal, link.run_id, link.trace_id, link.inferred) == ("spark", None, commit.hex(), False)


def test_a_commit_in_the_runs_time_by_its_principal_is_given_to_it_and_marked(
    running: RunningReceiver, run: str
) -> None:
    commit = os.urandom(16)
    _send(running, commit, "commit silver.b", NOW + 3000, 0.01, 2, table="silver.b", snapshot=21, principal="floe")
    info = _table("silver.b", (21, NOW + 3005, {}), (22, NOW + 3006, {}), (23, NOW + 10_001, {}), (24, NOW - 1, {}))
    found = _history(running, info)
    assert (found[21].run_id, found[21].trace_id, found[21].inferred, found[21].principal) == (
        *("the-run", run, True),
        "floe",
    )
    # No span tells of this commit (another catalog): by time alone.
    assert (found[22].run_id, found[22].inferred, found[22].principal) == ("the-run", True, None)
    # A moment after, a moment before: nobody is made up.
    assert {(found[number].run_id, found[number].trace_id) for number in (23, 24)} == {(None, None)}
    text = history_text(list(found.values()), color=False, width=None)
    assert "the-run?" in text


def test_a_commit_inside_a_runs_own_trace_is_known_without_a_stamp(running: RunningReceiver, run: str) -> None:
    _send(running, bytes.fromhex(run), "commit", NOW + 4000, 0.01, 2, table="silver.c", snapshot=31, principal="floe")
    (link,) = _history(running, _table("silver.c", (31, NOW + 4005, {}))).values()
    assert (link.run_id, link.trace_id, link.inferred) == ("the-run", run, False)


def test_an_expired_snapshot_is_known_from_its_trace_and_a_failed_commit_is_none(
    running: RunningReceiver, run: str
) -> None:
    told = {"operation": "append", "principal": "floe"}
    _send(running, bytes.fromhex(run), "commit", NOW + 5000, 0.01, 2, table="gold.x", snapshot=41, **told)
    links = _history(running, _table("gold.x", (42, NOW + 6000, {"operation": "replace", "floe.run-id": "the-run"})))
    gone = links[41]
    assert (gone.expired, gone.number, gone.run_id, gone.operation) == (True, None, "the-run", "append")
    text = history_text(list(links.values()), color=False, width=None)
    assert "append (expired)" in text
    assert "replace (compaction)" in text
