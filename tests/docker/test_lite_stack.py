"""The stack `lakehouse-lite` as a user meets it: tables are objects, vended keys reach them, nothing is left."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import psutil
import pytest

from floe_dev.drivers import docker
from floe_dev.model.layout import Layout
from floe_dev.model.status import ServiceState
from floe_dev.session import Session
from floe_dev.supervisor import client
from floe_dev.supervisor.lock import is_held, read_holder
from floe_dev.supervisor.paths import project_key
from tests.cli.conftest import RunningStack
from tests.drivers.helpers import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stack(docker_stack: RunningStack) -> RunningStack:
    return docker_stack


@pytest.fixture
def session(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("XDG_STATE_HOME", stack.env["XDG_STATE_HOME"])
    return Session(stack.root)


def _containers(stack: RunningStack) -> list[Any]:
    label = f"{docker.PROJECT_LABEL}={project_key(stack.root)}"
    return list(docker.connect().containers.list(all=True, filters={"label": label}))


def _volumes(stack: RunningStack) -> list[str]:
    label = f"{docker.PROJECT_LABEL}={project_key(stack.root)}"
    return [volume.name for volume in docker.connect().volumes.list(filters={"label": label})]


def _rows(session: Session, table: str = "silver.clean") -> int:
    return int(session.catalog("reader").load_table(table).scan().to_arrow().num_rows)


def test_pyiceberg_and_duckdb_read_objects_with_vended_keys(stack: RunningStack, session: Session) -> None:
    table = session.catalog("reader").load_table("silver.clean")
    assert table.location().startswith("s3://lakehouse/tiny_catalog/")
    assert table.io.properties["s3.session-token"]
    assert _rows(session) == 8
    with session.duckdb("reader") as connection:
        assert connection.execute("SELECT count(*) FROM silver.clean").fetchone() == (8,)
    asked = stack.json("sql", "select count(*) as n from bronze.raw")
    assert "10" in json.dumps(asked)


def test_the_reader_writes_nothing_and_the_writer_nothing_of_another_table(session: Session) -> None:
    reader = session.catalog("reader").load_table("silver.clean")
    writer = session.catalog("floe").load_table("silver.clean")
    mine, other = f"{reader.location()}/data/x", session.catalog("floe").load_table("silver.last").location()
    for table, place in ((reader, mine), (writer, f"{other}/data/x")):
        with pytest.raises(OSError, match=r"(?i)denied"), table.io.new_output(place).create() as file:
            file.write(b"x")
    with writer.io.new_output(mine).create() as file:
        file.write(b"x")
    writer.io.delete(mine)


def test_duckdb_writes_through_the_catalog(session: Session) -> None:
    with session.duckdb("floe") as connection:
        connection.execute("CREATE TABLE silver.made AS SELECT range AS n FROM range(1000)")
        connection.execute("INSERT INTO silver.made VALUES (1000)")
        assert connection.execute("SELECT count(*), sum(n) FROM silver.made").fetchone() == (1001, 500500)
        connection.execute("DROP TABLE silver.made")


def test_no_secret_of_the_store_is_in_a_log_or_an_environment_of_dagster(stack: RunningStack) -> None:
    state = stack.root / ".floe"
    known = json.loads((state / "secrets.json").read_text())
    hidden = [keys["client_secret"].encode() for keys in known["stores"].values()]
    assert len(hidden) == 4
    hidden.append(known["root"]["client_secret"].encode())
    # Dagster's own database is Dagster's to open.
    hidden.remove(known["stores"]["dagster"]["client_secret"].encode())
    for file in (state / "logs").iterdir():
        assert not any(secret in file.read_bytes() for secret in hidden), file
    pids = {s["name"]: s["pid"] for s in stack.json("status")["services"]}
    for name in ("dagster-webserver", "dagster-daemon", "dagster-code"):
        environment = psutil.Process(pids[name]).environ()
        assert not any(secret.decode() in value for secret in hidden for value in environment.values()), name


def test_a_killed_container_comes_back_with_its_rows(stack: RunningStack, session: Session) -> None:
    (container,) = (each for each in _containers(stack) if each.name.endswith("-minio"))
    container.kill()

    def back() -> bool:
        status = session.status()
        assert status is not None
        (minio,) = (service for service in status.services if service.name == "minio")
        return minio.restarts == 1 and minio.state is ServiceState.READY

    eventually(back, "minio did not come back", seconds=90)
    assert _rows(session) == 8


def test_lost_secrets_cost_no_table(stack: RunningStack, session: Session) -> None:
    assert stack.floe("down", timeout=120).returncode == 0
    old = (stack.root / ".floe" / "secrets.json").read_text()
    (stack.root / ".floe" / "secrets.json").unlink()
    up = stack.floe("up", timeout=400)
    assert up.returncode == 0, up.stdout + up.stderr
    assert _rows(session) == 8
    new = json.loads((stack.root / ".floe" / "secrets.json").read_text())
    assert new["stores"]["database"] != json.loads(old)["stores"]["database"]


def test_a_killed_supervisor_leaves_no_row_lost_and_down_leaves_no_container(
    stack: RunningStack, session: Session
) -> None:
    holder = read_holder(Layout(stack.root))
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    eventually(lambda: not is_held(Layout(stack.root)), "the supervisor lives", seconds=30)
    list(client.down(stack.root))
    assert _containers(stack) == []
    assert len(_volumes(stack)) == 2

    again = stack.floe("up", timeout=400)
    assert again.returncode == 0, again.stdout + again.stderr
    assert _rows(session) == 8
    down = stack.floe("down", timeout=120)
    assert down.returncode == 0, down.stderr
    assert _containers(stack) == []
    assert len(_volumes(stack)) == 2
    deleted = stack.floe("down", "--volumes", timeout=120)
    assert deleted.returncode == 0, deleted.stderr
    assert _volumes(stack) == []
