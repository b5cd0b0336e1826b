"""P4: what a lakehouse costs a test, against pytest-postgresql's database per test in the same run.

A generated suite of empty tests asks for the fixture; a hook of its conftest writes down how long set-up and tear-down
take, and when the first test began. The peer is pytest-postgresql on a server from Debian's `postgresql` that runs
already; ours starts its catalog within the suite.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TESTS = 200
WORKERS = (1, 8)
ROUNDS = 3

_CONFTEST = """\
import json, os, time
import pytest

def write(*record):
    with open(os.environ["FLOE_BENCH_FILE"], "a") as file:
        file.write(json.dumps([os.getpid(), *record]) + "\\n")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    write(report.nodeid, report.when, report.duration, report.outcome, report.start, time.process_time())
    return report

@pytest.hookimpl(wrapper=True, specname="pytest_runtest_protocol")
def pytest_begin(item):
    write(item.nodeid, "begin", 0, "", time.time(), time.process_time())
    return (yield)
"""
#: After each test, what the catalog's process has used until now.
_SERVER = """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    done = yield
    from floe_dev.testing.factories import POOL
    for stack in item.config.stash[POOL]._stacks.values():
        used = open(f"/proc/{stack.pid}/stat").read().rpartition(")")[2].split()[11:13]
        write(item.nodeid, "server", sum(map(int, used)) / os.sysconf("SC_CLK_TCK"), "", time.time(), 0)
    return done
"""
_PEER = """
from pytest_postgresql import factories
postgresql_own = factories.postgresql("postgresql_noproc")
"""
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio", "-p", "no:rerunfailures")
#: It imports its package at the end of each run; without a bytecode cache that is seconds that are not the suite's.
_UNRELATED = ("-p", "no:hypothesispytest")


def _suite(folder: Path, fixture: str, count: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "conftest.py").write_text(_CONFTEST)
    text = f"import pytest\n\n@pytest.mark.parametrize('n', range({count}))\ndef test_empty({fixture}, n): pass\n"
    (folder / "test_suite.py").write_text(text)


def _run(folder: Path, workers: int, extra: Sequence[str]) -> dict[str, float]:
    """Milliseconds of set-up plus tear-down (median, p95), seconds to the first test, seconds of the whole run.

    `warm_median_ms` leaves out what began before every process had its first test behind it; `processor_ms` is what a
    set-up and a tear-down use in the test's process, `catalog_ms` what a test costs the catalog's.
    """
    records = folder / f"records-{time.time_ns()}.jsonl"
    records.touch()
    command = [sys.executable, "-m", "pytest", *_OPTIONS, *_UNRELATED, *extra, str(folder)]
    command += ["-n", str(workers)] if workers > 1 else []
    environment = {**os.environ, "FLOE_BENCH_FILE": str(records), "PYTHONDONTWRITEBYTECODE": "1"}
    started = time.time()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1800
    )
    seconds = time.time() - started
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    if any(line[4] == "skipped" for line in lines):
        raise LookupError(done.stdout[-500:])
    told = _figures([line for line in lines if line[2] != "server"], started)
    return {**told, **_catalog([line for line in lines if line[2] == "server"]), "suite_s": seconds}


def _catalog(lines: list[list[Any]]) -> dict[str, float]:
    """Milliseconds of the catalog's processor time a test, from the first to the last; nothing of the peer's."""
    used = [line[3] for line in lines]
    return {"catalog_ms": (max(used) - min(used)) * 1000 / (len(used) - 1)} if len(used) > 1 else {}


def _figures(lines: list[list[Any]], started: float) -> dict[str, float]:
    """Of the records of one run: process, test, part, seconds, outcome, its begin, the process's processor seconds."""
    cost: dict[str, float] = {}
    begun: dict[str, float] = {}
    used: dict[str, float] = {}
    first: dict[int, float] = {}
    before: dict[int, float] = {}
    for process, test, part, seconds, _, start, processor in lines:
        if part == "begin":
            begun[test] = start
        elif part == "call":
            first.setdefault(process, start)
        else:
            cost[test] = cost.get(test, 0.0) + seconds
            used[test] = used.get(test, 0.0) + processor - before[process]
        before[process] = processor
    # The first test of each process pays for starting the catalog or the server; that is told on its own.
    costs = sorted(cost.values())
    warm = [seconds for test, seconds in cost.items() if begun[test] >= max(first.values())]
    return {
        "median_ms": statistics.median(costs) * 1000,
        "p95_ms": costs[int(len(costs) * 0.95) - 1] * 1000,
        "warm_median_ms": statistics.median(warm or costs) * 1000,
        "processor_ms": statistics.median(used.values()) * 1000,
        "first_test_s": min(first.values()) - started,
    }


def _median_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[list[str] | None]:
    """A server of this run's own, as options for pytest-postgresql; None where PostgreSQL is not installed.

    PostgreSQL refuses to run as root, so there it runs as `postgres`.
    """
    found = [*Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    control = str(max(found)) if found else shutil.which("pg_ctl")
    if control is None:
        yield None
        return
    user = "postgres" if os.geteuid() == 0 else None
    folder.mkdir()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    data = str(folder / "data")

    def call(*words: str) -> None:
        subprocess.run([control, *words], cwd=folder, user=user, check=True, capture_output=True, timeout=120)

    call("initdb", "-D", data, "-o", "--auth=trust --username=postgres")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
    try:
        yield ["--postgresql-host=127.0.0.1", f"--postgresql-port={port}", "--postgresql-user=postgres"]
    finally:
        call("stop", "-D", data, "-m", "immediate")


def run(count: int = TESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure, the two in turns; ratios are ours to the peer's, so less than one is faster."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="floe-p4-") as name, contextlib.ExitStack() as opened:
        folder = Path(name)
        folder.chmod(0o755)
        _suite(folder / "ours", "lakehouse", count)
        (folder / "ours" / "conftest.py").write_text(_CONFTEST + _SERVER)
        _suite(folder / "peer", "postgresql_own", count)
        (folder / "peer" / "conftest.py").write_text(_CONFTEST + _PEER)
        _suite(folder / "lite", "lakehouse", max(count // 8, 8))
        server = opened.enter_context(_postgresql(folder / "server"))
        for workers in WORKERS:
            ours, peers = [], []
            for _ in range(rounds):
                ours.append(_run(folder / "ours", workers, ["-p", "no:pytest_postgresql"]))
                if server is not None:
                    peers.append(_run(folder / "peer", workers, [*server, "-p", "no:floe_dev.testing.plugin"]))
            key = f"{workers} worker{'s' if workers > 1 else ''}"
            figures[f"embedded, {key}"] = _median_of(ours)
            if peers:
                figures[f"pytest-postgresql, {key}"] = _median_of(peers)
                figures[f"ratio, {key}"] = {
                    part: round(_median_of(ours)[part] / _median_of(peers)[part], 2)
                    for part in ("median_ms", "suite_s")
                }
        try:
            lite = _run(folder / "lite", 1, ["--floe-stack=lakehouse-lite", "-p", "no:pytest_postgresql", "-rs"])
            figures["lakehouse-lite, 1 worker"] = _median_of([lite])
        except LookupError as error:
            figures["lakehouse-lite"] = f"skipped: {str(error).strip().splitlines()[-1]}"
        if server is None:
            figures["pytest-postgresql"] = "no server: apt-get install postgresql"
    return figures


def main() -> None:
    """Print the figures; `python -m benchmarks.p4_testing 40 1` is a small run."""
    given = [int(word) for word in sys.argv[1:3]]
    print(json.dumps(run(*given), indent=1))


if __name__ == "__main__":
    main()
