"""`floe ci --prefetch` with an engine: images from a provider's cache, and into it."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound

from tests.cli.helpers import floe
from tests.cli.tiny import make_tiny


@pytest.fixture
def image(plain_engine: Any) -> Iterator[str]:
    """An image of one file, in no registry."""
    name = f"floe-test-{secrets.token_hex(4)}:1"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    plain_engine.api.import_image_from_data(layer.getvalue(), repository=name.partition(":")[0], tag="1")
    yield name
    try:
        plain_engine.images.remove(name, force=True)
    except ImageNotFound:
        return


def test_images_are_kept_in_the_folder_and_read_from_it(plain_engine: Any, image: str, tmp_path: Path) -> None:
    root = make_tiny(tmp_path / "my shop ü")
    stack = root / "stacks" / "own.yaml"
    stack.parent.mkdir()
    stack.write_text(f"services:\n  one:\n    image: {image}\n")
    kept = root / ".floe-images"

    def prefetch() -> str:
        done = floe("ci", "--prefetch", "--stack", "own", cwd=root)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert f"{image} is here" in prefetch()
    assert not kept.exists(), "nobody asked for it"
    kept.mkdir()
    (kept / "of-an-older-stack.tar").write_bytes(b"")
    assert "wrote .floe-images/" in prefetch()
    (file,) = kept.iterdir()
    before = plain_engine.images.get(image).id
    plain_engine.images.remove(image)
    assert f"{image} from .floe-images/{file.name}" in prefetch()
    assert plain_engine.images.get(image).id == before

    key = floe("ci", "--cache-key", "images", "--stack", "own", cwd=root).stdout
    stack.write_text(f"services:\n  one:\n    image: {image}0\n")
    assert floe("ci", "--cache-key", "images", "--stack", "own", cwd=root).stdout != key
    missing = floe("ci", "--prefetch", "--stack", "own", cwd=root)
    assert missing.returncode != 0
    assert f"{image}0" in missing.stderr
    assert "fix:" in missing.stderr
    assert "Traceback" not in missing.stderr
