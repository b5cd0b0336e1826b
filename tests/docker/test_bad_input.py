"""What can be wrong with an engine, on real ones: each is one clear error, and what is not ours stays."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from floe_dev.drivers import docker
from floe_dev.drivers.docker import ContainerSpec
from floe_dev.drivers.events import ContainerEvent, EventStream
from floe_dev.drivers.pull import pull
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.stack import Bind
from floe_dev.supervisor import provisioning
from floe_dev.supervisor.state import prepare_state_dir
from tests.docker.conftest import minio_image
from tests.docker.registry import registry
from tests.drivers.helpers import eventually, free_port


def _sleeper(project: str, image: str, **changed: Any) -> ContainerSpec:
    settings: dict[str, Any] = {
        "project": project,
        "instance": "one",
        "service": "box",
        "image": image,
        "command": ["sleep", "300"],
        "environment": {},
        "ports": {},
        "volumes": {},
        "init": True,
    }
    return ContainerSpec(**{**settings, **changed})


def test_a_network_of_somebody_else_is_left_alone_and_told(plain_engine: Any, project: str) -> None:
    other = plain_engine.networks.create(f"floe-{project}", driver="bridge")
    try:
        with pytest.raises(FloeError) as caught:
            docker.ensure_network(plain_engine, project)
        assert caught.value.code is Code.NAME_CLASH
        assert caught.value.fix == f"docker network rm floe-{project}"
        docker.sweep(project)
        docker.remove_network(plain_engine, project)
        other.reload()
    finally:
        other.remove()
    assert docker.ensure_network(plain_engine, project) == docker.ensure_network(plain_engine, project)
    assert len(plain_engine.networks.list(names=[f"floe-{project}"])) == 1
    docker.sweep(project)
    assert plain_engine.networks.list(names=[f"floe-{project}"]) == []


def test_a_container_of_somebody_else_is_left_alone_and_told(plain_engine: Any, project: str, base_image: str) -> None:
    other = plain_engine.containers.create(base_image, ["true"], name=f"floe-{project}-box")
    try:
        with pytest.raises(FloeError) as caught:
            docker.start(plain_engine, _sleeper(project, base_image))
        assert caught.value.code is Code.NAME_CLASH
        assert f"docker rename floe-{project}-box" in str(caught.value.fix)
        other.reload()
    finally:
        other.remove(force=True)


def test_a_volume_of_another_version_is_refused_and_stays(plain_engine: Any, project: str, base_image: str) -> None:
    volumes = {f"floe-{project}-data": "/data"}
    old = _sleeper(project, base_image, volumes=volumes, data_version="14")
    docker.start(plain_engine, old)
    with pytest.raises(FloeError) as caught:
        docker.start(plain_engine, _sleeper(project, base_image, volumes=volumes, data_version="15"))
    assert caught.value.code is Code.VOLUME_VERSION
    assert "from version 14, and it is version 15 now" in str(caught.value)
    assert 'x-floe.data_version: "14"' in str(caught.value.fix)
    assert "floe down --volumes" in str(caught.value.fix)
    assert plain_engine.volumes.get(f"floe-{project}-data")
    docker.start(plain_engine, old)


def test_limits_mounts_and_users_are_the_containers(
    plain_engine: Any, project: str, base_image: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("from here")
    # Every user may come in here, but for pytest's own folders above, which the mount leaves behind.
    tmp_path.chmod(0o755)
    (tmp_path / "file").chmod(0o644)
    spec = _sleeper(
        project,
        base_image,
        binds=(Bind(source=str(tmp_path), target="/conf", read_only=True),),
        tmpfs=("/run",),
        user="65534",
        working_dir="/conf",
        read_only=True,
        memory_bytes=64 * 2**20,
        network=docker.ensure_network(plain_engine, project),
    )
    container = docker.start(plain_engine, spec)
    script = ["bash", "-c", "cat file; id -u; touch /x; touch file; getent hosts box | wc -l"]
    # Apart from each other: the engine sends the two streams in either order.
    code, (output, errors) = container.exec_run(script, demux=True)
    assert code == 0
    assert output.decode() == "from here65534\n1\n"
    assert "cannot touch '/x': Read-only file system" in errors.decode()
    assert "cannot touch 'file'" in errors.decode()
    assert container.attrs["HostConfig"]["Memory"] == 64 * 2**20


def test_the_engine_tells_what_happens_to_a_container(plain_engine: Any, project: str, base_image: str) -> None:
    heard: list[ContainerEvent] = []
    stream = EventStream(docker.connect(), project, heard.append)
    try:
        container = docker.start(plain_engine, _sleeper(project, base_image))
        eventually(lambda: any(event.action == "start" for event in heard), "no start", seconds=20)
        container.pause()
        container.unpause()
        container.kill()
        eventually(lambda: any(event.action == "die" for event in heard), "no end", seconds=20)
    finally:
        stream.close()
    assert [event.action for event in heard] == ["start", "pause", "unpause", "die"]
    assert {(event.service, event.container) for event in heard} == {("box", container.id)}
    assert heard[-1].exit_code == 137


def test_a_store_whose_clock_is_off_is_told_as_that(
    engine: Any, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    prepare_state_dir(layout)
    keys, port = provisioning.store_keys(layout, provisioning.STORE_ROOT), free_port()
    docker.start(
        engine,
        ContainerSpec(
            project,
            "one",
            "minio",
            minio_image(),
            ["server", "/data", "--address", ":9000"],
            {"MINIO_ROOT_USER": keys.access_key, "MINIO_ROOT_PASSWORD": keys.secret_key},
            {9000: port},
            {f"floe-{project}-objects": "/data"},
        ),
    )
    endpoint = f"http://127.0.0.1:{port}"

    def made() -> bool:
        try:
            provisioning.make_bucket(layout, endpoint)
        except FloeError:
            return False
        return True

    eventually(made, "MinIO was never set up", seconds=60)

    # This machine's clock, as far as requests are signed by it, is 20 minutes ahead.
    class Ahead:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime.now(zone) + timedelta(minutes=20)

    monkeypatch.setattr("minio.time.utcnow", lambda: Ahead.now(UTC))
    monkeypatch.setattr("floe_dev.storage.signed.datetime", Ahead)
    real = time.time
    monkeypatch.setattr("floe_dev.supervisor.endpoints.time.time", lambda: real() + 1200)
    with pytest.raises(FloeError) as caught:
        provisioning.make_bucket(layout, endpoint)
    assert caught.value.code is Code.CLOCK_SKEW
    assert "s behind this machine's" in str(caught.value)
    assert "timedatectl" in str(caught.value.fix)


@dataclass(frozen=True)
class SmallEngine:
    """A second daemon whose disk holds a few megabytes."""

    socket: Path
    pid: int


@pytest.fixture
def small_engine() -> Iterator[SmallEngine]:
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("only root can start a second dockerd: sudo make test-docker")
    folder = Path("/tmp") / f"floe-engine-{secrets.token_hex(4)}"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("no tmpfs can be mounted here")
    path = folder / "d.sock"
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [
                # In a network of its own: without a bridge of its own a daemon removes the machine's docker0.
                *("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"),
                "dockerd",
                f"--host=unix://{path}",
                f"--data-root={folder / 'data'}",
                f"--exec-root={folder / 'exec'}",
                f"--pidfile={folder / 'pid'}",
                "--bridge=none",
                "--iptables=false",
                "--storage-driver=vfs",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and daemon.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if daemon.poll() is not None:
            pytest.skip("a second dockerd does not start here")
        yield SmallEngine(path, daemon.pid)
    finally:
        daemon.terminate()
        daemon.wait(30)
        time.sleep(0.5)
        subprocess.run(["umount", "-l", str(folder)], check=False)
        folder.rmdir()


def test_a_full_disk_of_the_engine_is_told_and_nothing_half_pulled_stays(
    small_engine: SmallEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{small_engine.socket}")

    def answers() -> bool:
        try:
            docker.connect()
        except FloeError:
            return False
        return True

    eventually(answers, "the second engine never answered", seconds=60)
    client = docker.connect()
    with registry(small_engine.pid) as served:
        served.serve(layers=2, size=20_000_000)
        with pytest.raises(FloeError) as caught:
            pull(client, served.image(), lambda _: None)
    assert caught.value.code is Code.DISK_FULL
    assert "docker image prune" in str(caught.value.fix)
    assert client.images.list() == []


def test_an_engine_that_goes_away_is_told(small_engine: SmallEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{small_engine.socket}")
    small_engine.socket.unlink()
    with pytest.raises(FloeError) as caught:
        docker.connect()
    assert caught.value.code is Code.NO_ENGINE
    assert "--stack embedded" in str(caught.value.fix)
