"""The end of a log file, and what was written since, without ever reading the whole of it."""

from __future__ import annotations

from pathlib import Path

from floe_dev.drivers.logs import read_log_bytes
from floe_dev.model.details import LogChunk

#: Bytes of the end that are shown at first, and at most read at once later.
TAIL_BYTES = 512 << 10
#: Characters of a line that are kept: a line of megabytes would hold up the screen.
LINE_LIMIT = 4000


def read_log(path: Path, position: int | None = None) -> LogChunk:
    """The last lines (`position` None) or those since; a file that is not there yet has none. Raises OSError."""
    read = read_log_bytes(path, position, TAIL_BYTES)
    whole, newline, rest = read.content.rpartition(b"\n")
    if not newline:
        # A line that is longer than all that is read at once is shown in pieces, else it would never be over.
        whole, rest = (rest, b"") if len(rest) >= TAIL_BYTES else (b"", rest)
    lines = whole.split(b"\n") if whole or newline else []
    text = [_text(line) for line in lines]
    if read.cut and text:
        text[0] = f"…{text[0]}"
    return LogChunk(tuple(text), read.end - len(rest), read.restarted)


def _text(line: bytes) -> str:
    cut = line[: LINE_LIMIT * 4].decode("utf-8", "replace").rstrip("\r")
    return cut if len(cut) <= LINE_LIMIT else f"{cut[:LINE_LIMIT]}… ({len(line)} bytes)"
