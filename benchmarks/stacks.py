"""What the benchmarks of whole stacks share: a copy of the sample project, floe on it, and the peer `dagster dev`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from floe_dev.config.bundled import bundled

BIN = Path(sys.executable).parent
TIMEOUT = 300.0
_ASSETS = "{ assetNodes { id } }"


def free_port() -> int:
    """A port below the range for outgoing connections."""
    return secrets.randbelow(10_000) + 20_000


def copy_sample(folder: Path) -> Path:
    """A fresh copy of the sample project at `folder`."""
    shutil.copytree(bundled("sample_project"), folder, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    return folder


def floe(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in the project's folder; raises CalledProcessError."""
    return subprocess.run(
        [str(BIN / "floe"), *arguments],
        cwd=root,
        env={**os.environ, "XDG_STATE_HOME": str(root.parent / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )


def seconds_of(root: Path, *arguments: str) -> float:
    """How long a command takes as a whole process."""
    started = time.perf_counter()
    floe(root, *arguments)
    return time.perf_counter() - started


def graphql(port: int, query: str) -> dict[str, Any]:
    """One GraphQL answer; empty while nobody answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer).get("data") or {}
            return found
    except (OSError, ValueError):
        return {}


@dataclass
class DagsterDev:
    """A running `dagster dev`."""

    process: subprocess.Popen[bytes]
    port: int

    def wait_for_assets(self) -> None:
        """Return at the first GraphQL answer that has assets."""
        give_up = time.monotonic() + TIMEOUT
        while not graphql(self.port, _ASSETS).get("assetNodes"):
            if time.monotonic() > give_up or self.process.poll() is not None:
                raise RuntimeError("dagster dev did not come up")
            time.sleep(0.05)

    def memory(self) -> int:
        """Bytes (PSS) of all its processes."""
        return sum(pss(process.pid) for process in self.family())

    def family(self) -> list[psutil.Process]:
        """The process with all its descendants."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def stop(self) -> None:
        """End it with all it started."""
        family = self.family()
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()


@contextlib.contextmanager
def dagster_dev(root: Path, home: Path, environment: Mapping[str, str]) -> Iterator[DagsterDev]:
    """`dagster dev` on the project's definitions with a DAGSTER_HOME of its own."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    port = free_port()
    with (home / "dev.log").open("ab") as log:
        process = subprocess.Popen(
            [str(BIN / "dagster"), "dev", "-f", "definitions.py", "-h", "127.0.0.1", "-p", str(port)],
            cwd=root,
            env={
                **os.environ,
                **environment,
                "DAGSTER_HOME": str(home),
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    running = DagsterDev(process, port)
    try:
        yield running
    finally:
        running.stop()


def stack_environment(root: Path) -> dict[str, str]:
    """What `floe env` prints for the running stack."""
    found: dict[str, str] = json.loads(floe(root, "env", "--format", "json").stdout)
    return found


def pss(pid: int) -> int:
    """Bytes of memory of a process, shared pages divided among those that share them (proc(5), smaps_rollup)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
