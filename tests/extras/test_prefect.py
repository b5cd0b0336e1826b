"""Prefect 3 holds to the contract: its own flow, task runs and server."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.config.plugins import load
from floe_dev.orchestrators.base import Orchestrator
from floe_dev.testing.contracts import OrchestratorContract
from tests.extras.declared import amiss


def test_the_extra_is_installed_as_declared() -> None:
    assert amiss("prefect") == []


class TestPrefect(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orchestrator:
        monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
        monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        # Its server says at exit that it stops, when pytest has closed what that is written to.
        monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "ERROR")
        found: Orchestrator = load("orchestrators", "prefect")
        return found
