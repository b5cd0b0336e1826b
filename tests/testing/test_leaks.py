"""Sessions killed at random moments: after the next use no process, container, socket, port or directory is left.

A few by default; FLOE_LEAK_SESSIONS=100 for the whole, FLOE_LEAK_SEED=N for the same moments again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from floe_dev.drivers.ports import is_free
from floe_dev.errors import FloeError
from floe_dev.model.layout import Layout
from floe_dev.supervisor.lock import is_held, read_holder
from floe_dev.testing.container_keeper import LABEL
from tests.cli.helpers import FLOE, environment
from tests.cli.tiny import make_tiny
from tests.testing.test_plugin import eventually

SESSIONS = int(os.environ.get("FLOE_LEAK_SESSIONS", "6"))
SEED = int(os.environ.get("FLOE_LEAK_SEED", "0")) or random.randrange(1_000_000)
#: Of all sessions, those with the embedded catalog, with containers, and with a project's whole stack.
EMBEDDED, CONTAINERS, PROJECT = max(SESSIONS // 2, 1), max(SESSIONS // 6, 1), max(SESSIONS // 3, 1)
pytestmark = [pytest.mark.stack, pytest.mark.timeout(300 + 60 * SESSIONS)]

OPTIONS = ("-q", "--floe-capsule=no", *("-p", "no:cacheprovider"), *("-p", "no:asyncio"), *("-p", "no:randomly"))
SUITE = """
import pytest

@pytest.mark.parametrize("number", range(40))
def test_own(lakehouse, number):
    lakehouse.write("t", [{"id": number}])
