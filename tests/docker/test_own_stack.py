"""A user's own stack file: another service beside floe's, in the same network, seen wherever services are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from floe_dev.dashboard.backend import LocalBackend
from floe_dev.drivers import docker
from floe_dev.model.layout import Layout
from floe_dev.session import Session
from floe_dev.storage.minio import MinioStorage
from floe_dev.supervisor import provisioning
from floe_dev.supervisor.paths import project_key
from tests.cli.conftest import RunningStack
from tests.docker.conftest import STACK, begin
from tests.drivers.helpers import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

# It waits for the store by its name in the network, as any service of one's own would.
_MINE = """
x-floe: {{extends: {stack}}}
services:
  box:
    image: {image}
    init: true
    command: [bash, -c, "echo $$GREETING > /data/greeting; sleep 3600"]
    environment: {{GREETING: "${{MY_GREETING:-hello}}"}}
    volumes: ["kept:/data"]
    depends_on: [minio]
    healthcheck: {{test: "exec bash -c 'test -s /data/greeting && exec 3<>/dev/tcp/minio/9000'"}}
  hungry:
    image: {image}
    init: true
    mem_limit: 32m
    command: [bash, -c, "until rm /tmp/eat 2>/dev/null; do sleep 0.1; done; x=$$(yes | head -c 300m)"]
volumes:
  kept:
