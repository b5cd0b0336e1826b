"""One real stack of the sample project, up and materialized once for all tests that only look at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.orchestrators.dagster.watch import report_file
from floe_dev.supervisor import client as supervisor
from tests.drivers.helpers import free_port

TABLES = {
    *("bronze/countries", "bronze/raw_customers", "bronze/raw_events", "bronze/raw_orders", "bronze/raw_payments"),
    *("silver/customers", "silver/daily_sessions", "silver/events", "silver/orders"),
    *("gold/customer_lifetime", "gold/customer_segments", "gold/daily_traffic", "gold/metrics"),
}
VIEWS = {f"silver/stg_{name}" for name in ("customers", "events", "orders", "payments")}

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


# It ends with the tests of this folder: a stack that nobody looks at takes its share of the processors all the same.
@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(copy_sample(tmp_path_factory.mktemp("stack")))
    up = made.floe("up", "--run", "--port", str(free_port()), "--progress", "plain")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield made
    finally:
        made.floe("down")


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def keys(stack: Stack) -> set[str]:
    return {asset.key for asset in stack.dagster.assets()}


@pytest.fixture
def edited(stack: Stack) -> Iterator[Callable[[str, str], Path]]:
    """Write a file of the project; afterwards everything is as before, and Dagster knows."""
    before: dict[Path, str | None] = {}

    def edit(name: str, text: str) -> Path:
        file = stack.root / name
        before.setdefault(file, file.read_text() if file.exists() else None)
        file.write_text(text)
        return file

    yield edit
    for file, text in before.items():
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
    wait_until(lambda: keys(stack) == TABLES | VIEWS and not report_file(stack.root).exists())
