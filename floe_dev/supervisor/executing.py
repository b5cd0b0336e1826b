"""Carries out the commands that come over the socket.

Dagster and the catalog are asked in threads, each command in one of its own: one that hangs keeps neither the services'
probes, nor another command, nor the end of the stack waiting. Their clients are imported when they are first needed.
As many as `AT_ONCE` may hang; more are refused, for nobody knows when a thread would be free.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.supervisor.core import Supervisor
from floe_dev.supervisor.first_run import first_run_claim

if TYPE_CHECKING:
    from floe_dev.orchestrators.dagster.client import DagsterClient

#: What a run's tag `floe/started_by` says of runs that were asked for so.
_STARTED_BY = "dashboard"
#: Commands that wait for Dagster or the catalog at the same time. A dashboard sends one at a time.
AT_ONCE = 16


class Executor:
    """Answers the operation `command`."""

    def __init__(self, supervisor: Callable[[], Supervisor], stopped: asyncio.Event) -> None:
        """`supervisor` gives the one that runs, or raises FloeError 2001; `stopped` is set when the stack is to end."""
        self._supervisor = supervisor
        self._stopped = stopped
        self._threads = threading.BoundedSemaphore(AT_ONCE)

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`{"done": one line}` once the command is carried out.

        Raises:
            FloeError: FLOE2002 for a command of another version, 2001 where the stack is not ready or is stopped
                meanwhile, 2110 where too many hang, 5xxx and 3xxx from Dagster and the catalog.
        """
        command = commands.decode(request)
        carried = asyncio.create_task(self._carry_out(command, self._supervisor()))
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({carried, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not carried.done():
                raise FloeError(
                    Code.NOT_RUNNING,
                    "the stack was stopped before the command was over",
                    why="how much of it was done is not known",
                    fix="floe up",
                )
            return {"done": carried.result()}
        except FloeError:
            raise
        except Exception as defect:
            # Else the connection would end, and whoever asked would take it for the supervisor's end.
            traceback.print_exc(file=sys.stderr)
            raise FloeError(
                Code.INTERNAL,
                "the supervisor failed to carry out a command",
                why=f"{type(defect).__name__}: {defect}",
                fix="floe logs supervisor",
            ) from defect
        finally:
            carried.cancel()
            stopped.cancel()

    async def _carry_out(self, command: commands.Command, supervisor: Supervisor) -> str:
        match command:
            case commands.RestartService(name):
                await supervisor.restart(name)
                return f"{name} was restarted"
            case commands.Rollback():
                return await self._in_thread(partial(_rollback, command, supervisor.layout.root))
            case commands.FirstRun(always):
                return await self._first_run(supervisor, always=always)
            case commands.StartStack() | commands.StopStack() | commands.ExportCapsule():
                # This version sends none of these: whoever asks for them carries them out.
                raise commands.another_version(f"the command {type(command).__name__!r}")
            case _:
                return await self._in_thread(partial(_ask_dagster, command, dict(supervisor.hub.urls)))

    async def _first_run(self, supervisor: Supervisor, *, always: bool) -> str:
        """Assets with different partitions need a run each: all but the last are waited for here."""

        def run() -> str:
            from floe_dev.orchestrators.dagster.client import dagster_of
            from floe_dev.orchestrators.dagster.running import run_assets

            return run_assets(dagster_of(supervisor.hub.urls), supervisor.layout, first=True, wait=False).status

        with first_run_claim(supervisor.layout) as ours:
            if not ours:
                return "the first run is on its way"
            if supervisor.state.first_run_done and not always:
                return ""
            if await self._in_thread(run) == "canceled":
                return "the first run was canceled"
            # Not earlier: should the stack be stopped meanwhile, the next start finds that it was not carried through.
            supervisor.finish_first_run()
            return "the first run is on its way"

    async def _in_thread(self, work: Callable[[], str]) -> str:
        """What `work` answers or raises; FloeError 2110 where as many hang as may.

        A daemon thread and no pool: commands would wait in it behind those that hang, and Python does not end before a
        pool's threads have. Its place is free when the thread is over, whether anybody still waits for it or not.
        """
        if not self._threads.acquire(blocking=False):
            raise FloeError(
                Code.TOO_MANY_COMMANDS,
                "the supervisor takes no further command now",
                why=f"{AT_ONCE} commands wait for an answer of Dagster or the catalog",
                fix="floe status",
            )
        over: Future[str] = Future()
        over.set_running_or_notify_cancel()

        def run() -> None:
            try:
                over.set_result(work())
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                over.set_exception(error)
            finally:
                self._threads.release()

        threading.Thread(target=run, name="floe-command", daemon=True).start()
        return await asyncio.wrap_future(over)


def _ask_dagster(
    command: commands.Materialize
    | commands.Backfill
    | commands.CancelBackfill
    | commands.Cancel
    | commands.Retry
    | commands.ToggleAutomation
    | commands.LaunchRequests,
    urls: Mapping[str, str],
) -> str:
    from floe_dev.orchestrators.dagster import instigators, monitor
    from floe_dev.orchestrators.dagster.client import dagster_of

    client = dagster_of(urls)
    match command:
        case commands.Materialize():
            return _materialize(command, client)
        case commands.Backfill(keys, partitions):
            backfill = instigators.start_backfill(client, keys, partitions)
            return f"backfill {backfill} of {len(partitions)} partitions started"
        case commands.CancelBackfill(backfill_id):
            return f"backfill {backfill_id}: {instigators.cancel_backfill(client, backfill_id)}"
        case commands.Cancel(run_id):
            client.cancel(run_id)
            return f"run {run_id[:8]} is being canceled"
        case commands.Retry(run_id):
            return f"run {monitor.retry(client, run_id)[:8]} tries again what failed"
        case commands.ToggleAutomation(name, kind, on, selector):
            instigators.switch(client, name, kind, on=on, state_id=selector)
            return f"{name} is {'on' if on else 'off'}"
        case commands.LaunchRequests(name, requests):
            found = instigators.launch_requests(client, requests)
            return f"{name} started {len(found)} runs" if len(found) != 1 else f"{name} started run {found[0][:8]}"


def _materialize(command: commands.Materialize, client: DagsterClient) -> str:
    tags = {"floe/started_by": _STARTED_BY}
    if command.partition is not None:
        tags["dagster/partition"] = command.partition
    run_id = client.launch(command.keys, tags)
    what = command.keys[0] if len(command.keys) == 1 else f"{len(command.keys)} assets"
    return f"run {run_id[:8]} of {what} started"


def _rollback(command: commands.Rollback, root: Path) -> str:
    import os

    from floe_dev.catalogs.client import CatalogClient
    from floe_dev.config.connection import stack_connection
    from floe_dev.config.project import load_project

    with CatalogClient(stack_connection(load_project(root), os.environ)) as client:
        client.roll_back(command.table, command.snapshot_id, command.current)
    return f"{command.table} is at snapshot {command.snapshot_id} again"
