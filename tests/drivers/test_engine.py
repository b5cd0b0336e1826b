"""Engines are found wherever people have them, and what is wrong with one that does not answer is said."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from floe_dev.drivers.engine import endpoints, find, knock
from floe_dev.errors import Code, FloeError


@contextmanager
def engine_at(path: Path, *, answer: bytes = b"HTTP/1.0 200 OK\r\n\r\nOK", mode: int = 0o777) -> Iterator[None]:
    """Something that answers as an engine does at a socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        # Relative, since a test's folder is longer than a socket's path may be.
        before = Path.cwd()
        os.chdir(path.parent)
        listener.bind(path.name)
        os.chdir(before)
        path.chmod(mode)
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(1024)
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Short: a Unix socket's path holds some hundred bytes.
    return Path(os.path.realpath(tmp_path_factory.mktemp("h")))


def _context(home: Path, name: str, host: str, *, current: bool = True) -> None:
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    if current:
        (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.mark.parametrize(
    ("place", "origin"),
    [
        (".docker/run/docker.sock", "Docker Desktop"),
        (".colima/default/docker.sock", "Colima (default)"),
        (".colima/work/docker.sock", "Colima (work)"),
        (".orbstack/run/docker.sock", "OrbStack"),
        (".rd/docker.sock", "Rancher Desktop"),
        ("run/docker.sock", "rootless Docker"),
        ("run/podman/podman.sock", "rootless Podman"),
        (".local/share/containers/podman/machine/podman.sock", "a Podman machine"),
    ],
)
def test_every_usual_socket_is_found(home: Path, place: str, origin: str) -> None:
    with engine_at(home / place):
        looked = {e.origin: e for e in endpoints({"XDG_RUNTIME_DIR": str(home / "run")}, home)}
        assert origin in looked
        seen = knock(looked[origin])
        assert (seen.state, seen.endpoint.url) == ("answers", f"unix://{home / place}")


def test_what_is_named_is_the_only_one_tried(home: Path) -> None:
    with engine_at(home / "own.sock"), engine_at(home / ".colima/default/docker.sock"):
        named = {"DOCKER_HOST": f"unix://{home / 'own.sock'}"}
        assert find(named, home).url == named["DOCKER_HOST"]
        with pytest.raises(FloeError) as caught:
            find({"DOCKER_HOST": f"unix://{home / 'none.sock'}"}, home)
    assert caught.value.code is Code.NO_ENGINE
    assert "the engine that DOCKER_HOST names does not answer" in str(caught.value)
    assert "none.sock" in str(caught.value)
    assert "unset DOCKER_HOST" in str(caught.value.fix)
    assert "--stack embedded" in str(caught.value.fix)


def test_the_chosen_context_is_followed(home: Path) -> None:
    _context(home, "colima", f"unix://{home / 'c.sock'}")
    with engine_at(home / "c.sock"):
        assert find({}, home).origin == "the Docker context `colima`"
    with pytest.raises(FloeError) as stopped:
        find({}, home)
    assert "the Docker context `colima`" in str(stopped.value)
    assert str(stopped.value.fix).startswith("colima start")


def test_a_context_by_variable_and_one_that_is_not_there(home: Path) -> None:
    _context(home, "far", "tcp://127.0.0.1:2375", current=False)
    assert find({"DOCKER_CONTEXT": "far"}, home).url == "tcp://127.0.0.1:2375"
    with pytest.raises(FloeError) as caught:
        find({"DOCKER_CONTEXT": "nowhere"}, home)
    assert "`nowhere` does not exist" in str(caught.value)
    assert caught.value.fix == "unset DOCKER_CONTEXT"


def test_a_stopped_engine_is_told_with_the_command_that_starts_it(home: Path) -> None:
    path = home / "podman.sock"
    with engine_at(path):
        pass
    with pytest.raises(FloeError) as caught:
        find({"DOCKER_HOST": f"unix://{path}"}, home)
    assert "refused" in str(caught.value)
    assert "podman" in str(caught.value.fix)
    with engine_at(home / "odd.sock", answer=b"SSH-2.0\r\n"), pytest.raises(FloeError) as odd:
        find({"DOCKER_HOST": f"unix://{home / 'odd.sock'}"}, home)
    assert "does not speak the Docker API" in str(odd.value)


_AS_NOBODY = """
import os, sys
sys.path[:0] = {path!r}
import floe_dev.drivers.engine as engine, grp
from floe_dev.errors import FloeError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    engine.find({{"DOCKER_HOST": {host!r}}})
except FloeError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_closed_socket_names_the_group(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path("/tmp") / f"floe-closed-{os.getpid()}"
    folder.mkdir(mode=0o755)
    path = folder / "d.sock"
    try:
        with engine_at(path, mode=0o660):
            gid = next(g for g in __import__("grp").getgrall() if g.gr_gid != 0).gr_gid
            os.chown(path, 0, gid)
            code = _AS_NOBODY.format(path=sys.path, host=f"unix://{path}")
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        path.unlink(missing_ok=True)
        folder.rmdir()
    import grp

    assert "FLOE2302" in done.stdout, done.stderr
    assert f"sudo usermod -aG {grp.getgrgid(gid).gr_name} $USER" in done.stdout
