"""Start real supervisors of small services in folders of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from floe_dev.drivers.markers import kill_marked, marked
from floe_dev.drivers.ports import is_free
from floe_dev.model.layout import Layout
from floe_dev.model.status import Event, StackStatus
from floe_dev.supervisor import client
from floe_dev.supervisor.lock import is_held, read_holder
from floe_dev.supervisor.paths import project_marker
from tests.drivers.helpers import free_port


def service(name: str, *options: str, **declared: Any) -> dict[str, Any]:
    """A Service as JSON: the test server with `options`, on a port of its own, known by its answers' header."""
    command = ["{python}", "-m", "tests.supervisor.server", "--port", "{port}", "--instance", "{instance}", *options]
    return {
        "name": name,
        "command": command,
        "port": free_port(),
        "probe": {"path": "/", "instance_header": "X-Floe-Instance"},
        **declared,
    }


class TinyStack:
    """One project with small services."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root)

    def declare(self, *services: dict[str, Any], **more: Any) -> None:
        (self.root / "tiny.json").write_text(json.dumps({"services": services, **more}))

    def up(self, **options: Any) -> list[Event]:
        return list(client.start(self.root, client.StartOptions(**options)))

    def begin(self, **options: Any) -> Iterator[Event]:
        return client.start(self.root, client.StartOptions(**options))

    def down(self) -> list[Event]:
        return list(client.down(self.root))

    def status(self) -> StackStatus | None:
        return client.status(self.root)

    def port(self, name: str) -> int:
        return json.loads(self.layout.state_file.read_text())["ports"][name]  # type: ignore[no-any-return]

    def pid(self, name: str) -> int:
        status = self.status()
        assert status is not None
        found = {s.name: s.pid for s in status.services}[name]
        assert found is not None
        return found

    def processes(self) -> list[int]:
        """Every process of any start of this project."""
        return marked(project_marker(self.root))

    def supervisor_pid(self) -> int:
        holder = read_holder(self.layout)
        assert holder is not None
        return holder.pid

    def kill_supervisor(self) -> None:
        os.kill(self.supervisor_pid(), signal.SIGKILL)

    def assert_gone(self, seconds: float = 5.0) -> None:
        """No process, lock, socket or open port of it is left."""
        give_up = time.monotonic() + seconds
        while self.processes() or is_held(self.layout):
            assert time.monotonic() < give_up, f"left: {self.processes()}, lock held: {is_held(self.layout)}"
            time.sleep(0.02)
        holder = read_holder(self.layout)
        assert holder is None or not Path(holder.socket).exists()
        if self.layout.state_file.exists():
            ports = json.loads(self.layout.state_file.read_text())["ports"]
            assert [name for name, port in ports.items() if not is_free(port)] == []

    def clean(self) -> None:
        """Whatever a failed test left."""
        if is_held(self.layout):
            self.kill_supervisor()
        kill_marked(project_marker(self.root))


def fetch(port: int, path: str = "/") -> str:
    """What the test server on `port` answers: its pid."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


def start_elsewhere(root: Path, **options: Any) -> subprocess.Popen[bytes]:
    """The same `up` in a process of its own, which prints a line for each event."""
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from floe_dev.errors import FloeError\n"
        "from floe_dev.supervisor import client\n"
        "client.SUPERVISOR = 'tests.supervisor.tiny'\n"
        "try:\n"
        "    for event in client.start(Path(sys.argv[1]), client.StartOptions(**json.loads(sys.argv[2]))):\n"
        "        print(event.kind, event.name, event.data.get('state', ''), flush=True)\n"
        "except FloeError as error:\n"
        "    print('error', error.code.id, error, flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(root), json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
