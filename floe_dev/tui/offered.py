"""Which of a screen's keys are offered: in the line of keys, in the help and in the palette."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.binding import ActiveBinding
from textual.screen import Screen

#: Actions that change the stack or what is in it. With --read-only nothing offers them; pressed, they say why not.
CHANGING = frozenset(
    {
        *("materialize", "again", "cancel", "capsule", "start", "stop"),
        *("switch", "cancel_backfill", "launch", "rollback"),
    }
)


def offered(screen: Screen[Any], *, read_only: bool) -> Iterator[ActiveBinding]:
    """The bindings that work on this screen now; with `read_only` without those that change something."""
    for active in screen.active_bindings.values():
        if not (read_only and active.binding.action in CHANGING):
            yield active
