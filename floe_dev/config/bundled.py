"""Files that travel with the package: stacks/ and sample_project/, one copy in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(name: str) -> Path:
    """The folder `name` (`stacks` or `sample_project`): inside the package in a wheel, at the top in a checkout."""
    packaged = _PACKAGE / "_bundled" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
