"""The endpoint truth table as text: a matrix, then each failing cell with the setting to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_dev.cli.render.style import state_text
from floe_dev.cli.render.tables import table

if TYPE_CHECKING:
    from floe_dev.model.endpoints import Cell, EndpointTable

_HEADS = {"host": "from this machine", "network": "from inside the network"}
_STATES = {"works": "pass", "fails": "fail", "skipped": "skipped"}


def endpoints_text(found: EndpointTable, *, color: bool, unicode: bool, width: int | None) -> str:
    """The matrix, its reasons and its settings."""
    rows = [
        (name, *(_cell(found.cell(name, vantage), unicode=unicode) for vantage in _HEADS)) for name in found.endpoints
    ]
    parts = [table(("endpoint", *_HEADS.values()), rows, width=width, color=color)]
    for cell in found.failing:
        state = state_text("fail", color=color, unicode=unicode)
        parts.append(
            f"{state} {cell.endpoint} {_HEADS[cell.vantage]}: {cell.address}\n"
            f"    why: {cell.reason}\n    change: {cell.setting}"
        )
    skipped = dict.fromkeys(f"{_HEADS[cell.vantage]}: {cell.reason}" for cell in found.cells if cell.state == "skipped")
    parts += [f"not asked {reason}" for reason in skipped]
    parts += [
        f"the clock of the {server} is {seconds:+.0f} s from this machine's"
        for server, seconds in found.skew_seconds.items()
        if abs(seconds) >= 2
    ]
    parts.append(f"asked as the principal `{found.principal}`, with keys vended for one table")
    return "\n".join(parts)


def _cell(cell: Cell | None, *, unicode: bool) -> str:
    if cell is None:
        return ""
    text = state_text(_STATES[cell.state], color=False, unicode=unicode)
    word = text.replace(_STATES[cell.state], cell.state)
    return f"{word} {cell.milliseconds:.0f} ms" if cell.state == "works" and cell.milliseconds is not None else word
