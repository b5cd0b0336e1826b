from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_dev.supervisor import client
from tests.supervisor.helpers import TinyStack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyStack]:
    """A project in a folder whose name has spaces and more than ASCII, its supervisor one of small services."""
    monkeypatch.setattr(client, "SUPERVISOR", "tests.supervisor.tiny")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state home"))
    root = tmp_path / "größeres projekt 湖"
    root.mkdir()
    stack = TinyStack(root)
    yield stack
    stack.clean()
