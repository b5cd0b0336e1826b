"""On a real stack: one run is one trace, and asset, run, trace and snapshot lead to each other."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from floe_dev.errors import ExitCode
from floe_dev.model.lineage import Links, SnapshotLink
from floe_dev.model.traces import SpanStatus, Trace
from floe_dev.session import Session
from tests.cli.helpers import floe
from tests.telemetry.openlineage_schema import validate
from tests.telemetry.project import make_project
from tests.telemetry.receiver import until

#: The jobs of the first run and what each of them makes.
_MADE = {"bronze/numbers": "bronze.numbers", "model.shop.totals": "silver.totals", "gold/summary": "gold.summary"}

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A project with a Python asset and two dbt models, up and materialized."""
    home = tmp_path_factory.mktemp("join")
    root = make_project(home / "shop")
    env = {"XDG_STATE_HOME": str(home / "state")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", env["XDG_STATE_HOME"])
        try:
            # No start keeps within a millisecond: the stack is up and materialized all the same.
            up = floe("up", "--budget", "1ms", cwd=root, env=env, timeout=240)
            assert up.returncode == ExitCode.TIMEOUT, up.stdout + up.stderr
            assert "FLOE7106" in up.stderr
            assert re.search(r"slowest path: .*service dagster-code \(\d.* s\)", up.stderr), up.stderr
            yield Session(root)
        finally:
            floe("down", cwd=root, env=env, timeout=60)


@pytest.fixture(scope="module")
def run(session: Session) -> Links:
    """The first run, once its trace is whole."""
    give_up = time.monotonic() + 60
    while True:
        (newest, *_) = session.join().dagster_runs
        links = session.join().of_run(newest.run_id)
        trace = session.telemetry().trace(links.traces[0]) if links.traces else None
        if trace is not None and trace.summary.complete:
            return links
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.fixture(scope="module")
def trace(session: Session, run: Links) -> Trace:
    found = session.telemetry().trace(run.traces[0])
    assert found is not None
    return found


def test_one_run_is_one_trace_from_dagster_to_the_catalog(trace: Trace) -> None:
    parents = {span.span_id: span for span in trace.spans}

    def path(name: str) -> list[str]:
        span = next(span for span in trace.spans if span.name == name and span.service == "catalog")
        names: list[str] = []
        while span is not None:
            names.insert(0, f"{span.service}: {span.name}")
            if span.parent_id is None:
                break
            span = parents[span.parent_id]  # none is an orphan
        return names

    assert path("commit silver.totals") == [
        "dagster-run: run",
        "dagster-run: step shop_dbt",
        "dbt: dbt build",
        "dbt: model totals",
        "dbt: write silver.totals",
        "dbt: commit",
        "catalog: commit silver.totals",
    ]
    assert path("commit bronze.numbers")[:3] == [
        "dagster-run: run",
        "dagster-run: step bronze__numbers",
        "dagster-run: write bronze.numbers",
    ]
    assert all(span.status is SpanStatus.OK for span in trace.spans if span.name != "counting")


def test_the_spans_say_what_was_done(session: Session, trace: Trace, run: Links) -> None:
    node = next(span for span in trace.spans if span.name == "model totals")
    info = session.table("silver.totals")
    assert info.current is not None
    assert node.attributes["floe.rows"] == info.rows == 3
    assert node.attributes["floe.snapshot"] == str(info.current.snapshot_id)
    assert node.attributes["floe.dbt.node"] == "model.shop.totals"
    assert node.resource["floe.run.id"] == run.runs[0].run_id


def test_spans_of_the_assets_own_code_join_the_trace(trace: Trace) -> None:
    (own,) = [span for span in trace.spans if span.name == "counting"]
    parent = next(span for span in trace.spans if span.span_id == own.parent_id)
    assert parent.name == "step bronze__numbers"
    assert own.attributes == {"of": 4}
    assert [event.name for event in own.events] == ["counted"]
    assert parent.start_ns <= own.start_ns <= own.end_ns <= parent.end_ns


def test_dagster_knows_the_trace_and_the_catalog_knows_both(session: Session, trace: Trace, run: Links) -> None:
    (dagster_run,) = [each for each in session.join().dagster_runs if each.run_id == run.runs[0].run_id]
    assert dagster_run.trace_id == trace.summary.trace_id
    for name in ("silver.totals", "bronze.numbers"):
        current = session.table(name).current
        assert current is not None
        assert current.summary["floe.run-id"] == dagster_run.run_id
        assert current.summary["floe.trace-id"] == trace.summary.trace_id
        assert current.summary["floe.asset"] == name.replace(".", "/")
        assert current.summary["floe.principal"]


def test_from_each_of_the_four_the_other_three_are_found(session: Session, run: Links, trace: Trace) -> None:
    current = session.table("silver.totals").current
    assert current is not None
    join = session.join()
    whole = {
        "asset": join.of_asset("silver/totals"),
        "run": join.of_run(run.runs[0].run_id[:8]),
        "trace": join.of_trace(trace.summary),
        "snapshot": join.of_snapshot(current.snapshot_id),
    }
    for start, links in whole.items():
        assert "silver/totals" in links.assets, start
        assert [each.run_id for each in links.runs] == [run.runs[0].run_id], start
        assert list(links.traces) == [trace.summary.trace_id], start
        assert current.snapshot_id in [each.snapshot_id for each in links.snapshots], start
        assert all(not each.inferred for each in links.snapshots), start


def test_of_a_snapshot_of_somebody_else_the_catalog_knows_whose_it_is(session: Session, run: Links) -> None:
    import pyarrow as pa

    table = session.catalog().load_table("silver.totals")
    table.append(pa.table({"name": ["x"], "total": pa.array([1], pa.int64())}).cast(table.schema().as_arrow()))

    def history() -> list[SnapshotLink]:
        return session.join().history(session.table("silver.totals"))

    until(lambda: history()[0].principal is not None)
    newest, stamped = history()[:2]
    assert newest.number == 2
    assert newest.run_id is None  # no run went on then, and nothing is made up
    # The catalog's own span of the commit: whose it was, in a trace of its own.
    assert newest.principal == "floe"
    assert newest.trace_id is not None
    trace = session.telemetry().trace(newest.trace_id)
    assert trace is not None
    assert [span.name for span in trace.spans] == ["commit silver.totals"]
    assert not newest.inferred
    assert stamped.run_id == run.runs[0].run_id


def test_lineage_has_dbt_and_python_in_one_graph(session: Session) -> None:
    graph = session.lineage("silver.totals")
    assert {(edge.source, edge.target) for edge in graph.edges} >= {
        ("bronze.numbers", "silver.totals"),
        ("silver.totals", "gold.summary"),
    }
    told = {(edge.source, edge.target) for edge in session.telemetry().edges()}
    assert ("silver.totals", "gold.summary") in told


def test_the_start_is_a_trace(session: Session) -> None:
    from floe_dev.supervisor.start_trace import start_context
    from floe_dev.telemetry.critical_path import critical_path

    status = session.status()
    assert status is not None
    trace = session.telemetry().trace(start_context(status.instance).trace_id)
    assert trace is not None
    names = {span.name for span in trace.spans}
    assert {"floe up", "service catalog", "service dagster-code", "step manifest"} <= names
    path = critical_path(trace)
    assert path[0].start_ns < path[-1].start_ns
    # What the failure over the budget says to run.
    shown = floe("up", "--trace", cwd=session.root)
    assert shown.returncode == 0
    assert f"slowest path: {path[0].name}" in shown.stderr
    assert {name for name in names if re.search(rf"^ *{re.escape(name)} .*█", shown.stderr, re.MULTILINE)} >= {
        "floe up",
        "service catalog",
        "step manifest",
    }


def test_commands_print_what_the_join_knows(session: Session, run: Links, trace: Trace) -> None:
    def answer(*arguments: str) -> Any:
        done = floe(*arguments, "--json", cwd=session.root)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    trace_id, run_id = trace.summary.trace_id, run.runs[0].run_id
    assert trace_id in [each["trace_id"] for each in answer("traces")["traces"]]
    assert [each["trace_id"] for each in answer("traces", "--asset", "silver.totals")["traces"]] == [trace_id]
    commands = {each["name"] for each in answer("traces", "--commands", "--limit", "500")["traces"]}
    assert "floe up" in commands
    for options in (
        ("--min", "10h"),
        ("--since", "0s"),
        ("--until", "10d"),
        ("--status", "error", "--table", "gold.summary"),
    ):
        assert answer("traces", *options)["traces"] == [], options
    listed = answer("traces", "--table", "silver.totals", "--since", "1h", "--min", "1ms", "--service", "dagster-run")
    assert [each["trace_id"] for each in listed["traces"]] == [trace_id]
    document = answer("traces", trace_id[:8])
    exported = [s for g in document["resourceSpans"] for scope in g["scopeSpans"] for s in scope["spans"]]
    assert {span["traceId"] for span in exported} == {trace_id}
    # Read again: spans of other processes may have come in since the fixture read it.
    stored = session.telemetry().trace(trace_id)
    assert stored is not None
    assert {span["spanId"] for span in exported} == {span.span_id for span in stored.spans}
    assert len(exported) == len(stored.spans) >= len(trace.spans)
    assert run_id in [each["run_id"] for each in answer("runs")["runs"]]
    history = answer("history", "silver/totals")["snapshots"]
    assert history[-1]["trace_id"] == trace_id
    assert answer("history", str(history[-1]["snapshot_id"]))["runs"][0]["run_id"] == run_id
    # The foreign append of the test above: one row by the key that dbt's unique test names.
    differ = answer("history", "silver.totals", "--diff", "1", "2")["rowDiff"]
    assert differ == {
        "key": ["name"],
        "added": 1,
        "removed": 0,
        "changed": 0,
        "rows": [{"kind": "added", "key": {"name": "x"}, "before": {}, "after": {"total": 1}}],
    }
    changed = answer("history", "silver.totals", "--diff", "2", "1", "--key", "total")
    assert changed["rowDiff"]["removed"] + changed["rowDiff"]["changed"] == 1
    wrong = floe("history", "silver.totals", "--diff", "1", "2", "--key", "nothing", cwd=session.root)
    assert "FLOE7104" in wrong.stderr
    blamed = answer("blame", "silver.totals", "--key", "name=a")["columns"]
    assert {column["snapshot"]["run_id"] for column in blamed} == {run_id}
    text = floe("traces", trace_id[:8], cwd=session.root).stdout
    assert "model totals" in text
    assert "commit silver.totals" in text
    missing = floe("blame", "silver.totals", "--key", "name=nobody", cwd=session.root)
    assert "FLOE7104" in missing.stderr


def test_every_span_and_attribute_is_in_the_reference(session: Session, run: Links) -> None:
    from floe_dev.telemetry.query import TraceFilter
    from floe_dev.tracing.catalogue import ATTRIBUTES, RESOURCE, kind_of

    seen = set()
    for summary in session.telemetry().traces(TraceFilter(limit=500)):
        trace = session.telemetry().trace(summary.trace_id)
        for span in trace.spans if trace is not None else ():
            if span.name == "counting":
                continue  # the asset's own
            kind = kind_of(span.service, span.name)
            assert kind is not None, (span.service, span.name)
            assert span.attributes.keys() <= set(kind.attributes), span.name
            assert set(kind.attributes) <= ATTRIBUTES.keys(), kind.name
            assert span.resource.keys() <= RESOURCE.keys(), span.name
            assert span.kind == kind.kind, span.name
            seen.add(kind.name)
    assert seen >= {"run", "step KEY", "write TABLE", "read TABLE", "dbt COMMAND", "model NAME", "test NAME"}
    assert seen >= {"commit TABLE", "create table NAME", "floe up", "service NAME", "step NAME", "floe COMMAND"}


def test_no_secret_is_in_the_store(session: Session) -> None:
    from floe_dev.config.credentials import load_secrets

    secrets = load_secrets(session.layout)
    assert secrets is not None
    hidden = [secrets.telemetry_token, secrets.signing_key, secrets.root.client_secret]
    hidden += [credential.client_secret for credential in secrets.principals.values()]
    for file in Path(session.layout.telemetry_dir).glob("telemetry.db*"):
        content = file.read_bytes()
        for secret in hidden:
            assert secret.get_secret_value().encode() not in content


def test_a_run_goes_on_while_the_receiver_is_down_and_loses_no_span(session: Session) -> None:
    import os
    import signal

    status = session.status()
    assert status is not None
    (receiver,) = [service for service in status.services if service.name == "telemetry"]
    assert receiver.pid is not None
    os.kill(receiver.pid, signal.SIGSTOP)  # it neither answers nor collects
    try:
        result = session.run(["gold/summary"])
        assert result.status == "success"
    finally:
        os.kill(receiver.pid, signal.SIGCONT)
    give_up = time.monotonic() + 60
    while True:
        (found,) = session.join().of_run(result.run_id).traces[:1] or ("",)
        late = session.telemetry().trace(found) if found else None
        if late is not None and late.summary.complete and "commit gold.summary" in {span.name for span in late.spans}:
            break
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_every_event_of_the_runs_validates_and_tells_the_snapshot(session: Session, run: Links) -> None:
    events = session.telemetry().lineage_events(limit=1000)
    for event in events:
        validate(event.body)
    told = {(event.event_type, event.job) for event in events}
    run_id = run.runs[0].run_id
    assert told >= {(kind, job) for kind in ("START", "COMPLETE") for job in ("run", *_MADE)}
    for job, table in _MADE.items():
        first = [
            event
            for event in events
            if (event.event_type, event.job) == ("COMPLETE", job)
            and event.body["run"]["facets"]["parent"]["run"]["runId"] == run_id
        ]
        (output,) = first[0].body["outputs"]
        kept = {each.snapshot_id for each in session.table(table).snapshots}
        assert int(output["facets"]["version"]["datasetVersion"]) in kept
        assert output["outputFacets"]["icebergCommitReport"]["snapshotId"] in kept
        assert output["facets"]["schema"]["fields"]
        assert output["name"] == table


def test_a_python_asset_that_fails_is_told_with_its_error(session: Session) -> None:
    with _as_first_asset(session, 'raise ValueError("no numbers today")'):
        result = session.run(["bronze/numbers"])
    assert result.status == "failure"
    give_up = time.monotonic() + 60
    while True:
        trace = session.telemetry().trace(result.run_id)
        failed = [e for e in session.telemetry().lineage_events(limit=20) if e.event_type == "FAIL"]
        if trace is not None and trace.summary.complete and len(failed) >= 2:
            break
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert {event.job for event in failed} >= {"bronze/numbers", "run"}
    for event in failed:
        validate(event.body)
        assert "no numbers today" in event.body["run"]["facets"]["errorMessage"]["message"]
    assert trace.summary.state == "error"
    assert any("no numbers today" in span.message for span in trace.spans if span.name == "step bronze__numbers")


def test_a_killed_run_has_a_root_that_says_so(session: Session) -> None:
    with _as_first_asset(session, "import time; time.sleep(60)"):
        run_id, pid = _started(session)
        os.kill(pid, signal.SIGKILL)
        trace = _whole(session, run_id)
    assert trace.summary.state == "error"
    assert "ended with status -9" in trace.spans[-1].message


#: Hears the signal that interrupts it, and does not hear it.
_HEARS = "import time; time.sleep(60)"
_DEAF = """import time
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass"""


@pytest.mark.parametrize(
    "code", [pytest.param(_HEARS, id="ends by itself"), pytest.param(_DEAF, id="has to be killed")]
)
def test_a_canceled_run_is_told_as_canceled_not_as_an_error(session: Session, code: str) -> None:
    with _as_first_asset(session, code):
        run_id, pid = _started(session)
        session.dagster().cancel(run_id)
        if code is _DEAF:
            os.kill(pid, signal.SIGKILL)
        trace = _whole(session, run_id)
    assert (trace.summary.state, trace.summary.errors) == ("canceled", 0)
    assert [each.status for each in session.join().of_trace(trace.summary).runs] == ["canceled"]
    listed = floe("traces", "--status", "canceled", "--run", run_id, cwd=session.root).stdout
    assert re.search(rf"canceled +{trace.summary.trace_id[:12]}", listed)
    assert run_id[:8] not in floe("traces", "--status", "error", cwd=session.root).stdout
    assert re.search(r"^run .*canceled$", floe("traces", run_id, cwd=session.root).stdout, re.MULTILINE)
    give_up = time.monotonic() + 60
    while not (aborted := [e for e in session.telemetry().lineage_events(run_id) if e.event_type == "ABORT"]):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    for event in aborted:
        validate(event.body)
        assert "canceled" in event.body["run"]["facets"]["errorMessage"]["message"]


def test_a_run_that_is_not_among_the_latest_is_looked_up(session: Session, run: Links) -> None:
    join = session.join(runs=1)
    assert join.dagster_runs[0].run_id != run.runs[0].run_id, "the runs of the tests above are newer"
    (found,) = join.of_run(run.runs[0].run_id).runs
    assert (found.status, found.in_dagster, found.trace_id) == ("success", True, run.traces[0])
    assert [each.in_dagster for each in join.runs(20)] == [True] * len(session.join().dagster_runs)


@contextmanager
def _as_first_asset(session: Session, code: str) -> Iterator[None]:
    """The project with `code` in its first asset."""
    module = session.root / "numbers_assets.py"
    good = module.read_text()
    module.write_text(good.replace('context.log.info("making numbers")', code))
    try:
        time.sleep(3)  # the code server follows the files
        yield
    finally:
        module.write_text(good)


def _started(session: Session) -> tuple[str, int]:
    """A run of the first asset, and the id of its process, once it goes on."""
    client = session.dagster()
    run_id = client.launch(["bronze/numbers"])
    query = """query R($run: ID!) { runOrError(runId: $run) { ... on Run {
      tags { key value } stepStats { startTime } } } }"""
    give_up = time.monotonic() + 60
    while True:
        found = client.query(query, run=run_id)["runOrError"]
        pid = next((int(tag["value"]) for tag in found["tags"] if tag["key"] == "floe/pid"), None)
        if pid is not None and any(step["startTime"] for step in found["stepStats"]):
            return run_id, pid
        assert time.monotonic() < give_up
        time.sleep(0.2)


def _whole(session: Session, run_id: str) -> Trace:
    """The run's trace with its root."""
    give_up = time.monotonic() + 60
    while (trace := session.telemetry().trace(run_id)) is None or not trace.summary.complete:
        assert time.monotonic() < give_up
        time.sleep(0.2)
    return trace
