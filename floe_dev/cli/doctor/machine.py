"""The machine: Python, packages, disk, memory, loopback, tools."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution, version
from pathlib import Path

from floe_dev.cli.doctor import FAIL, PASS, SKIPPED, WARNING, Check
from floe_dev.model.units import size

_MIB = 2**20
#: A first `up` of the sample writes some 60 MB; a tenth of that free is certain to fail.
_DISK_FAIL, _DISK_WARN = 256 * _MIB, 2048 * _MIB
_MEMORY_WARN = 1024 * _MIB


def python() -> Iterator[Check]:
    """The interpreter is one that every dependency supports."""
    from packaging.specifiers import SpecifierSet

    wanted = distribution("floe_dev").metadata["Requires-Python"] or ""
    here = f"Python {platform.python_version()} ({platform.system()} {platform.machine()})"
    if platform.python_version() in SpecifierSet(wanted, prereleases=True):
        yield Check("machine", "python", PASS, here)
    else:
        yield Check("machine", "python", FAIL, f"{here}; floe needs {wanted}", "install floe with Python 3.12")


def packages() -> Iterator[Check]:
    """Every package floe depends on is there, in a version it works with."""
    from floe_dev.validate.versions import unfitting

    count, wrong = unfitting()
    if wrong:
        fix = f"{sys.executable} -m pip install --upgrade floe_dev"
        yield Check("machine", "packages", FAIL, "; ".join(wrong), fix)
    else:
        yield Check("machine", "packages", PASS, f"{count} packages in versions that fit")


def duckdb_extensions() -> Iterator[Check]:
    """The extension wheels are those of this DuckDB, so that nothing is downloaded."""
    duck = version("duckdb")
    for name in ("avro", "httpfs", "iceberg"):
        found = version(f"duckdb-extension-{name}")
        if found != duck:
            yield Check(
                "machine",
                "duckdb extensions",
                FAIL,
                f"duckdb is {duck}, duckdb-extension-{name} is {found}",
                f"{sys.executable} -m pip install duckdb-extension-{name}=={duck}",
            )
            return
    yield Check("machine", "duckdb extensions", PASS, f"avro, httpfs, iceberg {duck} from wheels")


def disk(folder: Path) -> Iterator[Check]:
    """There is room where the project is."""
    free = shutil.disk_usage(folder).free
    text = f"{size(free)} free at {folder}"
    if free < _DISK_FAIL:
        yield Check("machine", "disk", FAIL, text, "free some space there (see `df -h`)")
    elif free < _DISK_WARN:
        yield Check("machine", "disk", WARNING, text, "free some space there (see `df -h`)")
    else:
        yield Check("machine", "disk", PASS, text)


def memory() -> Iterator[Check]:
    """There is memory for Dagster's processes."""
    import psutil

    available = psutil.virtual_memory().available
    status = WARNING if available < _MEMORY_WARN else PASS
    fix = "close something large" if status == WARNING else None
    yield Check("machine", "memory", status, f"{size(available)} available", fix)


def loopback() -> Iterator[Check]:
    """A process of this user can listen on 127.0.0.1 and be reached there."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=2):
        yield Check("machine", "loopback", PASS, "127.0.0.1 can be listened on and reached")


def proxies() -> Iterator[Check]:
    """A proxy in the environment does not catch requests to this machine."""
    names = [name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if os.environ.get(name)]
    exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if not names:
        return
    if exempt == "*" or "127.0.0.1" in exempt:
        yield Check("machine", "proxy", PASS, f"{names[0]} is set, 127.0.0.1 is exempt")
    else:
        yield Check(
            "machine",
            "proxy",
            WARNING,
            f"{names[0]} is set and 127.0.0.1 is not in no_proxy: clients may send local requests to the proxy",
            'export no_proxy="127.0.0.1,localhost,$no_proxy"',
        )


def temporary() -> Iterator[Check]:
    """Temporary files and sockets can be made."""
    with tempfile.TemporaryDirectory(prefix="floe-doctor-") as folder:
        path = Path(folder) / "s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        yield Check("machine", "sockets", PASS, f"Unix sockets can be made in {Path(folder).parent}")


def docker() -> Iterator[Check]:
    """Which container engine is there; only the Docker stacks need one."""
    from floe_dev.drivers.engine import find
    from floe_dev.errors import Code, FloeError

    try:
        endpoint = find()
    except FloeError as error:
        # Where there is none at all nothing is wrong; one that is stopped or closed is worth a hint.
        state = SKIPPED if error.code is Code.NO_ENGINE else WARNING
        yield Check("machine", "docker", state, f"{error.what} ({error.why}); the embedded stack needs none", error.fix)
        return
    yield Check("machine", "docker", PASS, f"{endpoint.origin}: an engine answers at {endpoint.url}")
