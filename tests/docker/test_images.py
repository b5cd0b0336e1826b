"""Images on a real engine: listed, saved and loaded, and the errors that say what is missing."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.drivers import docker
from floe_dev.drivers.docker import ContainerSpec
from floe_dev.drivers.images import store
from floe_dev.drivers.images.build import build_all
from floe_dev.drivers.images.recipes import RECIPES, Recipe
from floe_dev.errors import Code, FloeError
from tests.cli.helpers import floe
from tests.docker.conftest import minio_image


@pytest.fixture
def small(engine: Any) -> Iterator[str]:
    """An image of one small file, of this test's own."""
    tag = f"floe/test:{secrets.token_hex(4)}"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("tag")
        entry.size = len(tag)
        tar.addfile(entry, io.BytesIO(tag.encode()))
    repository, _, version = tag.partition(":")
    engine.api.import_image_from_data(layer.getvalue(), repository=repository, tag=version)
    yield tag
    if engine.images.list(name=tag):
        engine.images.remove(tag)


def test_a_saved_image_can_be_loaded_where_it_is_not(engine: Any, small: str, tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    assert store.save(small, file) == file.stat().st_size > 0
    engine.images.remove(small)
    assert store.states([("s", "x", small)])[0].size_bytes is None
    assert store.load(file) == [small]
    assert store.states([("s", "x", small)])[0].size_bytes is not None
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


def test_what_is_no_image_is_refused(engine: Any, tmp_path: Path) -> None:
    assert engine is not None
    file = tmp_path / "image.tar"
    file.write_bytes(b"no image")
    with pytest.raises(FloeError) as caught:
        store.load(file)
    assert caught.value.code is Code.ENGINE_REFUSED
    with pytest.raises(FloeError) as caught:
        store.save("floe/none:1", file)
    assert caught.value.code is Code.IMAGE_MISSING
    assert file.read_bytes() == b"no image"


def test_without_apt_the_error_says_what_to_do(engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert engine is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FloeError) as caught:
        build_all(["floe/base:none"], lambda _: None)
    assert caught.value.code is Code.IMAGE_NOT_BUILT
    assert "floe images load" in str(caught.value)


def test_a_built_image_is_made_anew_when_its_recipe_changes(
    engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine builds for real: an image of one file, on the base."""
    tag = f"floe/trial:{secrets.token_hex(4)}"
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY said /said\n")
    (folder / "said").write_text("one")

    class Trial(Recipe):
        folder = tmp_path / "trial"

    monkeypatch.setitem(RECIPES, "trial", Trial("trial", lambda *_: None, lambda: None))
    told: list[str] = []
    try:
        assert build_all([tag], told.append) == {tag: True}
        assert any("Step 1" in line for line in told)
        assert build_all([tag], told.append) == {tag: False}
        (folder / "said").write_text("two")
        assert build_all([tag], told.append) == {tag: True}
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY missing /said\n")
        with pytest.raises(FloeError) as caught:
            build_all([tag], told.append)
        assert caught.value.code is Code.IMAGE_NOT_BUILT
        assert "missing" in str(caught.value)
    finally:
        engine.images.remove(tag, force=True)


def test_a_missing_image_of_floes_is_told_with_its_command(engine: Any, project: str) -> None:
    spec = ContainerSpec(
        project=project,
        instance="one",
        service="minio",
        image="floe/none:1",
        command=[],
        environment={},
        ports={},
        volumes={},
    )
    with pytest.raises(FloeError) as caught:
        docker.start(engine, spec)
    assert caught.value.code is Code.IMAGE_MISSING
    assert "floe images build" in str(caught.value)


def test_the_list_names_what_is_here_and_what_is_missing(engine: Any, tmp_path: Path) -> None:
    assert engine is not None
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "mine.yaml").write_text(
        "name: mine\nservices: {box: {image: 'floe/none:1', x-floe: {driver: docker}}}\n"
    )
    done = floe("images", "list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {tuple(line.split()[:3]): line for line in done.stdout.splitlines()}
    assert rows["mine", "box", "floe/none:1"].endswith("missing")
    assert "images build" in done.stderr, "the command that mends it is said"
    assert rows["lakehouse-lite", "minio", minio_image()].endswith("MB")


def test_without_an_engine_the_list_is_one_error(tmp_path: Path) -> None:
    done = floe("images", "list", cwd=tmp_path, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert done.returncode != 0
    assert "FLOE2301" in done.stderr
    assert "Traceback" not in done.stderr
