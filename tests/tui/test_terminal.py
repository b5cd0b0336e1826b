"""The dashboard in a real terminal: what a user, a window manager and a clipboard do to it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from floe_dev.config.bundled import bundled
from floe_dev.session import Session
from tests.cli.tiny import FLOE_YAML, PLATFORM_YAML
from tests.tui.terminal import RESTORED, Terminal

Open = Callable[..., Terminal]


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Open]:
    """Opens dashboards on a project whose stack is down; none is left behind."""
    root = tmp_path / "shop"
    root.mkdir()
    root.joinpath("floe.yaml").write_text(FLOE_YAML)
    root.joinpath("platform.yaml").write_text(PLATFORM_YAML)
    opened: list[Terminal] = []

    def start(size: tuple[int, int] = (100, 30), environment: Mapping[str, str] | None = None) -> Terminal:
        places = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        terminal = Terminal(["dashboard"], root, size, {**places, **(environment or {})})
        opened.append(terminal)
        return terminal

    yield start
    for one in opened:
        one.end()


def assert_clean(terminal: Terminal) -> None:
    for sequence in RESTORED:
        assert terminal.output.rindex(sequence) > terminal.output.rindex(b"\x1b[?1049h")
    assert b"Traceback" not in terminal.output


def test_it_offers_to_start_the_stack_and_leaves_on_q(dashboard: Open) -> None:
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    assert terminal.ended() == 0
    assert_clean(terminal)
    assert b"the stack is not running; start it with" in terminal.output


def test_ctrl_c_leaves_and_the_terminal_is_restored(dashboard: Open) -> None:
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    terminal.write(b"\x03")
    assert terminal.ended() == 0
    assert_clean(terminal)


def test_ctrl_z_stops_it_and_it_comes_back(dashboard: Open) -> None:
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    terminal.write(b"\x1a")
    assert terminal.stopped()
    assert_clean(terminal)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    assert terminal.ended() == 0
    assert_clean(terminal)


@pytest.mark.parametrize("inherited", [signal.SIG_DFL, signal.SIG_IGN], ids=["hang-ups end", "hang-ups ignored"])
def test_a_closed_terminal_ends_it(dashboard: Open, inherited: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, inherited)
    terminal = dashboard()
    signal.signal(signal.SIGHUP, before)
    terminal.wait_for(b"press S to start it")
    terminal.close()
    give_up = time.monotonic() + 60
    while os.waitpid(terminal.pid, os.WNOHANG)[0] == 0:
        assert time.monotonic() < give_up, "it lives on without a terminal"
        time.sleep(0.05)
    terminal.pid = 0


def test_a_storm_of_sizes_ends_in_a_screen_of_the_last_one(dashboard: Open) -> None:
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    for number in range(150):
        terminal.resize(20 + number * 7 % 190, 5 + number * 5 % 60)
        terminal.read(0.005)
    terminal.resize(40, 10)
    terminal.wait_for(b"too small")
    terminal.resize(120, 40)
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    assert terminal.ended() == 0
    assert_clean(terminal)


def test_what_is_pasted_into_the_filter_is_text_not_keys(dashboard: Open) -> None:
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    terminal.write(b"/")
    terminal.wait_for(b"column:word")
    terminal.write(b"\x1b[200~orders\nq\x1b[31mQy\x07\x1b[201~")
    terminal.wait_for(b"orders")
    terminal.read(0.5)
    assert os.waitpid(terminal.pid, os.WNOHANG) == (0, 0), "the q of the paste was a key"
    terminal.write(b"\x1b")
    terminal.read(0.5)
    terminal.write(b"q")
    assert terminal.ended() == 0
    assert_clean(terminal)


def test_sixteen_colours_are_enough(dashboard: Open) -> None:
    terminal = dashboard(environment={"TERM": "screen"})
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    terminal.ended()
    assert not re.search(rb"\x1b\[[0-9;]*[34]8;[25];", terminal.output)
    # The keys in cyan and the panel with the focus in yellow: colours that the sixteen have, and not the nearest grey.
    colours = set(re.findall(rb"\x1b\[(?:[0-9;]*;)?((?:3|9)[0-7])[;m]", terminal.output))
    assert colours & {b"36", b"96"}
    assert colours & {b"33", b"93"}


def test_no_color_has_no_colour(dashboard: Open) -> None:
    terminal = dashboard(environment={"NO_COLOR": "1", "COLORTERM": "truecolor"})
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    terminal.ended()
    greys = re.findall(rb"48;2;(\d+);(\d+);(\d+)", terminal.output)
    for red, green, blue in (*greys, *re.findall(rb"38;2;(\d+);(\d+);(\d+)", terminal.output)):
        assert red == green == blue
    # On black: in the greys of the dark look the row that is selected is not seen.
    assert (b"0", b"0", b"0") in greys


def test_settings_that_are_wrong_are_told_on_the_normal_screen(dashboard: Open, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "floe"
    folder.mkdir(parents=True)
    folder.joinpath("dashboard.yaml").write_text("notify: smoke signals\n")
    terminal = dashboard()
    assert terminal.ended() == 3
    assert b"FLOE8103" in terminal.output
    assert b"notify is one of bell, desktop, off" in terminal.output
    folder.joinpath("dashboard.yaml").write_text("notify: off\nkeys: {leave: f10}\n")
    terminal = dashboard()
    terminal.wait_for(b"press S to start it")
    terminal.write(b"q")
    terminal.read(0.5)
    terminal.write(b"\x1b[21~")
    assert terminal.ended() == 0


@pytest.mark.stack
def test_a_service_that_ends_at_the_start_shows_its_last_words_and_the_fix(tmp_path: Path) -> None:
    """A user's own stack, with a service that gives up: the start stays on the screen and says why."""
    root = tmp_path / "shop"
    root.joinpath("stacks").mkdir(parents=True)
    root.joinpath("floe.yaml").write_text(FLOE_YAML)
    root.joinpath("platform.yaml").write_text(PLATFORM_YAML)
    root.joinpath("stacks", "mine.yaml").write_text(
        bundled("stacks").joinpath("embedded.yaml").read_text().replace("name: embedded", "name: mine")
        + """  notifier:
    command: ["{python}", -c, "import sys; print('looking for the queue'); sys.exit('no queue at queue.internal')"]
    x-floe: {driver: process, port: 9471, probe: {path: /}}
"""
    )
    terminal = Terminal(["up", "--stack", "mine"], root, (100, 30), {"XDG_STATE_HOME": str(tmp_path / "state")})
    try:
        terminal.wait_for(b"no queue at queue.internal", 60)
        terminal.read(0.5)
        text = terminal.output
        for words in (b"notifier", b"looking for the queue", b"S tries again", b"floe logs notifier"):
            assert words in text, words
        terminal.write(b"q")
        assert terminal.ended() != 0
        assert_clean(terminal)
    finally:
        terminal.end()
        left = Session(root).status()
        Session(root).down()
    assert left is None, "what was started is stopped"
