"""What waits for itself, among things that wait for each other."""

from __future__ import annotations

import graphlib
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from floe_dev.errors import Code, FloeError, Where

_Key = TypeVar("_Key", bound=Hashable)


def circle(needs: Mapping[_Key, Iterable[_Key]]) -> list[_Key]:
    """One circle among these, each followed by one that it needs and the first again at the end; else empty."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def waiting_circle(found: Iterable[str], where: Where | None = None) -> FloeError:
    """FLOE1202 for parts of a stack that wait for each other."""
    return FloeError(
        Code.INVALID_VALUE,
        "the stack's services wait for each other in a circle",
        why=" -> ".join(found),
        fix="take one of these out of its `depends_on`",
        where=where,
    )
