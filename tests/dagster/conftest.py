"""One real stack of the sample project, up and materialized once for all tests that only look at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.supervisor import client as supervisor
from tests.drivers.helpers import free_port

SAMPLE = Path(__file__).parents[2] / "sample_project"


@dataclass
class Stack:
    """A running stack and its Dagster."""

    root: Path

    def floe(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """The command, as a user runs it in the project's folder."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "POLARIS_"))}
        return subprocess.run(
            [sys.executable, "-m", "floe_dev.cli", *arguments],
            cwd=self.root,
            env={**environment, "FLOE_SAMPLE_ORDERS": "500", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @property
    def dagster(self) -> DagsterClient:
        status = supervisor.status(self.root)
        assert status is not None
        return DagsterClient(status.urls["dagster"])

    def dagster_checks(self) -> set[str]:
        """The names of every asset check."""
        nodes = self.dagster.query("{ assetNodes { assetChecksOrError { ... on AssetChecks { checks { name } } } } }")
        found = (node["assetChecksOrError"].get("checks") or () for node in nodes["assetNodes"])
        return {check["name"] for checks in found for check in checks}


def copy_sample(folder: Path) -> Path:
    """The sample project in a folder of its own, with a name that is hard on careless code."""
    root = folder / "shop ü 1"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    return root


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(copy_sample(tmp_path_factory.mktemp("stack")))
    up = made.floe("up", "--run", "--port", str(free_port()), "--progress", "plain")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield made
    finally:
        made.floe("down")
