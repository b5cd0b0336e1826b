"""The sample project on `lakehouse-lite`: its tables are objects, read on this machine with vended keys; its trace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import ForbiddenError

from floe_dev.config.bundled import bundled
from floe_dev.drivers import docker
from floe_dev.model.layout import Layout
from floe_dev.model.traces import Trace
from floe_dev.session import Session
from floe_dev.supervisor.paths import new_instance, project_key
from floe_dev.supervisor.state import StackState, prepare_state_dir, save_state
from tests.cli.conftest import RunningStack
from tests.docker.conftest import STACK, free_ports
from tests.drivers.helpers import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ORDERS = 300


@pytest.fixture(scope="module")
def session(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The sample project, up and materialized as its README says."""
    assert engine is not None
    home = tmp_path_factory.mktemp("sample")
    env = {"XDG_STATE_HOME": str(home / "state"), "FLOE_SAMPLE_ORDERS": str(ORDERS)}
    running = RunningStack(home / "shop", env)
    shutil.copytree(bundled("sample_project"), running.root, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    prepare_state_dir(Layout(running.root))
    ports = free_ports()
    save_state(Layout(running.root), StackState(instance=new_instance(running.root), stack=STACK, ports=ports))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", env["XDG_STATE_HOME"])
        try:
            up = running.floe("up", "--stack", STACK, timeout=400)
            assert up.returncode == 0, up.stdout + up.stderr
            yield Session(running.root)
        finally:
            running.floe("down", "--volumes", timeout=120)
            docker.sweep(project_key(running.root), volumes=True)


@pytest.fixture(scope="module")
def trace(session: Session) -> Trace:
    """That of the first run, once the catalog's side of it has come out of its container."""
    found: list[Trace] = []

    def whole() -> bool:
        (newest, *_) = session.join().dagster_runs
        links = session.join().of_run(newest.run_id)
        read = session.telemetry().trace(links.traces[0]) if links.traces else None
        if read is None or not read.summary.complete or not any(span.service == "catalog" for span in read.spans):
            return False
        found[:] = [read]
        return True

    eventually(whole, "the catalog's spans did not come", seconds=30)
    return found[0]


def test_duckdb_and_pyiceberg_read_the_same_rows_with_the_scoped_principals_keys(session: Session) -> None:
    catalog = session.catalog("floe")
    tables = {str(each.identifier): each.rows for each in session.tables() if each.kind == "table"}
    assert len(tables) >= 8
    assert tables["bronze.raw_orders"] == ORDERS
    with session.duckdb("floe") as connection:
        for name, rows in tables.items():
            table = catalog.load_table(name)
            assert table.location().startswith("s3://lakehouse/"), name
            assert table.io.properties["s3.session-token"], name
            ours = table.scan().to_arrow()
            theirs = connection.execute(f"SELECT * FROM {name}").to_arrow_table()
            assert ours.num_rows == theirs.num_rows == rows, name
            assert ours.column_names == theirs.column_names
            by_rows = [sorted(map(repr, each.to_pylist())) for each in (ours, theirs.cast(ours.schema))]
            assert by_rows[0] == by_rows[1], name
    reader = session.catalog("reader").load_table("bronze.raw_orders")
    assert reader.scan().to_arrow().num_rows == ORDERS
    with pytest.raises(ForbiddenError):
        reader.transaction().set_properties(a="b").commit_transaction()


def test_the_trace_of_the_run_reaches_into_the_catalogs_container(trace: Trace) -> None:
    by_id = {span.span_id: span for span in trace.spans}
    commits = {span.name: span for span in trace.spans if span.service == "catalog" and span.name.startswith("commit ")}
    python, model = commits["commit bronze.raw_orders"], next(each for name, each in commits.items() if "gold." in name)
    assert python.attributes["floe.rows"] == ORDERS
    for commit in (python, model):
        services = []
        above = commit
        while above.parent_id is not None:
            above = by_id[above.parent_id]  # none is an orphan
            services.append(above.service)
        assert above.name == "run"
        assert "dagster-run" in services
        assert commit.kind == "server"
    assert model.parent_id is not None
    assert by_id[model.parent_id].service == "dbt"


def test_a_record_is_no_line_of_a_log(session: Session, trace: Trace) -> None:
    assert trace.spans
    for log in Path(session.layout.logs_dir).glob("*.log"):
        assert b"\x1e" not in log.read_bytes(), log
