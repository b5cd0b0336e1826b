"""The session's catalog as a process that ends itself when no test process uses it any more.

Every user holds a shared lock on `users.lock`. The kernel gives it back however a user ends, so waiting for the
exclusive lock is a reference count that survives `kill -9`. Run as `python -P -m floe_dev.testing.keeper FOLDER PORT
INSTANCE` by a process that holds the shared lock already.
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
STATE = "state"
#: There if a failed test's lakehouse is to be looked at: the catalog then outlives its last user.
KEEP = "keep"
#: What pytest leaves in the temporary folder of a run that goes on, and how often (seconds) it is renewed.
_LOCK, _PAUSE_SECONDS = ".lock", 2.0


def main(argv: list[str]) -> int:
    """Serve the catalog whose files are below FOLDER/state until its last user has gone."""
    folder, port, instance = Path(argv[0]), argv[1], argv[2]
    threading.Thread(target=_end_after_last_user, args=(folder,), name="floe-users", daemon=True).start()
    from floe_dev.catalogs.rest.__main__ import main as serve

    state = folder / STATE
    options = ["--database", str(state / "catalog.db"), "--warehouse", str(state / "warehouse")]
    return serve(["--port", port, "--instance", instance, *options])


def _end_after_last_user(folder: Path) -> None:
    users = os.open(folder / USERS, os.O_RDWR)
    fcntl.flock(users, fcntl.LOCK_EX)
    if (folder / KEEP).exists():
        os.close(users)
        stay(folder)
    # Who comes now waits for the lock and finds no record, so it starts a catalog of its own.
    (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder / STATE, ignore_errors=True)
    os._exit(0)


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
