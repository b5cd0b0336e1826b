"""One scenario on every stack that can run here, and the same tables, lineage and status from each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException, ForbiddenError
from pyiceberg.types import StringType

from floe_dev.config.stacks import load_stack
from floe_dev.drivers import docker
from floe_dev.model.status import ServiceState
from floe_dev.model.traces import Trace
from floe_dev.session import Session
from floe_dev.supervisor.paths import project_key
from floe_dev.tracing.context import SpanContext, new_span_id, new_trace_id, within
from tests.cli.conftest import RunningStack
from tests.cli.helpers import floe
from tests.docker.conftest import begin
from tests.drivers.helpers import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

WRITERS = 5
#: Stack, and the variables it runs with here.
STACKS = {
    "embedded": ("embedded", {}),
    "lakehouse-lite": ("lakehouse-lite", {}),
    # The unmodified stack file, with floe's catalog behind the contract of Polaris's image.
    "lakehouse on floe's image": ("lakehouse", {"FLOE_IMAGE_POLARIS": "floe/catalog:0.1.0"}),
    "lakehouse": ("lakehouse", {}),
}


@dataclass
class Outcome:
    """What must not depend on the stack."""

    tables: dict[str, Any] = field(default_factory=dict)
    after_evolution: Any = None
    commits_on_one_base: list[str] = field(default_factory=list)
    rows_of_all_writers: int = 0
    refused_to_the_reader: list[str] = field(default_factory=list)
    lineage: set[tuple[str, str]] = field(default_factory=set)
    #: Whose spans stand below that of a client's commit: the catalog's side of it.
    below_a_commit: set[str] = field(default_factory=set)
    #: Of what runs beside every catalog.
    status: dict[str, str] = field(default_factory=dict)
    same_after_restart: bool = False
    left_after_reset: list[str] = field(default_factory=list)


def _skip_without_images(name: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.errors import ImageNotFound

    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    images = [service.image for service in load_stack(name).services if service.image]
    if not images:
        return
    for image in images:
        try:
            docker.connect().images.get(image)
        except ImageNotFound:
            build = "floe images build" if image.startswith("floe/") else f"docker pull {image}"
            pytest.skip(f"no image {image} here: {build}")


@pytest.fixture(scope="module", params=list(STACKS))
def outcome(request: pytest.FixtureRequest, engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    assert engine is not None  # with one stack alone there is nothing to compare
    name, env = STACKS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        _skip_without_images(name, env, patch)
        home = tmp_path_factory.mktemp("parity")
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        running = RunningStack(home / "project", {"XDG_STATE_HOME": str(home / "state"), **env})
        begin(running.root, name)
        try:
            yield _scenario(running, name)
        finally:
            floe("down", "--volumes", cwd=running.root, env=running.env, timeout=120)
            if name != "embedded":
                docker.sweep(project_key(running.root), volumes=True)


#: What the first stack that could run gave: the embedded one, which always can.
_REFERENCE: dict[str, Outcome] = {}


def _scenario(running: RunningStack, name: str) -> Outcome:
    found = Outcome()
    up = running.floe("up", "--stack", name, timeout=500)
    assert up.returncode == 0, up.stdout + up.stderr
    session = Session(running.root)
    found.tables = {str(table.identifier): table.rows for table in session.tables()}
    found.status = _status(session)
    found.lineage = {(edge.source, edge.target) for edge in session.lineage("silver.last").edges}
    found.below_a_commit = _below_a_commit(session)
    found.after_evolution = _evolve(session)
    found.commits_on_one_base = _commit_on_one_base(session)
    found.rows_of_all_writers = _write_at_once(session)
    found.refused_to_the_reader = _read_only(session)
    found.same_after_restart = _restart(running, session)
    found.left_after_reset = _reset(running, name)
    return found


def _status(session: Session) -> dict[str, str]:
    status = session.status()
    assert status is not None
    states = {service.name: service.state for service in status.services}
    assert set(states.values()) == {ServiceState.READY}, states
    return {service: str(state) for service, state in states.items() if service.startswith(("dagster", "telemetry"))}


def _below_a_commit(session: Session) -> set[str]:
    client = SpanContext(new_trace_id(), new_span_id())
    with within(client):
        session.catalog().load_table("silver.last").append(pa.table({"id": pa.array([1500], pa.int64())}))
    trace: list[Trace] = []

    def came() -> bool:
        found = session.telemetry().trace(client.trace_id)
        trace[:] = [found] if found is not None else []
        return found is not None

    eventually(came, "no span of the catalog came", seconds=30)
    return {span.service for span in trace[0].spans if span.parent_id == client.span_id}


def _evolve(session: Session) -> Any:
    """A column by PyIceberg, one by DuckDB, a type made wider; every row is read back by both."""
    table = session.catalog().load_table("bronze.raw")
    with table.update_schema() as change:
        change.add_column("note", StringType())
    table.append(pa.table({"id": pa.array([100], pa.int64()), "note": ["new"]}))
    with session.duckdb() as connection:
        connection.execute("ALTER TABLE bronze.raw ADD COLUMN amount INTEGER")
        connection.execute("INSERT INTO bronze.raw VALUES (101, 'newer', 7)")
        by_duckdb = connection.execute("SELECT count(*), count(note), sum(amount) FROM bronze.raw").fetchone()
    read = session.catalog("reader").load_table("bronze.raw")
    rows = read.scan().to_arrow()
    fields = [(item.field_id, item.name, str(item.field_type)) for item in read.schema().fields]
    assert by_duckdb == (rows.num_rows, 2, 7)
    return fields, rows.num_rows, sorted(rows["note"].drop_null().to_pylist())


def _commit_on_one_base(session: Session) -> list[str]:
    catalog = session.catalog()
    mine, yours = catalog.load_table("silver.clean"), catalog.load_table("silver.clean")
    row = pa.table({"id": pa.array([1000], pa.int64())})
    outcomes = []
    for table in (mine, yours):
        try:
            table.append(row)
            outcomes.append("committed")
        except CommitFailedException:
            outcomes.append("refused")
    return outcomes


def _write_at_once(session: Session) -> int:
    """Everybody appends a row of their own, and again from the newest state where another came first."""
    barrier = threading.Barrier(WRITERS)

    def write(number: int) -> None:
        catalog = session.catalog()
        row = pa.table({"id": pa.array([2000 + number], pa.int64())})
        barrier.wait()
        for _ in range(40):
            try:
                catalog.load_table("silver.last").append(row)
                return
            except CommitFailedException:
                continue
        raise AssertionError("starved")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    ids = session.catalog("reader").load_table("silver.last").scan().to_arrow()["id"].to_pylist()
    return len({each for each in ids if each >= 2000})


def _read_only(session: Session) -> list[str]:
    catalog = session.catalog("reader")
    table = catalog.load_table("silver.clean")
    attempts: dict[str, Callable[[], object]] = {
        "create": lambda: catalog.create_table("silver.mine", table.schema()),
        "drop": lambda: catalog.drop_table("silver.clean"),
        "commit": lambda: table.transaction().set_properties(a="b").commit_transaction(),
        "namespace": lambda: catalog.create_namespace("mine"),
    }
    refused = []
    for what, attempt in attempts.items():
        try:
            attempt()
        except ForbiddenError:
            refused.append(what)
    return refused


def _restart(running: RunningStack, session: Session) -> bool:
    def picture() -> tuple[Any, ...]:
        tables = sorted((str(t.identifier), t.rows, repr(t.snapshots)) for t in session.tables())
        return tables, running.json("status")["urls"]

    before = picture()
    down = running.floe("down", timeout=120)
    assert down.returncode == 0, down.stderr
    up = running.floe("up", timeout=300)
    assert up.returncode == 0, up.stderr
    return picture() == before


def _reset(running: RunningStack, name: str) -> list[str]:
    done = running.floe("reset", "--yes", timeout=120)
    assert done.returncode == 0, done.stderr
    left = [".floe"] if (running.root / ".floe").exists() else []
    if name != "embedded":
        mine = {"label": f"{docker.PROJECT_LABEL}={project_key(running.root)}"}
        engine = docker.connect()
        left += [each.name for each in engine.containers.list(all=True, filters=mine)]
        left += [each.name for each in engine.volumes.list(filters=mine)]
        left += [each.name for each in engine.networks.list(filters=mine)]
    return left


def test_the_scenario_goes_well(outcome: Outcome) -> None:
    assert outcome.tables == {"bronze.raw": 10, "bronze.other": 5, "silver.clean": 8, "silver.last": 2}
    assert outcome.after_evolution == (
        [(1, "id", "long"), (2, "note", "string"), (3, "amount", "int")],
        12,
        ["new", "newer"],
    )
    assert outcome.commits_on_one_base == ["committed", "refused"]
    assert outcome.rows_of_all_writers == WRITERS
    assert outcome.below_a_commit == {"catalog"}
    assert outcome.refused_to_the_reader == ["create", "drop", "commit", "namespace"]
    assert outcome.same_after_restart
    assert outcome.left_after_reset == []


def test_every_stack_gives_the_same(outcome: Outcome) -> None:
    reference = _REFERENCE.setdefault("embedded", outcome)
    assert outcome == reference
    assert ("silver.clean", "silver.last") in outcome.lineage


def test_the_images_named_here_are_those_of_the_stack_files(tmp_path: Path) -> None:
    images = {service.name: service.image for service in load_stack("lakehouse-lite").services}
    assert STACKS["lakehouse on floe's image"][1]["FLOE_IMAGE_POLARIS"] == images["catalog"]
