"""The catalog that all test processes of one pytest run share, started by the first of them that needs it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.errors import Code, FloeError
from floe_dev.testing.keeper import KEEP, RECORD, STATE, USERS

if TYPE_CHECKING:
    from floe_dev.model.connection import CatalogConnection
    from floe_dev.testing.admin import Admin

START_SECONDS = 30.0
_ATTEMPTS = 3
_LOG = "catalog.log"
#: The root credential for --floe-url, as an option would show it in the list of processes.
CLIENT_ID, CLIENT_SECRET = "FLOE_TEST_CLIENT_ID", "FLOE_TEST_CLIENT_SECRET"


class TestStack:
    """A running catalog: its address, its root connection, and the means to make lakehouses in it."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, url: str, client_id: str, client_secret: str, *, folder: Path, pid: int | None) -> None:
        """`folder` is for this run's own files; `pid` None if the catalog is somebody else's."""
        from floe_dev.model.connection import CatalogConnection, Credential
        from floe_dev.testing.admin import Admin

        self.url = url
        self.folder = folder
        self.pid = pid
        credential = Credential.model_validate({"client_id": client_id, "client_secret": client_secret})
        #: The root principal's connection; its warehouse names no catalog.
        self.root: CatalogConnection = CatalogConnection(uri=f"{url}/api/catalog", warehouse="", credential=credential)
        self.admin: Admin = Admin(self.root)
        #: Where the catalog of namespace isolation is, once this process knows it.
        self.shared_location: str | None = None

    def keep(self) -> None:
        """Let the catalog go on after its last user."""
        (self.folder / KEEP).touch()


@contextlib.contextmanager
def shared_stack(folder: Path) -> Iterator[TestStack]:
    """The run's catalog, whose lock files are in `folder`; raises FloeError 3001 if it does not start."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    users = os.open(folder / USERS, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with (folder / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            record = _running(folder) or _start(folder)
        stack = TestStack(
            str(record["url"]),
            str(record["client_id"]),
            str(record["client_secret"]),
            folder=folder,
            pid=int(str(record["pid"])),
        )
        try:
            yield stack
        finally:
            stack.admin.close()
    finally:
        os.close(users)


@contextlib.contextmanager
def foreign_stack(url: str, folder: Path) -> Iterator[TestStack]:
    """The catalog at `url`, which somebody else runs; raises FloeError 3002 without a root credential."""
    identity = os.environ.get(CLIENT_ID), os.environ.get(CLIENT_SECRET)
    if not identity[0] or not identity[1]:
        raise FloeError(
            Code.CATALOG_REFUSED,
            "--floe-url needs a credential that may create catalogs and principals",
            why=f"{CLIENT_ID} or {CLIENT_SECRET} is not set",
            fix=f"export {CLIENT_ID} and {CLIENT_SECRET}",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stack = TestStack(url.rstrip("/"), identity[0], identity[1], folder=folder, pid=None)
    try:
        yield stack
    finally:
        stack.admin.close()


def _running(folder: Path) -> dict[str, object] | None:
    """What the starter wrote, if its catalog still answers (it may have been killed)."""
    try:
        record: dict[str, object] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    return record if _answers(int(str(record["port"])), str(record["instance"])) else None


def _start(folder: Path) -> dict[str, object]:
    for _ in range(_ATTEMPTS):
        record = _try_start(folder)
        if record is not None:
            file = os.open(folder / RECORD, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w") as output:
                json.dump(record, output)
            return record
    log = folder / _LOG
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    raise FloeError(
        Code.CATALOG_UNREACHABLE,
        f"the catalog for the tests did not start in {START_SECONDS:g} s",
        why=lines[-1] if lines else None,
        detail=tuple(lines[-15:]),
        fix=f"read {log}",
    )


def _try_start(folder: Path) -> dict[str, object] | None:
    """One attempt on a port that was free a moment ago; None if another program took it, or it did not become ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    instance, secret = secrets.token_hex(8), secrets.token_hex(24)
    state = folder / STATE
    (state / "warehouse").mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "floe_dev.testing.keeper", str(folder), str(port), instance]
    log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess: its object would warn of a running process when the one that happened to start it ends first.
    pid = os.posix_spawn(
        sys.executable,
        command,
        {
            **os.environ,
            "POLARIS_BOOTSTRAP_CREDENTIALS": f"POLARIS,root,{secret}",
            "FLOE_CATALOG_SIGNING_KEY": secrets.token_hex(32),
        },
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / _LOG), log, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return None
        if _answers(port, instance):
            url = f"http://127.0.0.1:{port}"
            return {
                "url": url,
                "port": port,
                "pid": pid,
                "instance": instance,
                "client_id": "root",
                "client_secret": secret,
            }
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return None


def _answers(port: int, instance: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/q/health/ready")
        answer = connection.getresponse()
        return answer.status == 200 and answer.getheader("X-Floe-Instance") == instance
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
