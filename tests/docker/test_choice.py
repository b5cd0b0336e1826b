"""Which stack a project without one gets: by the engine and its images, told in one line, remembered, never silent."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from floe_dev.model.layout import Layout
from floe_dev.session import Session
from floe_dev.supervisor.choice import choose
from floe_dev.supervisor.state import StackState
from tests.cli.helpers import FLOE, environment, floe
from tests.cli.tiny import make_tiny
from tests.docker.registry import registry
from tests.drivers.helpers import free_port


def _lakehouse(root: Path, *images: str) -> None:
    """A `lakehouse` of the project's own, which goes before the bundled one."""
    (root / "stacks").mkdir(parents=True, exist_ok=True)
    services = "".join(f"  s{number}: {{image: '{image}'}}\n" for number, image in enumerate(images))
    (root / "stacks" / "lakehouse.yaml").write_text(f"x-floe: {{extends: embedded}}\nservices:\n{services}")


def _fresh(folder: Path) -> Path:
    """The tiny project, that never was up."""
    make_tiny(folder / "p")
    Layout(folder / "p").state_file.unlink()
    return folder / "p"


def test_everything_here_is_lakehouse(plain_engine: Any, base_image: str, tmp_path: Path) -> None:
    _lakehouse(tmp_path, base_image)
    choice = choose(tmp_path, {})
    assert choice.stack == "lakehouse"
    assert choice.line().startswith("stack: lakehouse (an engine answers and every image is here)")
    assert choice.command is None


def test_a_missing_image_is_embedded_and_the_one_command(plain_engine: Any, base_image: str, tmp_path: Path) -> None:
    _lakehouse(tmp_path, base_image, "127.0.0.1:1/none:1")
    choice = choose(tmp_path, {})
    assert (choice.stack, choice.command) == ("embedded", "floe images pull lakehouse")
    assert "1 of 2 images of `lakehouse` are not here: 127.0.0.1:1/none:1" in choice.line()
    _lakehouse(tmp_path, "floe/none:1", "127.0.0.1:1/none:1")
    assert choose(tmp_path, {}).command == "floe images build"


def test_no_engine_is_embedded_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lakehouse(tmp_path, "a:1")
    choice = choose(tmp_path, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert choice.stack == "embedded"
    assert "engine" in choice.line()
    assert choose(tmp_path, {"FLOE_STACK": "other"}).stack == "other"


def test_it_is_said_once_and_remembered(plain_engine: Any, tmp_path: Path) -> None:
    project = _fresh(tmp_path)
    _lakehouse(project, "127.0.0.1:1/none:1")
    env = {"FLOE_STACK": "", "XDG_STATE_HOME": str(tmp_path / "state")}
    try:
        first = floe("up", "--no-run", "--port", str(free_port()), cwd=project, env=env, timeout=200)
        assert first.returncode == 0, first.stderr
        assert first.stderr.count("stack: embedded (1 of 1 images of `lakehouse` are not here") == 1
        assert "floe images pull lakehouse" in first.stderr
        assert Session(project).automatic_choice() is None
        floe("down", cwd=project, env=env)
        again = floe("up", "--no-run", cwd=project, env=env, timeout=200)
        assert "stack: embedded" not in again.stderr
        floe("down", cwd=project, env=env)
        # Named, it is that or an error; never another one in silence.
        named = floe("up", "--stack", "lakehouse", "--no-run", cwd=project, env=env, timeout=200)
        assert named.returncode != 0
        assert "FLOE2303" in named.stderr
        assert "cannot be reached" in named.stderr
    finally:
        floe("down", "--volumes", cwd=project, env=env)


def test_a_key_starts_embedded_while_images_are_pulled(plain_engine: Any, tmp_path: Path) -> None:
    project = _fresh(tmp_path)
    env = {"FLOE_STACK": "", "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm"}
    with registry() as served:
        served.serve(layers=2, size=3_000_000)
        served.slow = 2.0
        _lakehouse(project, served.image())
        ours, theirs = pty.openpty()
        command = [str(FLOE), "up", "--no-run", "--detach", "--port", str(free_port())]
        with subprocess.Popen(
            command, cwd=project, env=environment(env), stdin=theirs, stdout=theirs, stderr=theirs
        ) as up:
            os.close(theirs)
            said, pressed, deadline = b"", False, time.monotonic() + 200
            while time.monotonic() < deadline:
                if select.select([ours], [], [], 0.2)[0]:
                    try:
                        part = os.read(ours, 65_536)
                    except OSError:
                        break
                    if not part:
                        break
                    said += part
                if not pressed and b" MB" in said and b"layers" in said:
                    os.write(ours, b"e")
                    pressed = True
            up.wait(20)
        os.close(ours)
    text = said.decode("utf-8", "replace")
    try:
        assert "press e to start `embedded` now instead" in text
        assert "stack: embedded (you pressed e)" in text
        assert up.returncode == 0, text[-2000:]
    finally:
        floe("down", "--volumes", cwd=project, env=env)


def test_each_stack_of_a_project_has_a_first_run_of_its_own() -> None:
    state = StackState(stack="embedded", first_run_done=True)
    moved = state.moved_to("minio")
    assert (moved.stack, moved.first_run_done) == ("minio", False)
    assert moved.moved_to("embedded").first_run_done
    assert state.moved_to("embedded") is state
    extending = state.moved_to("mine", same_tables=True)
    assert (extending.stack, extending.first_run_done) == ("mine", True)