"""


@pytest.fixture(scope="module")
def mine(engine: Any, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    assert engine is not None
    home = tmp_path_factory.mktemp("own")
    running = RunningStack(home / "p", {"XDG_STATE_HOME": str(home / "state"), "MY_GREETING": "good morning"})
    begin(running.root)
    (running.root / "stacks").mkdir()
    (running.root / "stacks" / "mine.yaml").write_text(_MINE.format(stack=STACK, image=base_image))
    try:
        up = running.floe("up", "--stack", "mine", "--no-run", timeout=400)
        assert up.returncode == 0, up.stdout + up.stderr
        yield running
    finally:
        running.floe("down", "--volumes", timeout=120)
        docker.sweep(project_key(running.root), volumes=True)


def _service(stack: RunningStack, name: str) -> dict[str, Any]:
    (found,) = (s for s in json.loads(stack.floe("status", "--json").stdout)["services"] if s["name"] == name)
    return dict(found)


def test_it_is_in_status_and_its_log_beside_the_others(mine: RunningStack) -> None:
    box = _service(mine, "box")
    assert box["state"] == "ready"
    assert box["container"] == f"floe-{project_key(mine.root)}-box"
    assert "box" in mine.floe("status").stdout
    assert (mine.root / ".floe" / "logs" / "box.log").exists()
    container = docker.connect().containers.get(box["container"])
    assert container.exec_run(["cat", "/data/greeting"]).output == b"good morning\n"


def test_a_paused_container_is_shown_and_so_is_its_going_on(mine: RunningStack) -> None:
    container = docker.connect().containers.get(_service(mine, "box")["container"])
    container.pause()
    eventually(lambda: "docker unpause" in str(_service(mine, "box")["reason"]), "the pause is not shown", seconds=20)
    assert mine.floe("status").returncode != 0
    container.unpause()
    eventually(lambda: _service(mine, "box")["state"] == "ready", "not ready again", seconds=20)


def test_a_container_that_is_killed_or_removed_comes_back(mine: RunningStack) -> None:
    for number, end in enumerate(("kill", "remove"), 1):
        container = docker.connect().containers.get(_service(mine, "box")["container"])
        if end == "kill":
            container.kill()
        else:
            container.remove(force=True)
        _wait_for(mine, "box", number)


def test_a_container_that_runs_out_of_memory_says_so_and_comes_back(mine: RunningStack) -> None:
    container = docker.connect().containers.get(_service(mine, "hungry")["container"])
    assert container.exec_run(["touch", "/tmp/eat"]).exit_code == 0
    _wait_for(mine, "hungry", 1)
    assert _service(mine, "hungry")["last_end"] == "ran out of memory"
    assert "ran out of memory" in mine.floe("status").stdout


def test_what_a_container_uses_is_asked_of_the_engine(mine: RunningStack) -> None:
    backend = LocalBackend(Session(mine.root))
    used = backend.usage("postgres")
    assert used is not None
    assert 1_000_000 < used.memory < 1_000_000_000
    assert used.cpu >= 0
    assert backend.usage("telemetry") is None


def _wait_for(stack: RunningStack, name: str, restarts: int) -> None:
    def back() -> bool:
        seen = _service(stack, name)
        return bool(seen["state"] == "ready" and seen["restarts"] == restarts)

    eventually(back, f"{name} did not come back", seconds=60)


def test_a_restart_keeps_url_and_data(mine: RunningStack) -> None:
    before = _service(mine, "minio")
    done = mine.floe("restart", "minio")
    assert done.returncode == 0, done.stderr
    after = _service(mine, "minio")
    assert (after["url"], after["state"]) == (before["url"], "ready")
    assert after["started_at"] > before["started_at"]


def test_a_bucket_with_data_and_lost_secrets_are_taken_over(mine: RunningStack) -> None:
    layout = Layout(mine.root)
    session = Session(mine.root)
    with session.duckdb("floe") as connection:
        connection.execute(
            "CREATE SCHEMA IF NOT EXISTS kept; CREATE TABLE kept.rows AS SELECT range AS n FROM range(7)"
        )
    port = session.status().services  # type: ignore[union-attr]
    endpoint = next(f"http://127.0.0.1:{s.port}" for s in port if s.name == "minio")
    place = f"s3://{provisioning.BUCKET}/somebody/elses"
    MinioStorage(endpoint, provisioning.store_keys(layout, provisioning.STORE_USER)).write(place, b"theirs")

    assert mine.floe("down", timeout=120).returncode == 0
    assert docker.connect().containers.list(all=True, filters={"name": project_key(mine.root)}) == []
    lost = layout.secrets_file.read_text()
    layout.secrets_file.unlink()
    up = mine.floe("up", "--no-run", timeout=400)
    assert up.returncode == 0, up.stdout + up.stderr
    again = Session(mine.root)
    with again.duckdb("reader") as connection:
        assert connection.execute("SELECT count(*) FROM kept.rows").fetchone() == (7,)
    store = MinioStorage(endpoint, provisioning.store_keys(layout, provisioning.STORE_USER))
    assert store.read(place) == b"theirs"
    for user in json.loads(lost)["stores"].values():
        assert user["client_secret"] not in layout.secrets_file.read_text()


def test_down_keeps_its_volume_and_volumes_removes_it(mine: RunningStack) -> None:
    mine.floe("down", timeout=120)
    label = {"label": f"{docker.PROJECT_LABEL}={project_key(mine.root)}"}
    kept = sorted(v.name.rpartition("-")[2] for v in docker.connect().volumes.list(filters=label))
    # What the stack it extends had is there beside the service of one's own.
    assert kept == ["kept", "metadata", "objects"]
    assert {v.name.rpartition("-")[0] for v in docker.connect().volumes.list(filters=label)} == {
        f"floe-{project_key(mine.root)}-{STACK}"
    }
    assert docker.connect().networks.list(filters=label) == []
    mine.floe("down", "--volumes", timeout=120)
    assert docker.connect().volumes.list(filters=label) == []


def test_a_mounted_path_that_is_not_there_is_told_and_nothing_is_made_of_it(mine: RunningStack) -> None:
    mounted = (mine.root / "stacks" / "mine.yaml").read_text().replace('volumes: ["kept:', 'volumes: ["./nothing:')
    (mine.root / "stacks" / "absent.yaml").write_text(mounted)
    up = mine.floe("up", "--stack", "absent", "--no-run", timeout=120)
    assert up.returncode != 0
    assert "mkdir -p" in up.stderr
    assert not (mine.root / "stacks" / "nothing").exists()
