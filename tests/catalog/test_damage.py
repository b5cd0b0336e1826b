"""Files of the warehouse are gone, damaged or cannot be written: that is told, changes nothing, and can be mended."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.conftest import Space
from tests.catalog.server import RunningCatalog, start_catalog

COMMIT = {
    "identifier": {"namespace": ["raw"], "name": "t"},
    "requirements": [],
    "updates": [{"action": "set-properties", "updates": {"a": "1"}}],
}


def delete(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def garble(file: Path) -> None:
    file.write_bytes(b'{"format-version": 2, "location": 7')


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def remove_warehouse(file: Path) -> None:
    shutil.rmtree(file.parent.parent)


def demo(server: RunningCatalog) -> Space:
    server.add_catalog("demo")
    space = Space(server, "demo", server.add_principal("owner", "demo", "CATALOG_MANAGE_CONTENT"))
    space.make_namespace("raw")
    return space


@pytest.mark.parametrize("damage", [delete, empty, garble, replace_by_folder, remove_warehouse])
def test_a_damaged_table_is_told_and_can_be_dropped(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    server = start_catalog(tmp_path)
    before = demo(server)
    for name in ("t", "u"):
        location = before.make_table("raw", name)["metadata-location"]
        damage(Path(location.removeprefix("file://")))
    # What was read once is kept in memory (metadata files never change), so only a new process sees the damage.
    server.stop()
    server = start_catalog(tmp_path, root=server.root, signing_key=server.signing_key)
    try:
        space = Space(server, "demo", before.owner)
        replies: list[Any] = [
            space.send("GET", "/namespaces/raw/tables/t"),
            space.send("POST", "/namespaces/raw/tables/t", COMMIT),
            space.send("POST", "/transactions/commit", {"table-changes": [COMMIT]}),
        ]
        for reply in replies:
            assert reply.status >= 400
            assert reply.error, reply
            assert "metadata" in reply.body["error"]["message"].lower(), reply
        listed = space.send("GET", "/namespaces/raw/tables").body["identifiers"]
        assert [item["name"] for item in listed] == ["t", "u"]
        assert space.send("DELETE", "/namespaces/raw/tables/t").status == 204
        assert space.send("DELETE", "/namespaces/raw/tables/u?purgeRequested=true").status == 204
        space.make_table("raw", "t")
    finally:
        server.stop()


def test_metadata_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """A file in the way stands for every reason why not: a full disk, a read-only one, no permission."""
    server = start_catalog(tmp_path)
    try:
        space = demo(server)
        location = Path(space.make_table("raw", "t")["metadata"]["location"].removeprefix("file://"))
        shutil.move(location / "metadata", location / "elsewhere")
        (location / "metadata").write_text("in the way")
        reply = space.send("POST", "/namespaces/raw/tables/t", COMMIT)
        assert reply.status >= 400
        assert reply.error
        (location / "metadata").unlink()
        shutil.move(location / "elsewhere", location / "metadata")
        loaded = space.send("GET", "/namespaces/raw/tables/t")
        assert loaded.status == 200
        assert "a" not in loaded.body["metadata"].get("properties", {})
        assert space.send("POST", "/namespaces/raw/tables/t", COMMIT).status == 200
    finally:
        server.stop()
