"""Pulling from a registry of this test's own: progress, and every way in which a registry says no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.drivers import docker, refusals
from floe_dev.drivers.docker import ContainerSpec
from floe_dev.drivers.pull import PullState, pull, together
from floe_dev.errors import Code, FloeError
from tests.cli.helpers import floe
from tests.docker.registry import Registry, registry
from tests.drivers.helpers import free_port


@pytest.fixture
def hub(plain_engine: Any) -> Iterator[Registry]:
    with registry() as served:
        yield served
        for name in ("box:1", "other:1"):
            if plain_engine.images.list(name=served.image(name)):
                plain_engine.images.remove(served.image(name), force=True)


def _refused(client: Any, image: str) -> FloeError:
    with pytest.raises(FloeError) as caught:
        pull(client, image, lambda _: None, service="my-box")
    return caught.value


def test_a_pull_tells_layers_and_bytes(plain_engine: Any, hub: Registry) -> None:
    hub.serve(layers=3, size=2_000_000)
    hub.slow = 0.02
    told: list[PullState] = []
    pull(plain_engine, hub.image(), told.append)
    assert plain_engine.images.get(hub.image())
    last = told[-1]
    assert (last.layers_done, last.layers) == (3, 3)
    assert last.bytes_done == last.bytes_total > 6_000_000
    assert any(0 < state.bytes_done < state.bytes_total for state in told)
    assert told[0].text() == "asking the registry"
    assert last.text() == "3 of 3 layers, 6 of 6 MB"


def test_an_image_that_is_named_by_its_digest_is_that_one_or_none(plain_engine: Any, hub: Registry) -> None:
    hub.serve(layers=1, size=1000)
    pinned = hub.image(f"box@{hub.digest}")
    pull(plain_engine, pinned, lambda _: None)
    assert docker.has_image(plain_engine, pinned)
    hub.serve(layers=1, size=2000)
    # The registry has another one by now, and gives it out under the old one's name.
    plain_engine.images.remove(pinned, force=True)
    with pytest.raises(FloeError) as caught:
        pull(plain_engine, pinned, lambda _: None)
    assert caught.value.code is Code.IMAGE_MISSING
    assert not docker.has_image(plain_engine, pinned)


def test_several_pulls_are_one_line_together() -> None:
    states = [PullState("a", 1, 2, 1_000_000, 3_000_000), PullState("b", 0, 5, 2_000_000, 40_000_000)]
    assert together(states) == "2 images: 1 of 7 layers, 3 of 43 MB"
    assert together(states[:1]) == "1 of 2 layers, 1 of 3 MB"


@pytest.mark.parametrize(
    ("refusal", "why", "fix"),
    [
        ("gone", "it is gone", "FLOE_IMAGE_MY_BOX="),
        ("login", "wants a login", "docker login 127.0.0.1"),
        ("denied", "login", "docker login 127.0.0.1"),
        ("limit", "that often", "docker login"),
    ],
)
def test_a_refusal_is_told_in_plain_words(plain_engine: Any, hub: Registry, refusal: str, why: str, fix: str) -> None:
    hub.refusal = refusal
    error = _refused(plain_engine, hub.image())
    assert error.code is Code.IMAGE_MISSING
    assert why in str(error.why)
    assert fix in str(error.fix)
    assert error.detail


def test_no_network_is_told_as_that(plain_engine: Any) -> None:
    error = _refused(plain_engine, f"127.0.0.1:{free_port()}/box:1")
    assert "cannot be reached" in str(error.why)
    assert "floe images load" in str(error.fix)


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", Code.DISK_FULL, "disk of the engine"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", Code.IMAGE_ARCHITECTURE, "processor"),
        ("pull access denied for minio/minio, repository does not exist or may require 'docker login'",
         Code.IMAGE_MISSING, "may be gone"),
        ("Get https://r.example/v2/: dial tcp: lookup r.example: no such host", Code.IMAGE_MISSING, "no network"),
        ("something new", Code.IMAGE_MISSING, "own words"),
    ],
)  # fmt: skip
def test_what_engines_say_is_known(said: str, code: Code, why: str) -> None:
    error = refusals.pull_refused("minio/minio:1", said, "minio")
    assert error.code is code
    assert why in str(error.why)
    assert error.fix


def test_an_image_for_another_processor_is_not_started(plain_engine: Any, hub: Registry, project: str) -> None:
    other = "arm64" if plain_engine.version()["Arch"] == "amd64" else "amd64"
    hub.serve(layers=1, size=100, architecture=other)
    pull(plain_engine, hub.image(), lambda _: None)
    spec = ContainerSpec(project, "one", "box", hub.image(), [], {}, {}, {})
    with pytest.raises(FloeError) as caught:
        docker.start(plain_engine, spec)
    assert caught.value.code is Code.IMAGE_ARCHITECTURE
    assert f"is for {other}" in str(caught.value)
    assert "--platform linux/" in str(caught.value.fix)


def test_images_pull_is_a_command(plain_engine: Any, hub: Registry, tmp_path: Path) -> None:
    hub.serve(layers=2, size=200_000)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "mine.yaml").write_text(
        f"services: {{box: {{image: '{hub.image()}'}}, own: {{image: 'floe/none:1'}}}}\n"
    )
    done = floe("images", "pull", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"pulled {hub.image()}" in done.stderr
    assert "floe images build" in done.stderr
    assert "is here" in floe("images", "pull", "mine", cwd=tmp_path).stderr
    hub.refusal = "limit"
    plain_engine.images.remove(hub.image(), force=True)
    refused = floe("images", "pull", "mine", cwd=tmp_path)
    assert refused.returncode != 0
    assert "FLOE2303" in refused.stderr
