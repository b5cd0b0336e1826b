"""Make Docker's Compose from source, to hold the stack files against it where its plugin is not installed.

Go comes from the wheel that MinIO's image is compiled with, so nothing is installed on this machine. The program is
kept in .venv, where the tests find it; exit code 3, with the reason on standard error, where it cannot be made. It
takes some minutes, once.
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

#: The last release whose module can be installed by its name (later ones exclude modules, which Go refuses then).
MODULE = "github.com/docker/compose/v2/cmd@v2.32.4"
PROGRAM = Path(sys.prefix) / "bin" / "docker-compose"
NOT_MADE = 3
_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> int:
    """The exit code."""
    plugin = ["docker", "compose", "version"]
    if shutil.which("docker") and subprocess.run(plugin, capture_output=True, check=False).returncode == 0:
        return 0
    if not PROGRAM.exists():
        try:
            make()
        except (FloeError, OSError) as error:
            print(f"compose: not made: {error}", file=sys.stderr)  # noqa: T201
            return NOT_MADE
    return 0


def make() -> None:
    """Compile it in a folder that is removed afterwards; raises FloeError or OSError."""
    # Go writes its modules read-only.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        packages.install([GO], folder / "site", _PROCESSORS.get(platform.machine(), platform.machine()))
        go = folder / "site" / "go"
        for program in [*(go / "bin").iterdir(), *(go / "pkg" / "tool").rglob("*")]:
            if program.is_file():
                program.chmod(0o755)
        places = {"GOPATH": folder / "path", "GOCACHE": folder / "cache", "GOBIN": folder / "bin"}
        environment = {**os.environ, **{key: str(value) for key, value in places.items()}, "GOFLAGS": "-modcacherw"}
        command = [str(go / "bin" / "go"), "install", "-ldflags=-s -w", MODULE]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(done.stderr.strip().splitlines()[-1])
        shutil.move(folder / "bin" / "cmd", PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
