"""`floe-dbt`: dbt, forked from a process that has imported it already where the stack has one.

dbt needs two to three seconds of imports before it reads its arguments; each run of the dbt assets and each parse pays
them. Without a fork server (another system, no stack) this is dbt itself.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from floe_dev.drivers.forkrequest import fork_module

_FORWARDED = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run dbt with this process's arguments, environment, folder and output; its exit code is ours."""
    try:
        worker = fork_module(
            "floe_dev.dbt.program",
            sys.argv[1:],
            environment=os.environ,
            directory=Path.cwd(),
            # The kernel's name for our own standard output: what dbt writes goes where ours goes.
            log=Path(f"/proc/{os.getpid()}/fd/1"),
            after="dagster_dbt",
        )
    except OSError:
        from floe_dev.dbt.program import run

        run()
        return

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(worker.pid, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    status = worker.wait()
    if status is None:
        sys.exit("the process that ran dbt ended with the stack")
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
