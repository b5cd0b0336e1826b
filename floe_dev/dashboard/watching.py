"""The watchers of one stack: each fills one slice of the `State`, none waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from floe_dev.dashboard.details import Details
from floe_dev.model.traces import TraceSummary
from floe_dev.session import Session
from floe_dev.watch.poller import Poller
from floe_dev.watch.store import StateStore
from floe_dev.watch.supervisor import SupervisorWatch

if TYPE_CHECKING:
    from floe_dev.catalogs.client import CatalogClient

_TRACE_LIMIT = 1000


class Watchers:
    """Supervisor, Dagster, catalog and the store of traces; `restarted` is called when the stack's phase changes."""

    def __init__(self, session: Session, details: Details) -> None:
        """Nothing is watched before `start`."""
        self.store = StateStore()
        self._session = session
        self._details = details
        self._supervisor = SupervisorWatch(self.store, session.root)
        self._trace_revision = -1
        self._catalog: CatalogClient | None = None
        self._catalog_is_old = threading.Event()
        self._runs_seen: object = None
        self._stopped = threading.Event()
        self.store.stack(project=session.root.name)
        self._pollers = {
            "assets": Poller(self.store, "assets", self._assets, interval=5.0),
            "runs": Poller(self.store, "runs", self._runs, interval=1.0),
            "tables": Poller(self.store, "tables", self._tables, interval=5.0),
            "traces": Poller(self.store, "traces", self._traces, interval=1.0),
            "automations": Poller(self.store, "automations", self._automations, interval=5.0),
        }

    def start(self) -> None:
        """Begin to watch, in daemon threads."""
        self._supervisor.start()
        for poller in self._pollers.values():
            poller.start()
        threading.Thread(target=self._reloads, name="floe-watch-reload", daemon=True).start()
        threading.Thread(target=self._check, name="floe-watch-patience", daemon=True).start()
        self.store.subscribe(self._phase_changed())

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        self._supervisor.stop()
        for poller in self._pollers.values():
            poller.stop()

    def poke(self, *names: str) -> None:
        """Look at these slices now."""
        for name in names:
            self._pollers[name].poke()

    def _assets(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.monitor import assets

        return list(assets(self._session.dagster()))

    def _runs(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.monitor import runs

        found = runs(self._session.dagster())
        if found != self._runs_seen:
            # A run that began or ended changes assets and tables: look now, not at the next turn.
            self._runs_seen = found
            self.poke("assets", "tables", "traces")
        return list(found)

    def _tables(self) -> list[Any]:
        from floe_dev.catalogs.client import CatalogClient
        from floe_dev.watch.tables import table_view

        # One client for as long as the stack lives, used and closed by this thread alone.
        if self._catalog_is_old.is_set() and self._catalog is not None:
            self._catalog_is_old.clear()
            self._catalog.close()
            self._catalog = None
        self._session.require_running()
        if self._catalog is None:
            self._catalog = CatalogClient(self._session.connection())
        return [table_view(info) for info in self._catalog.tables()]

    def _traces(self) -> list[TraceSummary] | None:
        from floe_dev.telemetry.query import TraceFilter

        reader = self._details.reader()
        revision = reader.revision()
        if revision == self._trace_revision:
            return None
        found: list[TraceSummary] = reader.traces(TraceFilter(limit=_TRACE_LIMIT, commands=False))
        self._trace_revision = revision
        return found

    def _automations(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.instigators import automations

        return list(automations(self._session.dagster()))

    def _phase_changed(self) -> Callable[[], None]:
        last = self.store.state.stack.phase

        def changed() -> None:
            nonlocal last
            phase = self.store.state.stack.phase
            if phase != last:
                last = phase
                if phase in ("starting", "ready"):
                    self.store.expect()
                self._details.forget_connections()
                self._catalog_is_old.set()
                self.poke(*self._pollers)

        return changed

    def _reloads(self) -> None:
        """The code server's word on the last save: a file, so that it is known also while Dagster hangs."""
        from floe_dev.orchestrators.dagster.watch import read_report, report_text

        while True:
            told = read_report(self._session.root)
            self.store.stack(reload_error=report_text(told) if told is not None else None)
            if self._stopped.wait(1.0):
                return

    def _check(self) -> None:
        while not self._stopped.wait(1.0):
            for poller in self._pollers.values():
                poller.check(time.monotonic())
