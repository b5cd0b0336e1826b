"""Start one process: a session of its own, its output in a log file, ended by the kernel when its starter ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.drivers import bound
from floe_dev.drivers.logs import open_log as open_log
from floe_dev.drivers.logs import tail as tail

if TYPE_CHECKING:
    from asyncio import Future


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start `command` detached from the terminal, output appended to `log`; raises OSError.

    On Linux the kernel kills it when the calling thread ends, however it ends.
    """
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise FileNotFoundError(2, "no such program", command[0])
    arguments = [program, *command[1:]]
    if sys.platform == "linux":
        arguments = [sys.executable, "-I", "-S", bound.__file__, str(os.getpid()), *arguments]
    output = open_log(log)
    try:
        return subprocess.Popen(
            arguments,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def ended(process: subprocess.Popen[bytes]) -> Future[int]:
    """The exit status of `process` as a future of the running loop, at the moment it ends (negative: the signal).

    No thread of the default executor is held for it: with two processors there are six of them.
    """
    from asyncio import get_running_loop

    loop = get_running_loop()
    future: Future[int] = loop.create_future()

    def settle(status: int) -> None:
        if not future.done():
            future.set_result(status)

    if sys.platform == "linux":
        descriptor = os.pidfd_open(process.pid)

        def exited() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            settle(process.wait())

        loop.add_reader(descriptor, exited)
    else:

        def wait() -> None:
            status = process.wait()
            loop.call_soon_threadsafe(settle, status)

        threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    return future
