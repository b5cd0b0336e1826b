"""The guardian: a small process that outlives its supervisor for a moment, to end what it leaves behind.

It waits on its standard input, a pipe whose other end only the supervisor holds. When that end closes, however the
supervisor died, every process that carries the instance's marker is killed. It works on every POSIX system, reaches
grandchildren too, and needs no parent-death signal. Run as `python -S -m floe_dev.drivers.guardian INSTANCE`.
"""

from __future__ import annotations

import os
import signal
import sys

from floe_dev.drivers.markers import kill_marked


def main() -> None:
    """Wait for the supervisor's end, then kill what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    instance = sys.argv[1]
    while os.read(0, 4096):
        pass
    kill_marked(instance)


if __name__ == "__main__":
    main()
