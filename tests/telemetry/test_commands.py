"""What `floe traces` tells of a project whose stack is down: files nobody has collected yet, whole error messages."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from floe_dev.model.layout import Layout
from floe_dev.tracing.spool import SUFFIX, Spool
from tests.cli.helpers import floe
from tests.telemetry.project import make_project
from tests.telemetry.receiver import receiver, until

_TRACE = "4bf0381c" + "0" * 23 + "1"
#: As dbt has it: what is wrong is in the second line.
_MESSAGE = """Runtime Error in model totals (models/totals.sql)
  Binder Error: Referenced column "amont" not found
  Candidate bindings: "amount\""""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was never up, in whose spool a failed run waits for a receiver since a minute."""
    root = make_project(tmp_path_factory.mktemp("commands") / "shop")
    folder = Layout(root).telemetry_dir / "spool"
    spool = Spool(folder, "dagster-run")
    for number, (name, message) in enumerate((("run", _MESSAGE), ("model totals", _MESSAGE), ("test t", "2 rows")), 1):
        spool.span(_span(number, name, message))
    spool.flush()
    for file in folder.glob(f"*{SUFFIX}"):
        os.utime(file, (time.time() - 60, time.time() - 60))
    return root


def _span(number: int, name: str, message: str) -> dict[str, Any]:
    now = time.time_ns()
    return {
        "traceId": _TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{1:016x}" if number > 1 else "",
        "name": name,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
        "status": {"code": 2, "message": message},
    }


def test_files_that_nobody_has_collected_are_told_and_come_in_with_the_next_receiver(root: Path) -> None:
    told = floe("traces", cwd=root)
    assert told.returncode == 0
    assert "files not collected yet: " in told.stderr
    assert "nothing of them is lost" in told.stderr
    (gap,) = json.loads(floe("traces", "--json", cwd=root).stdout)["gaps"]
    assert (gap["kind"], gap["count"] >= 1) == ("files not collected yet", True)
    with receiver(root) as running:
        until(lambda: running.reader.trace(_TRACE) is not None)
        told = floe("traces", cwd=root)
    assert _TRACE[:12] in told.stdout
    assert "not collected" not in told.stderr


def test_a_failure_is_told_with_its_whole_message_once(root: Path) -> None:
    with receiver(root) as running:
        until(lambda: running.reader.trace(_TRACE) is not None)
    told = floe("traces", _TRACE[:8], cwd=root)
    assert told.returncode == 0, told.stderr
    waterfall, _, errors = told.stdout.partition("\n\nmodel totals\n")
    # The first line beside each bar, the whole message under the innermost span.
    assert waterfall.count(_MESSAGE.splitlines()[0]) == 2
    assert errors.splitlines()[:3] == [f"  {line}" for line in _MESSAGE.splitlines()]
    assert told.stdout.count("Candidate bindings") == 1
    assert told.stdout.count("2 rows") == 1
