"""P7, second part: what recording costs a run, as the ratio of runs with it and without it, interleaved.

A dbt project of 100 tables is built with the real dbt against a real catalog: once with the spool, the receiver that
collects it and the catalog's own spans, once with none of them. Processor time of dbt and of the catalog together,
since the clock of a busy machine says little; the clock's ratio beside it. Run as
`python -m benchmarks.p7_overhead [MODELS] [ROUNDS] [ROUNDS_OF_THE_SAMPLE]`.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.stacks import copy_sample, floe, seconds_of
from floe_dev.model.connection import CatalogConnection
from floe_dev.tracing.spool import VARIABLE
from tests.catalog.server import RunningCatalog, catalog_server
from tests.dbt.conftest import write_profile
from tests.telemetry.receiver import receiver

MODELS, ROUNDS = 100, 5
_PROJECT = {"name": "bench", "version": "1.0.0", "profile": "shop", "model-paths": ["models"]}
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class _Side:
    """One catalog and one copy of the project; `spool` is empty for the side without telemetry."""

    folder: Path
    server: RunningCatalog
    connection: CatalogConnection
    spool: str

    def build(self) -> tuple[float, float]:
        """Seconds by the clock, and of the processors, for one build of everything."""
        environment = {**os.environ, VARIABLE: self.spool, **self.connection.environment()}
        environment |= {"DBT_PROFILES_DIR": str(self.folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        catalog = psutil.Process(self.server.process.pid)
        before, began = _processor(catalog), time.perf_counter()
        command = [str(_BIN / "dbt"), "--quiet", "run", "--threads", "4"]
        with subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode:
            raise RuntimeError(f"dbt ended with {process.returncode}")
        return seconds, usage.ru_utime + usage.ru_stime + _processor(catalog) - before


def run(models: int = MODELS, rounds: int = ROUNDS, sample_rounds: int = 5) -> dict[str, Any]:
    """Medians of both sides and their ratios (goal: 3 % at most), and of the sample project's first run."""
    clocks: dict[str, list[float]] = {"with": [], "without": []}
    processors: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        running = stack.enter_context(receiver(folder))
        sides = {
            "with": stack.enter_context(_side(folder / "with", models, str(running.spool))),
            "without": stack.enter_context(_side(folder / "without", models, "")),
        }
        for number in range(rounds + 1):
            # Each goes first every other time.
            for side in ("with", "without") if number % 2 else ("without", "with"):
                seconds, processor = sides[side].build()
                if number:  # the first one makes the tables
                    clocks[side].append(seconds)
                    processors[side].append(processor)
        spans = sum(trace.spans for trace in running.reader.traces())
    shares = [a / b - 1 for a, b in zip(processors["with"], processors["without"], strict=True)]
    return {
        f"run of {models} models, with telemetry (s)": round(statistics.median(clocks["with"]), 2),
        f"run of {models} models, without (s)": round(statistics.median(clocks["without"]), 2),
        "overhead by the clock (%)": _percent(clocks),
        "overhead in processor time (%)": _percent(processors),
        "of single rounds (%)": f"{min(shares):.1%} to {max(shares):.1%}".replace("%", ""),
        "goal (%)": "<= 3",
        "spans of the runs": spans,
        "rounds": rounds,
        **(_sample(sample_rounds) if sample_rounds else {}),
    }


def _sample(rounds: int) -> dict[str, Any]:
    """Runs of the sample project on two whole stacks, one of which records nothing; seconds by the clock."""
    clocks: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as name:
        roots = {side: copy_sample(Path(name) / side / "shop") for side in clocks}
        with (roots["without"] / "floe.yaml").open("a") as file:
            file.write("\nobservability: {traces: false, lineage: false}\n")
        try:
            for root in roots.values():
                floe(root, "up")
            for number in range(rounds):
                for side in ("with", "without") if number % 2 else ("without", "with"):
                    clocks[side].append(seconds_of(roots[side], "run"))
        finally:
            for root in roots.values():
                floe(root, "down")
    return {
        "run of the sample project, with telemetry (s)": round(statistics.median(clocks["with"]), 2),
        "run of the sample project, without (s)": round(statistics.median(clocks["without"]), 2),
        "overhead on it (%)": _percent(clocks),
    }


def _percent(found: dict[str, list[float]]) -> float:
    return round(100 * (statistics.median(found["with"]) / statistics.median(found["without"]) - 1), 1)


@contextlib.contextmanager
def _side(folder: Path, models: int, spool: str) -> Iterator[_Side]:
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(_PROJECT))
    for number in range(models):
        sql = f"{{{{ config(materialized='table') }}}} select range as id, {number} as n from range(1000)"
        (folder / "models" / f"model_{number:03}.sql").write_text(sql)
    with catalog_server(folder / "catalog", environment={VARIABLE: spool}) as server:
        server.add_catalog("bench")
        connection = server.connection("bench", server.add_principal("writer", "bench", "CATALOG_MANAGE_CONTENT"))
        write_profile(folder / "profiles.yml", connection)
        yield _Side(folder, server, connection, spool)


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    for key, value in run(*given).items():
        print(f"{key:48} {value:>12}")
