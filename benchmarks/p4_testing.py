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

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    # With xdist the controller hears of every worker's reports too: only the process that ran the test writes.
    if getattr(report, "node", None) is None or not os.environ.get("PYTEST_XDIST_WORKER"):
        with open(os.environ["FLOE_BENCH_FILE"], "a") as file:
            file.write(json.dumps([report.nodeid, report.when, report.duration, report.outcome, report.start]) + "\\n")
"""
_PEER = """
from pytest_postgresql import factories
postgresql_own = factories.postgresql("postgresql_noproc")
"""
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio", "-p", "no:rerunfailures")


def _suite(folder: Path, fixture: str, count: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "conftest.py").write_text(_CONFTEST)
    text = f"import pytest\n\n@pytest.mark.parametrize('n', range({count}))\ndef test_empty({fixture}, n): pass\n"
    (folder / "test_suite.py").write_text(text)


def _run(folder: Path, workers: int, extra: Sequence[str]) -> dict[str, float]:
    """Milliseconds of set-up plus tear-down (median, p95), seconds to the first test, seconds of the whole run."""
    records = folder / f"records-{time.time_ns()}.jsonl"
    records.touch()
    command = [sys.executable, "-m", "pytest", *_OPTIONS, *extra, str(folder)]
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
    if any(line[3] == "skipped" for line in lines):
        raise LookupError(done.stdout[-500:])
    by_test: dict[str, float] = {}
    for node, when, duration, _, _ in lines:
        if when != "call":
            by_test[node] = by_test.get(node, 0.0) + duration
    # The first test of each process pays for starting the catalog or the server; that is told on its own.
    costs = sorted(by_test.values())
    return {
        "median_ms": statistics.median(costs) * 1000,
        "p95_ms": costs[int(len(costs) * 0.95) - 1] * 1000,
        "first_test_s": min(line[4] for line in lines if line[1] == "call") - started,
        "suite_s": seconds,
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
