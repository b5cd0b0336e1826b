"""The same driver on Podman: its API socket answers as Docker's does, with differences that are looked at here."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.drivers import docker
from floe_dev.drivers.events import ContainerEvent, EventStream
from floe_dev.drivers.inside import FromInside
from floe_dev.drivers.wire import Request
from floe_dev.errors import Code, FloeError
from floe_dev.supervisor.containers import check
from tests.docker.test_bad_input import _sleeper
from tests.drivers.helpers import eventually, free_port


@pytest.fixture
def podman(plain_engine: Any, base_image: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Podman service of this test's own, with the base image in it."""
    if shutil.which("podman") is None:
        pytest.skip("no podman here: .venv/bin/python -m scripts.programs installs it")
    folder = Path("/tmp") / f"floe-podman-{secrets.token_hex(4)}"
    folder.mkdir()
    address = f"unix://{folder / 's.sock'}"
    base = ["podman", f"--root={folder / 'root'}", f"--runroot={folder / 'run'}", "--storage-driver=vfs"]
    # Podman asks for a million open files, which not every machine grants even to root.
    settings = folder / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
    with (folder / "log").open("wb") as log:
        command = [*base, "system", "service", "-t", "0", address]
        service = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "s.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        monkeypatch.setenv("DOCKER_HOST", address)
        client = docker.connect(seconds=120)
        client.images.load(b"".join(plain_engine.images.get(base_image).save(named=True)))
        yield client
    finally:
        service.terminate()
        service.wait(30)
        subprocess.run([*base, "rm", "-fa"], capture_output=True, check=False)
        subprocess.run([*base, "system", "reset", "-f"], capture_output=True, check=False, input=b"y\n")
        shutil.rmtree(folder, ignore_errors=True)


def test_podman_carries_a_container_through_its_life(podman: Any, base_image: str, tmp_path: Path) -> None:
    project, port = f"test{secrets.token_hex(4)}", free_port()
    heard: list[ContainerEvent] = []
    stream = EventStream(docker.connect(), project, heard.append)
    network = docker.ensure_network(podman, project)
    assert docker.ensure_network(podman, project) == network
    listen = "exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Listen=>5,LocalPort=>80,ReuseAddr=>1); \
while($c=$s->accept){<$c>; print $c \"HTTP/1.0 200 OK\\r\\n\\r\\nhello\"; close $c}'"
    try:
        container = docker.start(
            podman,
            _sleeper(
                project,
                base_image,
                command=["bash", "-c", f"echo up; {listen}"],
                ports={80: port},
                network=network,
                volumes={f"floe-{project}-data": "/data"},
                data_version="1",
            ),
        )
        log = tmp_path / "box.log"
        docker.follow(container, log)
        eventually(lambda: log.exists() and b"up" in log.read_bytes(), "no log", seconds=20)
        assert asyncio.run(check(container, ["bash", "-c", "exec 3<>/dev/tcp/box/80"])) == (True, "`bash` ended with 0")
        with FromInside(podman, project) as inside:
            assert inside.ask(Request("GET", "http://box:80/")).body == b"hello"
        eventually(lambda: any(event.action == "start" for event in heard), "no start event", seconds=20)
        with pytest.raises(FloeError) as caught:
            docker.start(podman, _sleeper(project, base_image, service="other", ports={80: port}))
        assert caught.value.code in (Code.PORT_TAKEN, Code.ENGINE_REFUSED)
        container.kill()
        assert docker.wait(container) == 137
        eventually(lambda: any(event.action == "die" for event in heard), "no end event", seconds=20)
        assert next(event.exit_code for event in heard if event.action == "die") == 137
    finally:
        stream.close()
        removed = docker.sweep(project, volumes=True)
    assert sorted(removed) == sorted([f"floe-{project}-box", f"floe-{project}", f"floe-{project}-data"])
