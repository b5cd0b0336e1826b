"""Real containers: these tests run where an engine answers and the images are there, and say else how to get them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.config.stacks import load_stack
from floe_dev.drivers import docker
from floe_dev.errors import FloeError


@pytest.fixture(scope="session")
def engine() -> Any:
    """The engine, with the image that the stack `minio` names."""
    from docker.errors import ImageNotFound

    try:
        client = docker.connect()
    except FloeError as error:
        pytest.skip(f"{error.what}: start one, then `floe images build`")
    image = minio_image()
    try:
        client.images.get(image)
    except ImageNotFound:
        pytest.skip(f"no image {image} here: floe images build")
    return client


def minio_image() -> str:
    """The image of the stack's object store, whatever the environment puts in its place."""
    (image,) = (service.image for service in load_stack("minio").services if service.name == "minio")
    assert image is not None
    return image


@pytest.fixture
def project(engine: Any) -> Iterator[str]:
    """A project's label of this test's own; whatever carries it is gone afterwards."""
    assert engine is not None
    name = f"test{secrets.token_hex(4)}"
    yield name
    docker.sweep(name, volumes=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "container.log"
