"""Spans of time on the command line: `30s`, `500ms`, `10m`, `2h`, `1d`."""

from __future__ import annotations

import math
import re

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|m|h|d)?\s*", re.IGNORECASE)


class Duration(click.ParamType):  # type: ignore[type-arg] # generic in newer versions only
    """A time of zero or more as seconds; a number without a unit counts in `unit`."""

    name = "duration"

    def __init__(self, unit: str = "s") -> None:
        """`unit` is one of ms, s, m, h, d."""
        self._unit = unit

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; click.BadParameter for anything else."""
        if isinstance(value, int | float):
            return float(value)
        found = _TEXT.fullmatch(value)
        seconds = float(found.group(1)) * _UNITS[(found.group(2) or self._unit).lower()] if found else math.inf
        if math.isinf(seconds):
            self.fail(f"{value!r} is no time; write it as 500ms, 30s, 10m, 2h or 1d", param, ctx)
        return seconds
