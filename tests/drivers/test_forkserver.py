from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from floe_dev.drivers.forkrequest import SOCKET_VARIABLE, fork_module
from floe_dev.orchestrators.dagster.preload import LATER, PRELOAD
from tests.drivers.helpers import alive, eventually, number_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux only")


class Server:
    """A real fork server and the supervisor's end of its control socket."""

    def __init__(self, folder: Path, *preload: str, path: Path) -> None:
        self.folder = folder
        self.path = path
        ours, theirs = socket.socketpair()
        with (folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "floe_dev.drivers.forkserver", str(path), *preload],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(folder), "ONLY_SERVER": "yes"},
                start_new_session=True,
            )
        theirs.close()
        ours.settimeout(30)
        self.control = ours
        self.lines = ours.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.control.close()
        self.lines.close()
        self.process.kill()
        self.process.wait()

    def ask(self, module: str, *args: str, after: str | None = None, number: int = 1) -> None:
        request = {
            "op": "fork",
            "id": number,
            "module": module,
            "args": list(args),
            "env": {"PATH": os.environ["PATH"], "GIVEN": "wörld"},
            "cwd": str(self.folder),
            "log": str(self.folder / f"{module}.log"),
            "after": after,
        }
        self.control.sendall(json.dumps(request).encode() + b"\n")

    def told(self) -> dict[str, Any]:
        line = self.lines.readline()
        assert line, (self.folder / "server.log").read_text()
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a project with späce"
    folder.mkdir()
    programs = {
        "hello": """
            import atexit, os, sys, threading
            atexit.register(lambda: print("exit handlers run", flush=True))
            threading.Timer(0.3, lambda: print("threads are waited for", flush=True)).start()
            assert __name__ == "__main__"
            print(sys.argv[1:], os.environ.get("GIVEN"), os.environ.get("ONLY_SERVER"), os.getcwd() == sys.path[0])
            print(os.getsid(0) == os.getpid(), sys.stdin.read() == "", "gc", __import__("gc").isenabled(), flush=True)
            raise SystemExit(int(sys.argv[1]))
            """,
        "sleeper": """
            import os, sys, time
            open(sys.argv[1], "w").write(f"{os.getpid()}\\n")
            time.sleep(600)
            """,
        "broken": "raise RuntimeError('broken on import')",
        "slow": "import time; time.sleep(0.7)",
        "shared": "import os; LOADED_BY = os.getpid()",
        "asks": "import os, shared; print(shared.LOADED_BY != os.getpid())",
    }
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fs-") as short:
        yield Path(short) / "fork.sock"


def test_a_forked_program_runs_as_python_m_would_run_it(folder: Path, path: Path) -> None:
    with Server(folder, path=path) as server:
        server.ask("hello", "3")
        answer = server.told()
        assert answer["id"] == 1
        assert server.told() == {"exit": answer["pid"], "status": 3}
        assert (folder / "hello.log").read_text().splitlines() == [
            "['3'] wörld None True",
            "True True gc True",
            "threads are waited for",
            "exit handlers run",
        ]


def test_what_is_preloaded_is_shared_and_waited_for(folder: Path, path: Path) -> None:
    with Server(folder, "slow", "shared", path=path) as server:
        server.ask("asks", after="shared")
        pid = server.told()["pid"]
        assert server.told() == {"exit": pid, "status": 0}
        assert (folder / "asks.log").read_text() == "True\n"


def test_more_is_loaded_when_asked_for_and_what_does_not_wait_for_it_is_served_before(folder: Path, path: Path) -> None:
    with Server(folder, path=path) as server:
        server.control.sendall(json.dumps({"op": "load", "modules": ["slow", "shared"]}).encode() + b"\n")
        server.ask("asks", after="shared")
        pid = server.told()["pid"]
        assert server.told() == {"exit": pid, "status": 0}
        assert (folder / "asks.log").read_text() == "True\n"


def test_what_is_imported_before_forks_starts_no_thread() -> None:
    """No thread survives a fork: a library that has one ends the child with a signal."""
    imports = "".join(f"import {name}\n" for name in (*PRELOAD, *LATER))
    program = f"import os\n{imports}print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "1"


def test_a_module_that_fails_to_import_costs_only_those_who_need_it(folder: Path, path: Path) -> None:
    with Server(folder, "broken", "no_such_module_at_all", "shared", path=path) as server:
        server.ask("broken", after="broken")
        pid = server.told()["pid"]
        assert server.told() == {"exit": pid, "status": 1}
        assert "broken on import" in (folder / "broken.log").read_text()
        server.ask("asks", after="shared")
        assert "pid" in server.told()
        assert server.told()["status"] == 0


def test_a_killed_child_is_told_with_its_signal(folder: Path, path: Path) -> None:
    with Server(folder, path=path) as server:
        server.ask("sleeper", str(folder / "pid"))
        pid = server.told()["pid"]
        assert number_in(folder / "pid") == pid
        os.kill(pid, signal.SIGKILL)
        assert server.told() == {"exit": pid, "status": -signal.SIGKILL}


@pytest.mark.parametrize("how", ["kill -9", "closed"])
def test_children_end_with_their_server(folder: Path, path: Path, how: str) -> None:
    with Server(folder, path=path) as server:
        server.ask("sleeper", str(folder / "pid"))
        pid = server.told()["pid"]
        number_in(folder / "pid")
        if how == "closed":
            server.control.shutdown(socket.SHUT_RDWR)
        else:
            server.process.kill()
        server.process.wait(10)
        eventually(lambda: not alive(pid), "the child outlived its fork server")


def test_others_of_this_user_ask_over_the_socket_and_nonsense_costs_only_them(
    folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(folder, "shared", path=path) as server:
        eventually(path.exists, "no socket")
        assert path.stat().st_mode & 0o777 == 0o600
        for nonsense in (b"not json\n", b"[1]\n", b'"text"\n', b"{}" * 10):
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(str(path))
                other.sendall(nonsense)
        monkeypatch.setenv(SOCKET_VARIABLE, str(path))
        forked = fork_module("asks", [], environment={}, directory=folder, log=folder / "other.log", after="shared")
        assert forked.pid != server.process.pid
        assert forked.wait() == 0
        assert (folder / "other.log").read_text() == "True\n"
        server.ask("asks")
        assert "pid" in server.told()


def test_without_a_fork_server_the_request_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    with pytest.raises(OSError, match="no fork server"):
        fork_module("asks", [], environment={}, directory=tmp_path, log=tmp_path / "log")
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "nothing.sock"))
    with pytest.raises(OSError, match="No such file"):
        fork_module("asks", [], environment={}, directory=tmp_path, log=tmp_path / "log")
