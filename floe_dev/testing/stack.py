"""The catalog that all test processes of one pytest run share, started by the first of them that needs it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev import __version__
from floe_dev.errors import Code, FloeError
from floe_dev.testing.keeper import KEEP, RECORD, USERS, state_of

if TYPE_CHECKING:
    from floe_dev.model.connection import CatalogConnection
    from floe_dev.testing.admin import Admin

#: The stack that needs nothing but Python packages.
EMBEDDED = "embedded"
START_SECONDS = 30.0
_ATTEMPTS = 3
_LOG = "catalog.log"
#: The root credential for --floe-url, as an option would show it in the list of processes.
CLIENT_ID, CLIENT_SECRET = "FLOE_TEST_CLIENT_ID", "FLOE_TEST_CLIENT_SECRET"


@dataclass(frozen=True)
class Storage:
    """Where a stack's catalogs keep files: `base` is None where the server chooses folders on this machine."""

    base: str | None = None
    #: The object store as this machine and as the catalog reach it.
    endpoint: str = ""
    endpoint_internal: str = ""
    region: str = ""


class TestStack:
    """A running catalog: its address, its root connection, and the means to make lakehouses in it."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        folder: Path,
        pid: int | None,
        name: str = EMBEDDED,
        identity: str = "",
        storage: Storage = Storage(),
    ) -> None:
        """`folder` is for this run's own files; `pid` None if the catalog is somebody else's.

        `identity` differs between two starts of one stack; what refers to the tables of one is nothing to the other.
        """
        from floe_dev.model.connection import CatalogConnection, Credential
        from floe_dev.testing.admin import Admin

        self.url = url
        self.name = name
        self.folder = folder
        self.pid = pid
        self.identity = identity or url
        self.storage = storage
        credential = Credential.model_validate({"client_id": client_id, "client_secret": client_secret})
        #: The root principal's connection; its warehouse names no catalog.
        self.root: CatalogConnection = CatalogConnection(uri=f"{url}/api/catalog", warehouse="", credential=credential)
        self.admin: Admin = Admin(self.root)
        #: Where the catalog of namespace isolation is, once this process knows it.
        self.shared_location: str | None = None

    @property
    def access_delegation(self) -> str:
        """How clients get at the files: by vended keys from an object store, by themselves on this machine."""
        return "vended-credentials" if self.storage.base else "none"

    def location(self, catalog: str) -> str | None:
        """Where a catalog of that name keeps its files; None: the server chooses."""
        return f"{self.storage.base.rstrip('/')}/{catalog}" if self.storage.base else None

    @property
    def templates(self) -> str | None:
        """Where the catalogs of templates keep theirs, which copies read in place; None: the server chooses."""
        return self.location("floe_templates")

    def storage_config(self, location: str | None) -> dict[str, Any]:
        """Polaris's storageConfigInfo of a catalog at `location`."""
        if location is None:
            return {"storageType": "FILE", "allowedLocations": []}
        return {
            "storageType": "S3",
            "allowedLocations": [location],
            "endpoint": self.storage.endpoint,
            "endpointInternal": self.storage.endpoint_internal or self.storage.endpoint,
            "pathStyleAccess": True,
            "region": self.storage.region,
        }

    def keep(self) -> None:
        """Let the catalog go on after its last user."""
        (self.folder / KEEP).touch()


