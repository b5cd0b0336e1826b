"""The end of a log file, and what was written since, without ever reading the whole of it."""

from __future__ import annotations

from pathlib import Path

from floe_dev.model.details import LogChunk

#: Bytes of the end that are shown at first, and at most read at once later.
TAIL_BYTES = 512 << 10
#: Characters of a line that are kept: a line of megabytes would hold up the screen.
LINE_LIMIT = 4000


def read_log(path: Path, position: int | None = None) -> LogChunk:
    """The last lines (`position` None) or those since; a file that is not there yet has none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            restarted = position is not None and size < position
            start = max(0, size - TAIL_BYTES) if position is None or restarted else position
            start = max(start, size - TAIL_BYTES)
            file.seek(start)
            content = file.read(TAIL_BYTES)
    except FileNotFoundError:
        return LogChunk((), 0)
    whole, newline, rest = content.rpartition(b"\n")
    if not newline:
        # A line that is longer than all that is read at once is shown in pieces, else it would never be over.
        whole, rest = (content, b"") if len(content) == TAIL_BYTES else (b"", content)
    lines = whole.split(b"\n") if whole or newline else []
    if start > 0 and position is None and lines:
        lines = lines[1:]
    text = tuple(_text(line) for line in lines)
    return LogChunk(text, start + len(content) - len(rest), restarted)


def _text(line: bytes) -> str:
    cut = line[: LINE_LIMIT * 4].decode("utf-8", "replace").rstrip("\r")
    return cut if len(cut) <= LINE_LIMIT else f"{cut[:LINE_LIMIT]}… ({len(line)} bytes)"
