"""Have the programs that some tests hold floe's files and driver against, and are skipped without.

Docker's Compose and actionlint are compiled, with the Go of the wheel that MinIO's image is compiled with, so nothing
is installed on this machine for them; they are kept in .venv, where the tests find them. Podman is Debian's and is
installed where this is root. Takes some minutes, once. Exit code 3, with the reason on standard error, where one
cannot be had.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from floe_dev.drivers.images import packages
from floe_dev.drivers.images.recipes import GO
from floe_dev.errors import FloeError
from scripts import engine

#: Name in .venv/bin -> Go module. Of Compose the last release whose module can be installed by its name (later ones
#: exclude modules, which Go refuses then).
COMPILED = {
    "docker-compose": "github.com/docker/compose/v2/cmd@v2.32.4",
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
}
BIN = Path(sys.prefix) / "bin"
#: What Podman needs here for the init process of a container and for the names of containers in a network.
PODMAN = ("podman", "catatonit", "netavark", "aardvark-dns")
NOT_MADE = 3
_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> int:
    """The exit code."""
    failures: list[Exception] = []
    missing = [name for name in COMPILED if not is_there(name)]
    try:
        if missing:
            compile_all(missing)
    except (FloeError, OSError) as error:
        failures.append(error)
    try:
        if shutil.which("podman") is None:
            install_podman()
    except (OSError, subprocess.CalledProcessError) as error:
        failures.append(error)
    for failure in failures:
        print(f"programs: {failure}", file=sys.stderr)  # noqa: T201
    return NOT_MADE if failures else 0


def is_there(name: str) -> bool:
    """Whether it was made before or is installed here; Compose may be Docker's plugin too."""
    if (BIN / name).exists() or shutil.which(name):
        return True
    plugin = ["docker", "compose", "version"]
    return (
        name == "docker-compose"
        and shutil.which("docker") is not None
        and subprocess.run(plugin, capture_output=True, check=False).returncode == 0
    )


def compile_all(names: list[str]) -> None:
    """Compile these in a folder that is removed afterwards; raises FloeError or OSError."""
    # Go writes its modules read-only.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        packages.install([GO], folder / "site", _PROCESSORS.get(platform.machine(), platform.machine()))
        go = folder / "site" / "go"
        for program in [*(go / "bin").iterdir(), *(go / "pkg" / "tool").rglob("*")]:
            if program.is_file():
                program.chmod(0o755)
        places = {"GOPATH": folder / "path", "GOCACHE": folder / "cache", "GOBIN": folder / "bin"}
        environment = {**os.environ, **{key: str(value) for key, value in places.items()}, "GOFLAGS": "-modcacherw"}
        for made in names:
            module = COMPILED[made]
            command = [str(go / "bin" / "go"), "install", "-ldflags=-s -w", module]
            done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise OSError(f"{made}: {done.stderr.strip().splitlines()[-1]}")
            compiled = folder / "bin" / module.partition("@")[0].rpartition("/")[2]
            shutil.move(compiled, BIN / made)


def install_podman() -> None:
    """Debian's Podman; raises CalledProcessError or OSError."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise OSError("podman: install it with this system's package manager")
    engine.install(*PODMAN)


if __name__ == "__main__":
    sys.exit(main())
