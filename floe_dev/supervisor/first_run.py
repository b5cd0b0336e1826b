"""Who makes a stack's first run: everything is materialized once, however many ask for it at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from floe_dev.config.machine import machine_error
from floe_dev.model.layout import Layout


@contextlib.contextmanager
def first_run_claim(layout: Layout) -> Iterator[bool]:
    """Whether the first run is ours to make, for as long as this is not left; at once. Raises FloeError 91xx.

    The supervisor takes it for the dashboards, and a `floe up` that shows the run itself for itself. The lock is the
    kernel's, so whoever is killed with it has it no more.
    """
    file = layout.state_dir / "first-run.lock"
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise machine_error(error, file) from error
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
