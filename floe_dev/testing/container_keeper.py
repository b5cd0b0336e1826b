"""A stack of containers for one pytest run, ended with its last user, as `keeper` ends the embedded catalog.

Run as `python -m floe_dev.testing.container_keeper FOLDER FD STACK ANSWER`; FD is the open FOLDER, for the reason that
`keeper` tells. What the tests need to know, or the error, is written to the file descriptor ANSWER as JSON.
Containers of keepers that were killed are removed by the next one: each carries its keeper's folder, whose lock the
keeper holds for its life.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.testing.keeper import forget, stay, wait_for_last_user

LABEL = "dev.floe.tests"
_HELD = "keeper.lock"
#: The catalog's service by stack; the object store is the same.
STACKS = {"lakehouse-lite": "catalog", "lakehouse": "polaris"}


def main(argv: list[str]) -> int:
    """Start the containers, tell, wait for the last user, remove them."""
    folder, run, name, told = Path(argv[0]), int(argv[1]), argv[2], int(argv[3])
    held = os.open(_HELD, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=run)
    fcntl.flock(held, fcntl.LOCK_EX)
    # The keeper itself is what ends the containers; testcontainers' reaper would be one more image to get.
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    containers: Any = None
    try:
        containers = _start(folder, run, name)
        record = _record(containers)
    except FloeError as error:
        return _tell(told, {"error": error.to_json()})
    except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
        if containers is not None:
            containers.stop()
        refused = FloeError(
            Code.ENGINE_REFUSED, f"the stack `{name}` did not start", why=f"{type(error).__name__}: {error}"
        )
        return _tell(told, {"error": refused.to_json()})
    _tell(told, record)
    if wait_for_last_user(run):
        # It stays too: containers without a keeper are removed by the next run.
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit())
        with contextlib.suppress(SystemExit):
            stay(folder)
    forget(run)
    containers.stop()
    shutil.rmtree("tests", ignore_errors=True, dir_fd=run)
    return 0


def _start(folder: Path, run: int, name: str) -> Any:
    from floe_dev.drivers.docker import connect

    if name not in STACKS:
        raise FloeError(
            Code.UNKNOWN_STACK,
            f"tests know no stack `{name}`",
            why=f"there are: embedded, {', '.join(STACKS)}",
            fix='@pytest.mark.floe(stack="embedded")',
        )
    engine = connect()
    from floe_dev.testing.containers import MINIO_IMAGE, LakehouseContainers, image_of

    catalog = image_of(name, STACKS[name])
    for image in (catalog, MINIO_IMAGE):
        _demand(engine, image)
    if not _is_at(folder, run):
        raise FloeError(
            Code.SERVICE_FAILED,
            f"the stack `{name}` was asked for by a run of pytest that has ended",
            why=f"another run uses {folder}",
            fix="give runs at one time a --basetemp each",
        )
    _sweep(engine, folder)
    return LakehouseContainers(catalog, labels={LABEL: str(folder)}).start()


def _is_at(folder: Path, run: int) -> bool:
    """Whether the folder open as `run` is the one at that path still."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(run))
    except FileNotFoundError:
        return False


def _demand(engine: Any, image: str) -> None:
    from docker.errors import ImageNotFound

    try:
        engine.images.get(image)
    except ImageNotFound as error:
        own = image.startswith("floe/")
        raise FloeError(
            Code.IMAGE_MISSING,
            f"the image `{image}` is not on this machine",
            why="tests do not wait for downloads or builds",
            fix="floe images build" if own else f"docker pull {image}",
        ) from error


def _sweep(engine: Any, own: Path) -> None:
    """Remove what killed keepers left: containers and networks whose keeper's lock nobody holds.

    Those of the folder `own` too: its lock is held here, and nothing was started under it yet.
    """

    def left(folder: str) -> bool:
        return folder == str(own) or not is_held(Path(folder))

    filters = {"label": LABEL}
    for container in engine.containers.list(all=True, filters=filters):
        if left(container.labels[LABEL]):
            container.remove(force=True, v=True)
    for network in engine.networks.list(filters=filters):
        if left(network.attrs["Labels"][LABEL]):
            network.remove()


def is_held(folder: Path) -> bool:
    """Whether the keeper of the containers that carry `folder` lives."""
    try:
        lock = os.open(folder / _HELD, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _record(containers: Any) -> dict[str, Any]:
    from dataclasses import asdict

    url = containers.catalog.url
    return {
        "url": url,
        "port": int(url.rpartition(":")[2]),
        "instance": containers.catalog.get_container_id(),
        "client_id": "root",
        "client_secret": containers.catalog.root().credential.client_secret.get_secret_value(),
        "storage": asdict(containers.storage),
    }


def _tell(told: int, content: dict[str, Any]) -> int:
    with os.fdopen(told, "w") as stream:
        json.dump(content, stream)
    return 1 if "error" in content else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