@contextlib.contextmanager
def shared_stack(folder: Path, name: str = EMBEDDED) -> Iterator[TestStack]:
    """The run's stack `name`, whose lock files are in `folder`.

    Raises FloeError 3001 if it does not start, 2107 if another version of floe_dev started it, and for a stack in
    containers 2301 to 2304 (no engine, no image).
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = os.open(folder, os.O_RDONLY)
    users = os.open(USERS, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=run)
    try:
        with (folder / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            record = _running(folder) or _start(folder, run, name)
        stack = TestStack(
            str(record["url"]),
            str(record["client_id"]),
            str(record["client_secret"]),
            folder=folder,
            pid=int(str(record["pid"])),
            name=name,
            identity=str(record["instance"]),
            storage=Storage(**record.get("storage") or {}),
        )
        try:
            yield stack
        finally:
            stack.admin.close()
    finally:
        os.close(users)
        os.close(run)


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
    stack = TestStack(url.rstrip("/"), identity[0], identity[1], folder=folder, pid=None, name="foreign")
    users = os.open(folder / USERS, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield stack
    finally:
        try:
            _drop_templates_after_last(stack, users)
        finally:
            os.close(users)
            stack.admin.close()


def _drop_templates_after_last(stack: TestStack, users: int) -> None:
    """Somebody else's catalog is left as it was found: the last process of the run drops what templates made."""
    from floe_dev.testing.templates import drop_all

    # One after another: of two that end at once each would take the other for a user.
    with (stack.folder / "start.lock").open("w") as ending:
        fcntl.flock(ending, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        drop_all(stack)


def _running(folder: Path) -> dict[str, Any] | None:
    """What the starter wrote, if its catalog still answers (it may have been killed); raises FloeError 2107."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    in_containers = "storage" in record
    if not (_keeper_lives(folder) if in_containers else answers(int(record["port"]), str(record["instance"]))):
        return None
    if record.get("version") != __version__:
        raise FloeError(
            Code.SHARED_STACK_VERSION,
            f"the tests' catalog was started by floe_dev {record.get('version', '(unknown)')}, this is {__version__}",
            why=f"both use {folder}, so both would work with one catalog",
            fix="give each its own --basetemp, or use one version in all environments of the run",
        )
    return record


def _start(folder: Path, run: int, name: str) -> dict[str, Any]:
    for _ in range(_ATTEMPTS):
        record = _try_start(folder, run) if name == EMBEDDED else _start_containers(folder, run, name)
        if record is not None:
            record["version"] = __version__
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


def _start_containers(folder: Path, run: int, name: str) -> dict[str, Any]:
    """Start a stack of containers by a process that ends them; raises what ended the start."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        pid = _spawn(folder, run, "container_keeper", (name, str(write)), {})
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read()
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        os.waitpid(pid, 0)
        lines = (folder / _LOG).read_text(errors="replace").splitlines()
        raise FloeError(
            Code.SERVICE_FAILED,
            f"the stack `{name}` did not start",
            why=lines[-1] if lines else "its keeper ended",
            detail=tuple(lines[-15:]),
            fix=f"read {folder / _LOG}",
        ) from None
    if "error" in told:
        os.waitpid(pid, 0)
        raise FloeError.from_json(told["error"])
    return {**told, "pid": pid}


def _try_start(folder: Path, run: int) -> dict[str, Any] | None:
    """One attempt on a port that was free a moment ago; None if another program took it, or it did not become ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    instance, secret = secrets.token_hex(8), secrets.token_hex(24)
    for left in folder.glob(state_of(folder, "*").name):  # by a keeper that was killed
        shutil.rmtree(left, ignore_errors=True)
    (state_of(folder, instance) / "warehouse").mkdir(mode=0o700, parents=True)
    pid = _spawn(
        folder,
        run,
        "keeper",
        (str(port), instance),
        {
            "POLARIS_BOOTSTRAP_CREDENTIALS": f"POLARIS,root,{secret}",
            "FLOE_CATALOG_SIGNING_KEY": secrets.token_hex(32),
        },
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return None
        if answers(port, instance):
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


def _keeper_lives(folder: Path) -> bool:
    from floe_dev.testing.container_keeper import is_held

    return is_held(folder)


def _spawn(folder: Path, run: int, keeper: str, arguments: tuple[str, ...], variables: dict[str, str]) -> int:
    """Start the module `keeper` as a session of its own, with the folder open as `run`; its process id.

    Not subprocess: its object would warn of a running process when the one that happened to start it ends first.
    """
    module = f"floe_dev.testing.{keeper}"
    log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.set_inheritable(run, True)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", module, str(folder), str(run), *arguments],
            {**os.environ, **variables},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(folder / _LOG), log, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
    finally:
        os.set_inheritable(run, False)


def answers(port: int, instance: str) -> bool:
    """Whether the catalog that was started as `instance` is ready at this port."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/q/health/ready")
        answer = connection.getresponse()
        return answer.status == 200 and answer.getheader("X-Floe-Instance") == instance
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
