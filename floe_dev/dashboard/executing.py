"""What the dashboard's commands do, and which slices to look at again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.session import Session, UpOptions

Poke = Callable[..., None]
#: Writes a capsule with that title; its file. Given from outside, for capsules are made of more than the dashboard.
Export = Callable[[str], Path]
_STARTED_BY = "dashboard"


class Executor:
    """Carries commands out for one session; with `read_only` it refuses all of them."""

    def __init__(self, session: Session, poke: Poke, *, read_only: bool, export: Export | None = None) -> None:
        """Nothing is done yet; `poke` asks for a fresh look at slices, by name."""
        self._session = session
        self._poke = poke
        self._read_only = read_only
        self._export = export

    def send(self, command: commands.Command) -> str:
        """Carry a command out; one line on what was done. FLOE8101 where the dashboard only reads."""
        if self._read_only:
            raise FloeError(
                Code.DASHBOARD_READ_ONLY,
                "the dashboard was started with --read-only",
                fix="floe dashboard",
            )
        match command:
            case commands.StartStack() | commands.FirstRun() | commands.StopStack() | commands.RestartService():
                return self._stack(command)
            case commands.ToggleAutomation() | commands.LaunchRequests():
                return self._automation(command)
            case commands.Rollback(table, snapshot_id, current):
                return self._rollback(table, snapshot_id, current)
            case commands.ExportCapsule(title):
                return self._capsule(title)
            case _:
                return self._run(command)

    def _stack(
        self, command: commands.StartStack | commands.FirstRun | commands.StopStack | commands.RestartService
    ) -> str:
        match command:
            case commands.StartStack(stack, platform, port, timeout):
                self._session.up(UpOptions(stack=stack, timeout=timeout, port=port, platform=platform))
                return "the stack is ready"
            case commands.FirstRun(always):
                return self._first_run(always=always)
            case commands.StopStack():
                self._session.down()
                return "the stack is stopped; data stay"
            case commands.RestartService(name):
                self._session.restart(name)
                return f"{name} was restarted"

    def _first_run(self, *, always: bool) -> str:
        """Assets with different partitions need a run each: all but the last are waited for here."""
        if not always and (self._session.external or self._session.first_run_done()):
            return ""
        # Should the dashboard be left meanwhile, the next start finds that the first run was not carried through.
        self._session.run((), lambda _event: self._poke("runs"), wait=False)
        self._poke("runs", "assets")
        return "the first run is on its way"

    def _run(
        self,
        command: commands.Materialize | commands.Backfill | commands.CancelBackfill | commands.Cancel | commands.Retry,
    ) -> str:
        from floe_dev.orchestrators.dagster import instigators, monitor

        client = self._session.dagster()
        match command:
            case commands.Materialize(keys, partition):
                tags = {"floe/started_by": _STARTED_BY}
                if partition is not None:
                    tags["dagster/partition"] = partition
                self._allowed()
                run_id = client.launch(keys, tags)
                self._poke("runs", "assets")
                what = keys[0] if len(keys) == 1 else f"{len(keys)} assets"
                return f"run {run_id[:8]} of {what} started"
            case commands.Backfill(keys, partitions):
                self._allowed()
                backfill = instigators.start_backfill(client, keys, partitions)
                self._poke("runs", "assets", "automations")
                return f"backfill {backfill} of {len(partitions)} partitions started"
            case commands.CancelBackfill(backfill_id):
                instigators.cancel_backfill(client, backfill_id)
                self._poke("runs", "automations")
                return f"backfill {backfill_id} is being canceled"
            case commands.Cancel(run_id):
                monitor.cancel(client, run_id)
                self._poke("runs")
                return f"run {run_id[:8]} is being canceled"
            case commands.Retry(run_id):
                self._allowed()
                new = monitor.retry(client, run_id)
                self._poke("runs", "assets")
                return f"run {new[:8]} tries again what failed"

    def _automation(self, command: commands.ToggleAutomation | commands.LaunchRequests) -> str:
        from floe_dev.orchestrators.dagster import instigators

        client = self._session.dagster()
        match command:
            case commands.ToggleAutomation(name, kind, on, selector):
                instigators.switch(client, name, kind, on=on, state_id=selector)
                self._poke("automations")
                return f"{name} is {'on' if on else 'off'}"
            case commands.LaunchRequests(name, requests):
                self._allowed()
                found = instigators.launch_requests(client, requests)
                self._poke("runs", "assets")
                return f"{name} started {len(found)} runs" if len(found) != 1 else f"{name} started run {found[0][:8]}"

    def _rollback(self, table: str, snapshot_id: int, current: int) -> str:
        from floe_dev.catalogs.client import CatalogClient, escape_namespace

        self._allowed()
        *namespace, name = table.split(".")
        update = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
        with CatalogClient(self._session.connection()) as client:
            client.send(
                "POST",
                f"namespaces/{escape_namespace(tuple(namespace))}/tables/{name}",
                {
                    # Refused where somebody committed since the question was asked.
                    "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": current}],
                    "updates": [update],
                },
            )
        self._poke("tables", "assets")
        return f"{table} is at snapshot {snapshot_id} again"

    def _capsule(self, title: str) -> str:
        if self._export is None:
            raise FloeError(Code.DASHBOARD_READ_ONLY, "no capsule can be written here", fix="floe capsule create")
        try:
            return f"written: {self._export(title)}"
        except OSError as error:
            from floe_dev.config.machine import machine_error

            raise machine_error(error, self._session.layout.state_dir) from error

    def _allowed(self) -> None:
        """FLOE's guard of platforms that are not this machine's: writing there has to be allowed once."""
        import os

        from floe_dev.config.writes import require_writes_allowed

        require_writes_allowed(self._session.root, os.environ)
