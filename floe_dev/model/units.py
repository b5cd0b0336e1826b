"""Durations, sizes and counts as people read them, on every screen the same."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """`640 µs`, `3 ms`, `0.84 s`, `12.3 s`, `2 m 05 s`, `1 h 02 m`; empty where unknown.

    Less than nothing is unknown too: the clock was set back since what it counts from.
    """
    if seconds is None or seconds < 0:
        return ""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or seconds == 0 else f"{seconds * 1e6:.0f} µs"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def size(count: int | None) -> str:
    """A number of bytes in binary units: `512 B`, `1.4 KiB`; empty where unknown."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def counted(count: int | None, noun: str) -> str:
    """`1 file`, `1,234 files`; empty where unknown."""
    return "" if count is None else f"{count:,} {noun}{'' if count == 1 else 's'}"
