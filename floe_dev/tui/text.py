"""How the dashboard writes things: states, ages, sizes, and text from elsewhere made harmless."""

from __future__ import annotations

import re
import time
import unicodedata

#: state word -> (glyph, tone); a state is always glyph and word, the tone only adds to them.
_STATES: dict[str, tuple[str, str]] = {
    "ready": ("●", "ok"),
    "fresh": ("●", "ok"),
    "on": ("●", "ok"),
    "ok": ("✓", "ok"),
    "done": ("✓", "ok"),
    "pass": ("✓", "ok"),
    "success": ("✓", "ok"),
    "completed": ("✓", "ok"),
    "completed_success": ("✓", "ok"),
    "running": ("◌", "busy"),
    "started": ("◌", "busy"),
    "starting": ("◌", "busy"),
    "queued": ("◌", "busy"),
    "requested": ("◌", "busy"),
    "stopping": ("◌", "busy"),
    "canceling": ("◌", "busy"),
    "connecting": ("◌", "busy"),
    "open": ("◌", "busy"),
    "restarting": ("↻", "warn"),
    "hung": ("△", "warn"),
    "degraded": ("△", "warn"),
    "stale": ("△", "warn"),
    "outdated": ("△", "warn"),
    "warning": ("△", "warn"),
    "missing": ("○", "warn"),
    "waiting": ("·", "dim"),
    "source": ("◇", "dim"),
    "off": ("○", "dim"),
    "down": ("○", "dim"),
    "stopped": ("○", "dim"),
    "skipped": ("⊘", "dim"),
    "not_started": ("◌", "busy"),
    "completing": ("◌", "busy"),
    "failing": ("✗", "bad"),
    "canceled": ("✗", "warn"),
    "failed": ("✗", "bad"),
    "failure": ("✗", "bad"),
    "fail": ("✗", "bad"),
    "error": ("✗", "bad"),
    "completed_failed": ("✗", "bad"),
}
#: Words shown instead of the source's own.
_WORDS = {
    "completed_success": "done",
    "completed_failed": "failed",
    "not_started": "waiting",
    "missing": "never",
    "started": "running",
    "failure": "failed",
    "error": "failed",
}

Cell = tuple[str, str]
#: ECMA-48's "select graphic rendition": what colours a log.
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def state_cell(state: str) -> Cell:
    """Glyph and word of a state, with its tone."""
    glyph, tone = _STATES.get(state, ("?", "dim"))
    return f"{glyph} {_WORDS.get(state, state)}", tone


def tone_of(state: str) -> str:
    """The tone of a state: ok, busy, warn, bad or dim."""
    return _STATES.get(state, ("?", "dim"))[1]


def inert(text: str) -> str:
    """`text` on one line with nothing a terminal would act on: control and direction characters become visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_harmless(character) for character in text)


def without_colours(text: str) -> str:
    """A line of a log without the colours that its program gave it; whatever else it sends stays, for `inert`."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


def _harmless(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # C1 controls, and format characters such as right-to-left overrides or zero-width ones.
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character


def age(at: float | None, now: float | None = None) -> str:
    """How long ago: `now`, `12 s`, `5 min`, `3 h`, `2 d`; `soon` for a clock that is ahead of ours."""
    if at is None:
        return ""
    seconds = (now if now is not None else time.time()) - at
    if seconds < -5:
        return "soon"
    if seconds < 2:
        return "now"
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds // 86_400)} d"


def ago(at: float | None, now: float | None = None) -> str:
    """`12 s ago`, but `now` and `soon` as they are."""
    told = age(at, now)
    return told if told in ("", "now", "soon") else f"{told} ago"


def until(at: float | None, now: float | None = None) -> str:
    """How long until then: `in 5 min`, but `now` as it is; empty where nothing is planned."""
    if at is None:
        return ""
    now = now if now is not None else time.time()
    told = age(now - max(0.0, at - now), now)
    return told if told == "now" else f"in {told}"


def number(count: int | None) -> str:
    """`1,234,567`; empty where unknown."""
    return "" if count is None else f"{count:,}"


def clock(at: float | None) -> str:
    """Local time of day, with the day where it is another one."""
    if at is None:
        return ""
    moment = time.localtime(at)
    today = time.localtime(time.time())
    same_day = (moment.tm_year, moment.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S", moment)
