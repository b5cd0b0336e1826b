"""The project's own files: nothing that dbt, Python or floe wrote, and nothing installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_SKIPPED = {"target", "logs", "__pycache__", "node_modules", "dbt_packages", "dbt_modules", "build", "dist"}


def own_files(root: Path, *suffixes: str) -> Iterator[Path]:
    """The files below `root` with one of `suffixes`, sorted; hidden folders and virtual environments are left out."""
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED and not name.startswith(".") and not (here / name / "pyvenv.cfg").exists()
        )
        yield from (here / name for name in sorted(files) if name.endswith(suffixes))
