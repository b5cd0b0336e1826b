"""The session's catalog as a process that ends itself when no test process uses it any more.

Every user holds a shared lock on `users.lock`. The kernel gives it back however a user ends, so waiting for the
exclusive lock is a reference count that survives `kill -9`. Run as `python -P -m floe_dev.testing.keeper FOLDER FD PORT
INSTANCE` by a process that holds the shared lock already; FD is the open FOLDER. What several keepers have by one name
goes by FD: pytest's `--basetemp` puts the next run's folder at the same path while a keeper of this run still ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

USERS = "users.lock"
RECORD = "catalog.json"
#: There if a failed test's lakehouse is to be looked at: the catalog then outlives its last user.
KEEP = "keep"
#: What pytest leaves in the temporary folder of a run that goes on, and how often (seconds) it is renewed.
_LOCK, _PAUSE_SECONDS = ".lock", 2.0


def main(argv: list[str]) -> int:
    """Serve the catalog whose files are below FOLDER/state-INSTANCE until its last user has gone."""
    folder, run, port, instance = Path(argv[0]), int(argv[1]), argv[2], argv[3]
    state = state_of(folder, instance)
    threading.Thread(target=_end_after_last_user, args=(folder, run, state), name="floe-users", daemon=True).start()
    from floe_dev.catalogs.rest.__main__ import main as serve

    options = ["--database", str(state / "catalog.db"), "--warehouse", str(state / "warehouse")]
    return serve(["--port", port, "--instance", instance, *options])


def state_of(folder: Path, instance: str) -> Path:
    """Where the catalog that was started as `instance` has its database and its tables' files."""
    return folder / f"state-{instance}"


def _end_after_last_user(folder: Path, run: int, state: Path) -> None:
    if wait_for_last_user(run):
        stay(folder)
    forget(run)
    shutil.rmtree(state, ignore_errors=True)
    os._exit(0)


def wait_for_last_user(run: int) -> bool:
    """Wait until nobody holds the lock in the folder open as `run`; whether its stack is to be kept nevertheless.

    Who comes afterwards waits for the lock until this process ends; if kept, uses what goes on.
    """
    users = os.open(USERS, os.O_RDWR, dir_fd=run)
    fcntl.flock(users, fcntl.LOCK_EX)
    try:
        os.stat(KEEP, dir_fd=run)
    except FileNotFoundError:
        return False
    os.close(users)
    return True


def forget(run: int) -> None:
    """Remove the record of the stack in the folder open as `run`: the next user starts one of its own."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(RECORD, dir_fd=run)


def stay(folder: Path) -> NoReturn:
    """Hold on to a run's folder for ever: pytest deletes those of all runs but the last three, unless one is locked.

    Its own lock goes with pytest's process, so it is renewed until this one ends.
    """
    base = next((above for above in folder.parents if above.parent.name.startswith("pytest-of-")), None)
    while True:
        if base is not None:
            with contextlib.suppress(OSError):
                (base / _LOCK).touch()
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
