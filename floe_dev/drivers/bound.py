"""Become a program that the kernel ends together with the process that started it (Linux).

`python -I -S bound.py PARENT_PID PROGRAM ARGUMENT…`. The request (prctl(2), PR_SET_PDEATHSIG) must be made by the
child itself and survives exec; doing it here instead of between fork and exec keeps Python code out of that gap, where
it is not safe. The signal comes when the *thread* that started this process ends, so start it from a thread that lives
as long as the owner.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask for signal `number` when the parent ends; leave at once if that has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(137)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
