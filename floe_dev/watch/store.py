"""The one `State`, replaced under a lock by the watchers, read by anybody."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from floe_dev.model.state import SLICES, Slice, State


class StateStore:
    """Holds the latest `State` and tells subscribers that there is a newer one; threads may share it."""

    def __init__(self, state: State | None = None) -> None:
        """Start with nothing known."""
        self._lock = threading.Lock()
        self._state = state or State()
        self._subscribers: list[Callable[[], None]] = []

    @property
    def state(self) -> State:
        """The latest picture."""
        return self._state

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change, in the thread that made it; the answer ends it."""
        self._subscribers.append(changed)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(changed)

        return end

    def put(self, name: str, items: Iterable[Any]) -> None:
        """A source answered: its slice is fresh. Equal items change nothing but the time of the look."""
        found = tuple(items)
        with self._lock:
            old = getattr(self._state, name)
            changed = found != old.items or old.as_of is None
            told = changed or old.stale_since is not None
            new = replace(
                old,
                items=found if changed else old.items,
                as_of=time.time(),
                stale_since=None,
                reason=None,
                revision=old.revision + changed,
            )
            self._replace({name: new}, grow=told)
        if told:
            self._tell()

    def stale(self, name: str, reason: str, *, since: float | None = None) -> None:
        """A source does not answer: its last good items stay, marked with the reason.

        One that never answered while the stack starts is not late: it is not there yet.
        """
        with self._lock:
            old = getattr(self._state, name)
            if old.stale_since is not None and old.reason == reason:
                return
            if old.as_of is None and self._state.stack.phase == "starting":
                return
            new = replace(old, stale_since=old.stale_since or since or time.time(), reason=reason)
            self._replace({name: new})
        self._tell()

    def stack(self, **changes: Any) -> None:
        """The stack as a whole changed."""
        with self._lock:
            new = replace(self._state.stack, **changes)
            if new == self._state.stack:
                return
            self._replace({"stack": new})
        self._tell()

    def expect(self) -> None:
        """The stack comes up: what was never heard of is loading, whatever kept it silent before."""
        with self._lock:
            silent = [name for name in SLICES if getattr(self._state, name).as_of is None]
            self._replace({name: Slice() for name in silent if not getattr(self._state, name).loading})
        self._tell()

    def _replace(self, changes: dict[str, Any], *, grow: bool = True) -> None:
        self._state = replace(self._state, version=self._state.version + grow, **changes)

    def _tell(self) -> None:
        for changed in tuple(self._subscribers):
            changed()
