"""Colour, glyphs and widths: states are always a glyph and a word, colour only adds to them."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Mapping
from typing import TextIO

_SGR = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}

#: state word -> (glyph, ASCII glyph, colour); used for services, steps, assets and checks alike.
_STATES: dict[str, tuple[str, str, str]] = {
    "waiting": ("·", ".", "dim"),
    "starting": ("◌", "o", "yellow"),
    "running": ("◌", "o", "yellow"),
    "restarting": ("↻", "~", "yellow"),
    "stopping": ("◌", "o", "yellow"),
    "ready": ("●", "*", "green"),
    "hung": ("△", "!", "yellow"),
    "done": ("✓", "+", "green"),
    "pass": ("✓", "+", "green"),
    "materialized": ("✓", "+", "green"),
    "stopped": ("○", "-", "dim"),
    "skipped": ("⊘", "-", "dim"),
    "stale": ("△", "!", "yellow"),
    "missing": ("○", "-", "yellow"),
    "warning": ("△", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "fail": ("✗", "x", "red"),
    "canceled": ("✗", "x", "yellow"),
}


def wants_color(stream: TextIO, environ: Mapping[str, str] = os.environ, *, no_color: bool = False) -> bool:
    """Whether to colour `stream`: a terminal, and neither --no-color, NO_COLOR nor TERM=dumb says no."""
    if no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return bool(environ.get("FORCE_COLOR")) or stream.isatty()


def speaks_unicode(stream: TextIO) -> bool:
    """Whether the stream's encoding can carry the glyphs."""
    return (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")


def paint(text: str, *styles: str, color: bool) -> str:
    """`text` in the styles named (bold, dim, red, …), or unchanged without colour."""
    if not color or not text:
        return text
    codes = ";".join(_SGR[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def glyph(state: str, *, unicode: bool = True) -> str:
    """The one-cell glyph of a state word."""
    pretty, plain, _ = _STATES.get(state, ("?", "?", "dim"))
    return pretty if unicode else plain


def state_color(state: str) -> str:
    """The colour name of a state word."""
    return _STATES.get(state, ("?", "?", "dim"))[2]


def state_text(state: str, *, color: bool, unicode: bool = True) -> str:
    """Glyph and word, coloured if wanted."""
    return paint(f"{glyph(state, unicode=unicode)} {state}", state_color(state), color=color)


def cell_width(text: str) -> int:
    """Terminal cells that `text` takes (wide characters two, combining none)."""
    if text.isascii():
        return len(text)
    width = 0
    for character in text:
        if unicodedata.combining(character):
            continue
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


def truncate(text: str, width: int) -> str:
    """`text` cut to `width` cells, with an ellipsis where something was cut."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def terminal_width() -> int:
    """Columns of the terminal; 80 where unknown."""
    return shutil.get_terminal_size((80, 24)).columns


def count_text(count: int, noun: str) -> str:
    """A number with its noun: `1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
