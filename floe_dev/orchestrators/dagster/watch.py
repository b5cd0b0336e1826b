"""Which files a project's definitions are made from, and whether they changed since the last look."""

from __future__ import annotations

import hashlib
import json
import os
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from floe_dev.config.private import write_private
from floe_dev.errors import FloeError, Where

_SUFFIXES = (".py", ".sql", ".yml", ".yaml", ".csv", ".md", ".toml")
#: What is not the project's own, or is written by the tools that run it.
_SKIPPED = {"target", "logs", "__pycache__", "node_modules", "build", "dist"}
#: A look costs the processor this share of its time at most, however large the project is.
_LOAD = 0.02
_SHORTEST_SECONDS = 0.3


class Watch:
    """Compares paths, sizes and modification times; it needs no events of the operating system and works everywhere."""

    def __init__(self, root: Path) -> None:
        """The project as it is now counts as seen."""
        self.root = root
        self.interval_seconds = _SHORTEST_SECONDS
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether something changed since this was last asked."""
        now = self._look()
        if now == self._seen:
            return False
        self._seen = now
        return True

    def _look(self) -> str:
        began = time.perf_counter()
        digest = hashlib.blake2b()
        for path, stat in _files(str(self.root)):
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        self.interval_seconds = max(_SHORTEST_SECONDS, (time.perf_counter() - began) / _LOAD)
        return digest.hexdigest()


def report_file(root: Path) -> Path:
    """Where a save that does not load is told; not there while all is well."""
    return root / ".floe" / "dagster" / "reload-error.json"


def write_report(root: Path, error: BaseException | None) -> None:
    """Keep why the project's files do not load, or forget it."""
    file = report_file(root)
    if error is None:
        file.unlink(missing_ok=True)
        return
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None and not isinstance(cause, FloeError):
        cause = inner
    told = cause.to_json() if isinstance(cause, FloeError) else _foreign(cause, root)
    write_private(file, json.dumps({**told, "time": time.time()}))


def _foreign(error: BaseException, root: Path) -> dict[str, Any]:
    place = own_place(error, root)
    where = {"file": str(place.file), "line": place.line} if place else None
    return {"what": f"{type(error).__name__}: {error}", "where": where}


def own_place(error: BaseException, root: Path) -> Where | None:
    """The innermost line of the project's own code that an exception came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return Where(Path(error.filename), error.lineno)
    own = [
        Where(Path(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root) and "site-packages" not in Path(frame.filename).parts
    ]
    return own[-1] if own else None


def read_report(root: Path) -> dict[str, Any] | None:
    """Why the project's last save does not load; None while all is well."""
    try:
        told: dict[str, Any] = json.loads(report_file(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told


def report_text(told: dict[str, Any]) -> str:
    """The report in a few lines."""
    where = told.get("where") or {}
    place = str(where.get("file") or "") + (f":{where['line']}" if where.get("line") else "")
    lines = ["the last save does not load; Dagster shows the graph from before it", f"  {told.get('what')}"]
    lines += [f"  why: {told['why']}"] if told.get("why") else []
    lines += [f"  at: {place}"] if place else []
    return "\n".join(lines)


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):  # noqa: PTH110, PTH118
                    yield from _files(entry.path)
            elif entry.name.endswith(_SUFFIXES):
                yield entry.path, entry.stat()
        except OSError:
            continue
