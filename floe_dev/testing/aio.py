"""A fixture's object for async tests: its methods run in a thread, so the event loop goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any


class Async:
    """Stands for `wrapped`: `await it.method(…)` is `wrapped.method(…)` in a thread, `await it(…)` a call of it.

    Attributes that are not methods are given as they are. anyio finds out whether asyncio or trio runs.
    """

    def __init__(self, wrapped: Any) -> None:
        """Nothing of `wrapped` is called yet."""
        self._wrapped = wrapped

    @property
    def wrapped(self) -> Any:
        """The object itself."""
        return self._wrapped

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        return _awaitable(found) if callable(found) else found

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object; raises what it raises."""
        return await _awaitable(self._wrapped)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Async({self._wrapped!r})"


def _awaitable(function: Callable[..., Any]) -> Callable[..., Any]:
    from anyio.to_thread import run_sync

    async def call(*args: Any, **kwargs: Any) -> Any:
        return await run_sync(partial(function, *args, **kwargs))

    try:
        return wraps(function)(call)
    except AttributeError:
        return call
