"""What the operating system knows of a process."""

from __future__ import annotations

import psutil


def environment_of(pid: int) -> dict[str, str]:
    """The variables a process was started with; none where it is gone or belongs to somebody else."""
    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}