"""


class Place:
    """A folder of one test's own that all its processes get as their home for state and temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "t"
        self.temporary.mkdir()
        self.environment = environment({"TMPDIR": str(self.temporary), "XDG_STATE_HOME": str(folder / "state")})
        self.environment.pop("XDG_RUNTIME_DIR", None)

    def processes(self) -> list[psutil.Process]:
        """Whatever runs with this folder in its command line or its variables."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                told = (*process.cmdline(), *process.environ().values())
                if process.pid != os.getpid() and any(str(self.folder) in text for text in told):
                    found.append(process)
        return found

    def assert_nothing_is_left(self) -> None:
        assert eventually(lambda: not self.processes(), 30), [process.cmdline() for process in self.processes()]
        assert not [one for one in psutil.net_connections("unix") if str(self.folder) in one.laddr]
        left = [path for path in self.folder.rglob("*") if path.is_socket() or path.match("floe/state-*")]
        assert left == []
        # The folder of sockets itself stays, as XDG_RUNTIME_DIR does.
        kept = {f"floe-{os.getuid()}"}
        assert {path.name for path in self.temporary.iterdir() if "pytest" not in path.name} <= kept


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()


#: From the session's process: what is to be killed, by a name and as processes.
Choose = Callable[[random.Random, psutil.Process], tuple[str, list[psutil.Process]]]


def _kill_at_random(
    place: Place, command: list[str], victims: Choose, moments: tuple[float, float], chance: random.Random
) -> str:
    """Start a session and kill what `victims` chooses; what is left of it is ended as a CI job's end would end it."""
    run = subprocess.Popen(
        command,
        cwd=place.folder,
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(chance.uniform(*moments))
    name = "nothing: it had ended"
    chosen: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        name, chosen = victims(chance, psutil.Process(run.pid))
    family = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(run.pid).children(recursive=True)
    for process in chosen:
        with contextlib.suppress(psutil.Error):
            process.kill()
    if run.poll() is None:
        run.send_signal(signal.SIGINT)
    try:
        run.wait(30)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
    for process in family:
        with contextlib.suppress(psutil.Error):
            # xdist's workers outlive a killed pytest; keepers and supervisors have to end by themselves.
            if "execnet" in " ".join(process.cmdline()):
                process.kill()
    return name


def _named(place: Place, text: str) -> list[psutil.Process]:
    found = []
    for process in place.processes():
        with contextlib.suppress(psutil.Error):
            if any(text in part for part in process.cmdline()):
                found.append(process)
    return found


def _of_pytest(place: Place) -> Choose:
    def choose(chance: random.Random, main: psutil.Process) -> tuple[str, list[psutil.Process]]:
        name = chance.choice(("pytest", "worker", "keeper", "all of them"))
        keepers = _named(place, "_dev.testing.") if name in ("keeper", "all of them") else []
        workers = [one for one in main.children(recursive=True) if one not in keepers]
        return name, {"pytest": [main], "worker": workers[:1], "keeper": keepers}.get(name, [main, *workers, *keepers])

    return choose


def _pytest(place: Place, *options: str) -> list[str]:
    (place.folder / "test_suite.py").write_text(SUITE)
    return [sys.executable, "-m", "pytest", *OPTIONS, f"--basetemp={place.folder / 'base'}", *options]


def _use_once_more(place: Place, command: list[str]) -> None:
    done = subprocess.run(command, cwd=place.folder, env=place.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _tell(killed: Counter[str]) -> None:
    """What was killed how often; pytest shows it with -rP."""
    sys.stdout.write(f"seed {SEED}: {dict(killed)}\n")


def test_sessions_of_pytest(place: Place) -> None:
    """Kills pytest, a worker, the catalog's keeper, or all of them."""
    chance, command = random.Random(SEED), _pytest(place, "-n2")
    killed = Counter(_kill_at_random(place, command, _of_pytest(place), (0.2, 4.0), chance) for _ in range(EMBEDDED))
    _use_once_more(place, [*command, "-k", "own and 0"])
    place.assert_nothing_is_left()
    _tell(killed)


@pytest.fixture
def engine() -> Any:
    from floe_dev.drivers.docker import connect, has_image
    from floe_dev.testing.containers import CATALOG_IMAGE, MINIO_IMAGE

    try:
        client = connect()
    except FloeError as error:
        pytest.skip(f"{error.what}: make test-docker")
    for image in (CATALOG_IMAGE, MINIO_IMAGE):
        if not has_image(client, image):
            pytest.skip(f"no image {image} here: floe images build")
    return client


def test_sessions_with_containers(place: Place, engine: Any) -> None:
    """Kills the same, or a container behind everybody's back."""
    from docker.errors import APIError

    command = _pytest(place, "--floe-stack=lakehouse-lite")

    def ours(kind: Any) -> list[Any]:
        found = (engine.containers if kind == "containers" else engine.networks).list(
            filters={"label": LABEL}, **({"all": True} if kind == "containers" else {})
        )
        return [each for each in found if str(place.folder) in json.dumps(each.attrs)]

    def choose(chance: random.Random, main: psutil.Process) -> tuple[str, list[psutil.Process]]:
        running = ours("containers")
        if running and chance.random() < 0.3:
            with contextlib.suppress(APIError):  # made and not running yet, or ended by its keeper meanwhile
                running[0].kill()
            return "container", []
        return _of_pytest(place)(chance, main)

    chance = random.Random(SEED + 1)
    killed = Counter(_kill_at_random(place, command, choose, (1.0, 14.0), chance) for _ in range(CONTAINERS))
    _use_once_more(place, [*command, "-k", "own and 0"])
    assert eventually(lambda: not ours("containers") and not ours("networks"), 30)
    place.assert_nothing_is_left()
    _tell(killed)


def test_sessions_of_a_project(place: Place) -> None:
    """Kills `floe up`, the supervisor, one of its services, or all of them."""
    root = make_tiny(place.folder / "my shop ü")

    def choose(chance: random.Random, main: psutil.Process) -> tuple[str, list[psutil.Process]]:
        name = chance.choice(("floe up", "supervisor", "service", "all of them"))
        supervisors = _named(place, "floe_dev.supervisor")
        others = [one for one in place.processes() if one not in (main, *supervisors)]
        chosen = {"floe up": [main], "supervisor": supervisors, "service": others and [chance.choice(others)]}
        return name, chosen.get(name, [main, *supervisors, *others])

    chance = random.Random(SEED + 2)
    up = [str(FLOE), "up", "--no-run", "--project", str(root)]
    killed = Counter(_kill_at_random(place, up, choose, (0.1, 6.0), chance) for _ in range(PROJECT))
    _use_once_more(place, up)
    layout = Layout(root)
    holder = read_holder(layout)
    assert holder is not None
    ports = json.loads(layout.state_file.read_text())["ports"]
    _use_once_more(place, [str(FLOE), "down", "--project", str(root)])
    place.assert_nothing_is_left()
    assert not is_held(layout)
    assert not Path(holder.socket).exists()
    assert [name for name, port in ports.items() if not is_free(port)] == []
    _tell(killed)
