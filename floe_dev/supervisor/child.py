"""Steps that need heavy imports run in a process of their own, so that the supervisor stays small.

`python -m floe_dev.supervisor.child STEP` writes one JSON object into the file named by FLOE_STEP_ANSWER:
`{"detail": …}` or `{"error": …}`. Where the step needs what the fork server has imported, it is forked from there.
A step that takes long to load (`readiness`) is started before its turn: once it has loaded it makes the file named by
FLOE_STEP_LOADED and goes on when that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from floe_dev.config.machine import disk_is_full
from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.logs import tail
from floe_dev.drivers.process import ended, spawn
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout

ANSWER_VARIABLE = "FLOE_STEP_ANSWER"
LOADED_VARIABLE = "FLOE_STEP_LOADED"
#: Seconds between two looks at the file that says whose turn it is.
_LOOK_SECONDS = 0.01


async def run_in_child(
    name: str, layout: Layout, environment: Mapping[str, str], fork: ForkClient | None = None, after: str | None = None
) -> str | None:
    """Run the step `name` in a child; returns its detail line, raises the FloeError it ended with.

    With a fork server and the module `after`, the child is forked once that is loaded.
    """
    log = layout.logs_dir / f"{name}.log"
    answer_file = layout.state_dir / f"step-{name}.json"
    answer_file.unlink(missing_ok=True)
    environment = {**environment, ANSWER_VARIABLE: str(answer_file)}
    pid, end = await _start(name, layout, environment, log, fork, after)
    try:
        code = await asyncio.shield(end)
        answer = json.loads(answer_file.read_text(encoding="utf-8"))
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        raise
    except (OSError, ValueError):
        full = disk_is_full(layout.state_dir)
        raise FloeError(
            Code.DISK_FULL if full else Code.STEP_FAILED,
            f"the step `{name}` ended without an answer",
            why="the disk is full" if full else f"its process ended with exit code {code}",
            detail=tail(log),
            fix="free some space (df -h shows it)" if full else f"floe logs {name}",
            where=Where(log),
        ) from None
    finally:
        answer_file.unlink(missing_ok=True)
    if "error" in answer:
        raise FloeError.from_json(answer["error"])
    detail: str | None = answer["detail"]
    return detail


class EarlyChild:
    """A step's child that is started before its turn: `loaded` waits for the first half, `run` has it do the second."""

    def __init__(
        self, name: str, layout: Layout, environment: Mapping[str, str], fork: ForkClient | None, after: str | None
    ) -> None:
        """Starts it; needs a running event loop."""
        self._mark = layout.state_dir / f"step-{name}.loaded"
        self._mark.unlink(missing_ok=True)
        told = {**environment, LOADED_VARIABLE: str(self._mark)}
        self._running = asyncio.create_task(self._child(run_in_child(name, layout, told, fork, after)), name=name)
        # Where the start ends before its turn nobody asks how it ended.
        self._running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def loaded(self) -> None:
        """Return once it has loaded, or has ended without: `run` tells why then."""
        try:
            while not self._mark.exists():
                done, _ = await asyncio.wait({self._running}, timeout=_LOOK_SECONDS)
                if done:
                    return
        except asyncio.CancelledError:
            await self._end()
            raise

    async def run(self) -> str | None:
        """As `run_in_child`."""
        self._mark.unlink(missing_ok=True)
        try:
            return await asyncio.shield(self._running)
        except asyncio.CancelledError:
            await self._end()
            raise

    async def _child(self, running: Awaitable[str | None]) -> str | None:
        try:
            return await running
        finally:
            self._mark.unlink(missing_ok=True)  # of a child that ended, or was ended, before its turn

    async def _end(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


async def _start(
    name: str,
    layout: Layout,
    environment: Mapping[str, str],
    log: Path,
    fork: ForkClient | None,
    after: str | None,
) -> tuple[int, asyncio.Future[int]]:
    module = "floe_dev.supervisor.child"
    if fork is not None and after is not None:
        with contextlib.suppress(ConnectionError):
            pid = await fork.fork(module, [name], environment=environment, directory=layout.root, log=log, after=after)
            return pid, fork.wait(pid)
    process = spawn([sys.executable, "-m", module, name], environment=environment, directory=layout.root, log=log)
    return process.pid, ended(process)


def _provision(root: Path) -> str:
    from floe_dev.supervisor.provisioning import provision_project

    return provision_project(root)


def _readiness(root: Path) -> str:
    from floe_dev.supervisor.proof import load_proof

    prove = load_proof(root)
    if (mark := os.environ.get(LOADED_VARIABLE)) is not None:
        Path(mark).touch()
        while Path(mark).exists():
            time.sleep(_LOOK_SECONDS)
    return prove()


def _manifest(root: Path) -> str:
    from floe_dev.config.project import load_project
    from floe_dev.orchestrators.dagster.manifest import ensure_manifest

    return ensure_manifest(load_project(root))


def _storage(root: Path) -> str:
    from floe_dev.orchestrators.dagster.storage import make_storage
    from floe_dev.supervisor.provisioning import project_database

    layout = Layout(root)
    return make_storage(layout, project_database(layout))


STEPS: dict[str, Callable[[Path], str]] = {
    "provision": _provision,
    "readiness": _readiness,
    "manifest": _manifest,
    "storage": _storage,
}


def main() -> None:
    """Run one step for the project in FLOE_PROJECT_DIR."""
    name, root = sys.argv[1], Path(os.environ["FLOE_PROJECT_DIR"])
    try:
        answer = {"detail": STEPS[name](root)}
    except FloeError as error:
        answer = {"error": error.to_json()}  # type: ignore[dict-item]
    except Exception as error:  # noqa: BLE001 - every defect must reach the user with its log
        traceback.print_exc()
        log = Layout(root).logs_dir / f"{name}.log"
        defect = FloeError(
            Code.STEP_FAILED,
            f"the step `{name}` failed",
            why=f"{type(error).__name__}: {error}",
            fix=f"floe logs {name}",
            where=Where(log),
        )
        answer = {"error": defect.to_json()}  # type: ignore[dict-item]
    Path(os.environ[ANSWER_VARIABLE]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
