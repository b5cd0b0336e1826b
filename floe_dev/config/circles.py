"""What waits for itself, among things that wait for each other."""

from __future__ import annotations

import graphlib
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)


def circle(needs: Mapping[_Key, Iterable[_Key]]) -> list[_Key]:
    """One circle among these, each followed by one that it needs and the first again at the end; else empty."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []
