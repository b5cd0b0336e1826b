"""Real containers: these tests run where an engine answers and the images are there, and say else how to get them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.config.stacks import load_stack
from floe_dev.drivers import docker
from floe_dev.errors import FloeError
from floe_dev.model.layout import Layout
from floe_dev.supervisor.paths import new_instance, project_key
from floe_dev.supervisor.state import StackState, prepare_state_dir, save_state
from tests.cli.conftest import RunningStack
from tests.cli.helpers import floe
from tests.cli.tiny import make_tiny

#: The stack whose images can all be built.
STACK = "lakehouse-lite"
SERVICES = ("postgres", "minio", "catalog", "polaris", "dagster-code", "dagster-webserver", "telemetry")


@pytest.fixture(scope="session")
def plain_engine() -> Any:
    """An engine, whatever images it has."""
    try:
        return docker.connect()
    except FloeError as error:
        pytest.skip(f"{error.what}: make test-docker")


@pytest.fixture(scope="session")
def engine(plain_engine: Any) -> Any:
    """The engine, with the images that the stack `lakehouse-lite` names."""
    from docker.errors import ImageNotFound

    client = plain_engine
    for service in load_stack(STACK).services:
        try:
            client.images.get(service.image)
        except ImageNotFound:
            pytest.skip(f"no image {service.image} here: floe images build")
    return client


def minio_image() -> str:
    """The image of the stack's object store, whatever the environment puts in its place."""
    (image,) = (service.image for service in load_stack(STACK).services if service.name == "minio")
    assert image is not None
    return image


@pytest.fixture(scope="session")
def containers(engine: Any) -> Any:
    """floe_dev.testing.containers; testcontainers reads its settings when it is imported."""
    assert engine is not None
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from floe_dev.testing import containers

    return containers


@pytest.fixture
def project(plain_engine: Any) -> Iterator[str]:
    """A project's label of this test's own; whatever carries it is gone afterwards."""
    assert plain_engine is not None
    name = f"test{secrets.token_hex(4)}"
    yield name
    docker.sweep(name, volumes=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "container.log"


@pytest.fixture(scope="session")
def base_image(engine: Any) -> str:
    """A small image with a shell, from which the network can be asked."""
    tags = [tag for image in engine.images.list(name="floe/base") for tag in image.tags]
    if not tags:
        pytest.skip("no image floe/base here: floe images build")
    return str(max(tags))


def free_ports() -> dict[str, int]:
    """Ports for a first start that is in nobody's way."""
    return {service: secrets.randbelow(10_000) + 20_000 for service in SERVICES}


def begin(root: Path, stack: str = STACK) -> None:
    """The tiny project at `root`, whose first start takes ports of its own."""
    root.mkdir(parents=True)
    prepare_state_dir(Layout(root))
    save_state(Layout(root), StackState(instance=new_instance(root), stack=stack, ports=free_ports()))
    make_tiny(root)


@pytest.fixture(scope="module")
def docker_stack(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The tiny project, materialized on MinIO."""
    assert engine is not None
    home = tmp_path_factory.mktemp("minio")
    running = RunningStack(home / "my shop \u00fc", {"XDG_STATE_HOME": str(home / "state")})
    begin(running.root)
    try:
        up = running.floe("up", "--stack", STACK, timeout=400)
        assert up.returncode == 0, up.stdout + up.stderr
        yield running
    finally:
        down = floe("down", "--volumes", cwd=running.root, env=running.env, timeout=120)
        docker.sweep(project_key(running.root), volumes=True)
    assert down.returncode == 0, down.stderr
