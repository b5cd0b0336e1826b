"""P7, second part: what recording costs a run, from pairs of runs with it and without it.

A dbt project of 100 tables is built with the real dbt against a real catalog: once with the spool, the receiver that
collects it and the catalog's own spans, once with none of them. Then the sample project's whole stack, likewise. Every
round is one run of each, the order alternates, and a figure is the median of the rounds' ratios: what the machine does
besides falls on both runs of a round, and a round in which it does not weighs nothing. Processor time is counted
beside the clock, the receiver's and the catalog's too, since on two processors the clock alone shows little.
Run as `python -m benchmarks.p7_overhead [MODELS] [SECONDS] [SECONDS_OF_THE_SAMPLE]`.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.stacks import copy_sample, floe
from floe_dev.model.connection import CatalogConnection
from floe_dev.tracing.spool import VARIABLE
from tests.catalog.server import RunningCatalog, catalog_server
from tests.dbt.conftest import write_profile
from tests.telemetry.receiver import receiver

MODELS = 100
#: Rounds go on for so many seconds, each part; so many are made however long they take.
SECONDS, AT_LEAST = 130.0, 3
_PROJECT = {"name": "bench", "version": "1.0.0", "profile": "shop", "model-paths": ["models"]}
_BIN = Path(sys.executable).parent

#: Seconds by the clock, and of the processors.
Cost = tuple[float, float]


@dataclass(frozen=True)
class _Side:
    """One catalog and one copy of the project; `spool` is empty for the side without telemetry."""

    folder: Path
    server: RunningCatalog
    connection: CatalogConnection
    spool: str
    #: Processes that work for this side's runs, besides dbt itself.
    helpers: tuple[int, ...]

    def build(self) -> Cost:
        """One build of everything."""
        environment = {**os.environ, VARIABLE: self.spool, **self.connection.environment()}
        environment |= {"DBT_PROFILES_DIR": str(self.folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        before, began = self._processor(), time.perf_counter()
        own = _wait_for([str(_BIN / "dbt"), "--quiet", "run", "--threads", "4"], self.folder, environment)
        seconds = time.perf_counter() - began
        if self.spool:
            _until_collected(Path(self.spool))
        return seconds, own + self._processor() - before

    def _processor(self) -> float:
        return sum(_with_children(psutil.Process(pid)) for pid in self.helpers)


def run(models: int = MODELS, seconds: float = SECONDS, sample_seconds: float = SECONDS) -> dict[str, Any]:
    """Medians of both sides and of the rounds' ratios (goal: 3 % at most), for dbt alone and for the sample's stack."""
    return {**_models(models, seconds), "goal (%)": "<= 3", **(_sample(sample_seconds) if sample_seconds else {})}


def _models(models: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        running = stack.enter_context(receiver(folder))
        recording = stack.enter_context(_side(folder / "with", models, str(running.spool), running.process.pid))
        bare = stack.enter_context(_side(folder / "without", models, ""))
        rounds = _rounds({"with": recording.build, "without": bare.build}, seconds)
        spans = running.reader.traces()[0].spans
    return {**_figures(f"run of {models} models", rounds), "spans of such a run": spans}


def _sample(seconds: float) -> dict[str, Any]:
    """Runs of the sample project on two whole stacks, one of which records nothing."""
    with tempfile.TemporaryDirectory() as name:
        roots = {side: copy_sample(Path(name) / side / "shop") for side in ("with", "without")}
        with (roots["without"] / "floe.yaml").open("a") as file:
            file.write("\nobservability: {traces: false, lineage: false}\n")
        try:
            for root in roots.values():
                floe(root, "up")
            sides = {side: _stack_run(root) for side, root in roots.items()}
            return _figures("run of the sample", _rounds(sides, seconds))
        finally:
            for root in roots.values():
                floe(root, "down")


def _stack_run(root: Path) -> Callable[[], Cost]:
    """`floe run` on a running stack, with the processor time of everything in the stack."""
    status = json.loads(floe(root, "status", "--json").stdout)
    instance, supervisor = status["instance"], status["supervisor_pid"]
    spool = root / ".floe" / "telemetry" / "spool"

    def one() -> Cost:
        before, began = _processor_of(instance, supervisor), time.perf_counter()
        environment = {**os.environ, "XDG_STATE_HOME": str(root.parent / "state")}
        own = _wait_for([str(_BIN / "floe"), "run"], root, environment)
        seconds = time.perf_counter() - began
        _until_collected(spool)
        return seconds, own + _processor_of(instance, supervisor) - before

    return one


def _rounds(sides: dict[str, Callable[[], Cost]], seconds: float) -> dict[str, list[Cost]]:
    """Each side's costs, round by round; a first round warms up and does not count."""
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    began, number = time.monotonic(), 0
    while number <= AT_LEAST or time.monotonic() - began < seconds:
        # Each goes first every other time.
        for side in sorted(sides, reverse=bool(number % 2)):
            cost = sides[side]()
            if number:
                costs[side].append(cost)
        number += 1
    return costs


def _figures(what: str, costs: dict[str, list[Cost]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, name in enumerate(("the clock", "processor time")):
        recorded, bare = ([cost[index] for cost in costs[side]] for side in ("with", "without"))
        shares = [100 * (a / b - 1) for a, b in zip(recorded, bare, strict=True)]
        low, middle, high = statistics.quantiles(shares, n=4)
        found[f"{what}, {name}: with telemetry (s)"] = round(statistics.median(recorded), 2)
        found[f"{what}, {name}: without (s)"] = round(statistics.median(bare), 2)
        found[f"{what}, {name}: overhead (%)"] = f"{middle:.1f} (half of the rounds: {low:.1f} to {high:.1f})"
    return {**found, f"{what}: rounds": len(costs["with"])}


@contextlib.contextmanager
def _side(folder: Path, models: int, spool: str, *helpers: int) -> Iterator[_Side]:
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(_PROJECT))
    for number in range(models):
        sql = f"{{{{ config(materialized='table') }}}} select range as id, {number} as n from range(1000)"
        (folder / "models" / f"model_{number:03}.sql").write_text(sql)
    with catalog_server(folder / "catalog", environment={VARIABLE: spool}) as server:
        server.add_catalog("bench")
        connection = server.connection("bench", server.add_principal("writer", "bench", "CATALOG_MANAGE_CONTENT"))
        write_profile(folder / "profiles.yml", connection)
        yield _Side(folder, server, connection, spool, (server.process.pid, *helpers))


def _wait_for(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Seconds of the processors that a command and what it waited for took; raises RuntimeError where it fails."""
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=told, stderr=told
        ) as run,
    ):
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode:
            told.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}: {told.read()[-2000:].decode()}")
    return usage.ru_utime + usage.ru_stime


def _until_collected(spool: Path, seconds: float = 10.0) -> None:
    """Wait until the receiver has taken what the run recorded: its work belongs to the run."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and spool.is_dir() and any(spool.iterdir()):
        time.sleep(0.05)


def _processor_of(instance: str, supervisor: int) -> float:
    """Seconds of the processors that a stack's processes, and those that they have waited for, took until now."""
    total = 0.0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == supervisor or process.environ().get("FLOE_INSTANCE") == instance:
                total += _with_children(process)
    return total


def _with_children(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    for key, value in run(*given).items():
        print(f"{key:56} {value:>12}")
