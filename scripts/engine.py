"""Have a container engine for the tests: use the one that answers, else install and start Debian's.

Exit code 0: an engine answers, and its address is printed. 3: there is none and none can be had here; why is on
standard error. Needs nothing but Python. Started as root on Debian or Ubuntu it installs `docker.io` and starts
`dockerd` with its log in the temporary folder; on any other machine it only says what to do.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOCKET = Path("/var/run/docker.sock")
NONE = 3
#: Seconds for a daemon to answer.
START_SECONDS = 60


def say(text: str) -> None:
    """One line of narration."""
    print("engine: " + text, file=sys.stderr, flush=True)  # noqa: T201


def candidates() -> "list[Path]":
    """Where an engine's socket may be."""
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        return [Path(host[len("unix://") :])] if host.startswith("unix://") else []
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    home = Path.home()
    return [
        SOCKET,
        Path(runtime) / "docker.sock",
        home / ".docker" / "run" / "docker.sock",
        home / ".colima" / "default" / "docker.sock",
        Path(runtime) / "podman" / "podman.sock",
        Path("/run/podman/podman.sock"),
    ]


def answers(path: Path) -> bool:
    """Whether an engine answers at the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200" in client.recv(64)
        except OSError:
            return False


def found() -> str:
    """The address of the engine that answers; empty where none does."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        return host
    return next((f"unix://{path}" for path in candidates() if answers(path)), "")


def why_not() -> str:
    """Why none can be installed and started here; empty where it can."""
    if os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST is set and nothing answers there"
    if sys.platform != "linux":
        return "start Docker Desktop, Colima or a Podman machine, then run this again"
    if os.geteuid() != 0:
        return "only root can install and start one: sudo python3 scripts/engine.py"
    if shutil.which("dockerd") is None and shutil.which("apt-get") is None:
        return "install Docker with this system's package manager and start it"
    return ""


def install(*names: str) -> None:
    """Packages of Debian's, as root; raises CalledProcessError or OSError."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    say("installing " + " ".join(names))
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names],
    ):
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def start() -> bool:
    """Start the daemon, detached; whether it answers in time. Its log says why it does not."""
    log = Path(tempfile.gettempdir()) / "floe-dockerd.log"
    say(f"starting dockerd, its log is {log}")
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        if answers(SOCKET):
            return True
        time.sleep(0.1)
    for line in log.read_text(errors="replace").splitlines()[-5:]:
        say(line)
    return False


def main() -> int:
    """See the module."""
    address = found()
    if not address:
        reason = why_not()
        if reason:
            say("no engine answers: " + reason)
            return NONE
        try:
            if shutil.which("dockerd") is None:
                # The engine, what its networks need, and what floe's images are made from.
                install("docker.io", "iptables", "debootstrap")
        except (subprocess.CalledProcessError, OSError) as error:
            say(f"it cannot be installed: {error}")
            return NONE
        if not start():
            say("dockerd does not start here (a container without privileges?)")
            return NONE
        address = found()
    print(address)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
