"""Files; MinIO's contract is tests/docker/test_storage.py, where a MinIO runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.config.plugins import load
from floe_dev.storage.base import Storage
from floe_dev.testing.contracts import StorageContract


class TestFiles(StorageContract):
    @pytest.fixture
    def store(self) -> Storage:
        found: Storage = load("storages", "file")()
        return found

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/lake ü 1"

    def test_it_has_no_keys_to_vend(self, store: Storage, place: str) -> None:
        with pytest.raises(OSError, match="no keys"):
            store.vend([place], write=False, seconds=60)
