"""A source that has to be asked: one thread asks, and a look that hangs is told by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from floe_dev.errors import FloeError
from floe_dev.watch.store import StateStore


class Poller:
    """Asks `look` every `interval` seconds for the items of the slice `name`.

    `look` answers None where nothing changed. A look that takes longer than `patience` seconds marks the slice stale
    while it goes on; an exception marks it with its reason. Nothing here waits for another source.
    """

    def __init__(
        self,
        store: StateStore,
        name: str,
        look: Callable[[], Iterable[Any] | None],
        *,
        interval: float,
        patience: float = 5.0,
    ) -> None:
        """Nothing is asked before `start`."""
        self.name = name
        self._store = store
        self._look = look
        self._interval = interval
        self._patience = patience
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._asked_at: float | None = None

    def start(self) -> None:
        """Begin to ask. The thread is a daemon: a hung source never keeps the program from ending."""
        threading.Thread(target=self._run, name=f"floe-watch-{self.name}", daemon=True).start()

    def stop(self) -> None:
        """Ask no more; a look under way ends unheard."""
        self._stopped.set()
        self._wake.set()

    def poke(self) -> None:
        """Ask now: something happened that the source will know of."""
        self._wake.set()

    def check(self, now: float) -> None:
        """Mark the slice stale if the look under way takes too long; called from another thread."""
        asked = self._asked_at
        if asked is not None and now - asked > self._patience:
            self._store.stale(self.name, f"no answer for more than {self._patience:g} s", since=time.time())

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            self._asked_at = time.monotonic()
            try:
                found = self._look()
                if not self._stopped.is_set():
                    if found is not None:
                        self._store.put(self.name, found)
                    elif getattr(self._store.state, self.name).stale_since is not None:
                        self._store.put(self.name, getattr(self._store.state, self.name).items)
            except FloeError as error:
                self._failed(f"{error.what}: {error.why}" if error.why else error.what)
            except Exception as error:  # noqa: BLE001 - a watcher shows what it could not read, it never ends
                self._failed(f"{type(error).__name__}: {error}")
            finally:
                self._asked_at = None
            self._wake.wait(self._interval)

    def _failed(self, reason: str) -> None:
        if not self._stopped.is_set():
            self._store.stale(self.name, reason)
