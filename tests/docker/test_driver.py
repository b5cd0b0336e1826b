"""The Docker driver on a real engine: one container's life, and what is left alone."""

from __future__ import annotations

import secrets
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from floe_dev.drivers import docker
from floe_dev.drivers.docker import ContainerSpec
from floe_dev.errors import Code, FloeError
from tests.docker.conftest import minio_image
from tests.drivers.helpers import eventually, free_port


def _spec(project: str, port: int, **changed: Any) -> ContainerSpec:
    settings: dict[str, Any] = {
        "project": project,
        "instance": "one",
        "service": "minio",
        "image": minio_image(),
        "command": ["server", "/data", "--address", ":9000"],
        "environment": {"MINIO_ROOT_USER": "root", "MINIO_ROOT_PASSWORD": secrets.token_hex(16)},
        "ports": {9000: port},
        "volumes": {f"floe-{project}-objects": "/data"},
    }
    return ContainerSpec(**{**settings, **changed})


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/minio/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _names(engine: Any, project: str) -> list[str]:
    found = engine.containers.list(all=True, filters={"label": f"{docker.PROJECT_LABEL}={project}"})
    return sorted(container.name for container in found)


def _volumes(engine: Any, project: str) -> list[str]:
    found = engine.volumes.list(filters={"label": f"{docker.PROJECT_LABEL}={project}"})
    return sorted(volume.name for volume in found)


def test_a_container_starts_tells_its_end_and_keeps_its_volume(engine: Any, project: str, log: Path) -> None:
    port = free_port()
    container = docker.start(engine, _spec(project, port))
    docker.follow(container, log)
    eventually(lambda: _answers(port), "never ready", seconds=60)
    container.reload()
    published = container.attrs["NetworkSettings"]["Ports"]["9000/tcp"]
    assert [binding["HostIp"] for binding in published] == ["127.0.0.1"]
    eventually(lambda: log.exists() and b"MinIO" in log.read_bytes(), "nothing in the log", seconds=30)

    docker.stop(container, 10)
    assert _names(engine, project) == []
    assert _volumes(engine, project) == [f"floe-{project}-objects"]
    assert docker.wait(container) == -9
    docker.stop(container, 10)


def test_a_second_start_takes_the_place_of_the_first(engine: Any, project: str) -> None:
    first = docker.start(engine, _spec(project, free_port()))
    second = docker.start(engine, _spec(project, free_port(), instance="two"))
    assert _names(engine, project) == [second.name]
    assert docker.wait(first) == -9


def test_the_end_of_a_killed_container_is_seen(engine: Any, project: str) -> None:
    container = docker.start(engine, _spec(project, free_port()))
    container.kill()
    assert docker.wait(container) == 137


def test_a_sweep_leaves_what_is_another_projects(engine: Any, project: str) -> None:
    other = f"{project}b"
    try:
        docker.start(engine, _spec(project, free_port()))
        docker.start(engine, _spec(other, free_port()))
        docker.sweep(project)
        assert _names(engine, project) == []
        assert _names(engine, other) == [f"floe-{other}-minio"]
        assert _volumes(engine, project) == [f"floe-{project}-objects"]
        docker.sweep(project, volumes=True)
        assert _volumes(engine, project) == []
        assert _volumes(engine, other) == [f"floe-{other}-objects"]
    finally:
        docker.sweep(other, volumes=True)


def test_a_port_that_is_taken_is_what_the_engine_says(engine: Any, project: str) -> None:
    port = free_port()
    docker.start(engine, _spec(project, port))
    with pytest.raises(FloeError) as caught:
        docker.start(engine, _spec(project, port, service="other"))
    assert caught.value.code is Code.PORT_TAKEN
    assert _names(engine, project) == [f"floe-{project}-minio"]
    assert str(port) in str(caught.value)


def test_without_an_engine_the_error_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(FloeError) as caught:
        docker.connect()
    assert caught.value.code is Code.NO_ENGINE
    assert "none.sock" in str(caught.value)
    assert "--stack embedded" in str(caught.value)
