"""What every part of the app stands on: each new State goes to the screen that is seen, work goes to threads."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.model.backend import Backend
from floe_dev.model.state import RunView, State
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.dialogs import ConfirmScreen
from floe_dev.tui.lists import run_title
from floe_dev.tui.text import inert
from floe_dev.tui.typeahead import TypeAheadApp

R = TypeVar("R")

#: The name of a thread that fetches or does something for a screen.
WORK = "floe-dashboard-work"
#: Seconds that changes are gathered before they are drawn.
_GATHER_SECONDS = 0.08
#: Ages ("5 s") are drawn anew this often.
_TICK_SECONDS = 5.0


class CoreApp(TypeAheadApp):
    """Shows one backend."""

    def __init__(self, backend: Backend, *, read_only: bool = False, notify_by: str = "bell") -> None:
        """`notify_by` is bell, desktop or off: how the terminal tells of a run that ended."""
        self.backend = backend
        self.read_only = read_only
        super().__init__()
        self._notify_by = notify_by
        #: A command, `floe …`, as it runs in any shell.
        self.portable: Callable[[str], str] = lambda text: text
        self._pending = False
        self._frozen = False
        self._end: Callable[[], None] = lambda: None
        self._runs: dict[str, str] = {}

    def on_mount(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            if not self._pending:
                self._pending = True
                _soon(loop, self.call_later, self._gather)

        self._end = self.backend.subscribe(changed)
        # After Ctrl-Z and `fg` the terminal is empty, and only what changes would be drawn.
        self.app_resume_signal.subscribe(self, lambda _app: self.refresh(layout=True))
        self.set_interval(_TICK_SECONDS, self._tick)
        self._watch_runs(self.backend.state)

    def on_unmount(self) -> None:
        """Listen no more."""
        self._end()

    def _gather(self) -> None:
        self.set_timer(_GATHER_SECONDS, self._apply)

    def _tick(self) -> None:
        self._apply()
        if isinstance(self.screen, FloeScreen):
            self.screen.tick()
        self._freeze()

    def _freeze(self) -> None:
        """Leave what stays out of Python's garbage collection, which makes a key wait 40 ms where the State is large.

        When all is loaded and only the lowest screen is there: what comes later must be found when it is garbage.
        """
        if not self._frozen and len(self.screen_stack) == 1 and self.backend.state.loaded:
            self._frozen = True
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def hold(self) -> None:
        """Leave what a screen has just loaded out of it too, until only the lowest screen is there again."""
        self._frozen = False
        gc.freeze()

    def _apply(self) -> None:
        self._pending = False
        self.take(self.backend.state)

    def take(self, state: State) -> None:
        """A newer State is there."""
        self._watch_runs(state)
        if (screen := self.screen_below) is not None:
            screen.renew()

    def _watch_runs(self, state: State) -> None:
        """Tell of runs that ended since the last look."""
        for run in state.runs.items:
            before = self._runs.get(run.run_id)
            self._runs[run.run_id] = run.status
            if before is not None and before != run.status and run.over:
                self._tell_run(run)

    def _tell_run(self, run: RunView) -> None:
        what = inert(run_title(run))
        # A notification would only cover what the run's own screen says of it.
        watched = self.floe_screen is not None and self.floe_screen.shows_run(run.run_id)
        if run.status == "failure":
            text = f"✗ the run of {what} failed"
            if not watched:
                self.notify(f"{text}: press ! to see why", severity="error", timeout=10, markup=False)
        else:
            word = "was canceled" if run.status == "canceled" else "is done"
            text = f"✓ the run of {what} {word}"
            if not watched:
                self.notify(text, markup=False)
        self._ring(text, failed=run.status == "failure")

    def _ring(self, text: str, *, failed: bool) -> None:
        """The terminal's own notice: a bell for what failed, or its desktop notification (OSC 9) for every end."""
        if self._notify_by == "bell" and failed:
            self.bell()
        elif self._notify_by == "desktop" and self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]9;floe: {text}\x1b\\")

    def background(self, work: Callable[[], R], done: Callable[[Any], None]) -> None:
        """Do `work` in a thread of its own and give its answer, or its FloeError, to `done` here.

        A daemon thread, not a pool: a source that hangs keeps neither another one nor the end of the program waiting.
        """
        loop = asyncio.get_running_loop()

        def run() -> None:
            answer: R | FloeError
            try:
                answer = work()
            except FloeError as error:
                answer = error
            except Exception as error:  # noqa: BLE001 - shown on the screen it belongs to
                answer = FloeError(Code.INTERNAL, f"{type(error).__name__}: {error}", fix="floe doctor")
            _soon(loop, self.call_later, done, answer)

        threading.Thread(target=run, name=WORK, daemon=True).start()

    def act(
        self,
        command: commands.Command,
        question: Sequence[str] = (),
        done: Callable[[str | FloeError], None] | None = None,
        *,
        meanwhile: str = "",
    ) -> None:
        """Carry a command out, after asking where there is a question; never with --read-only.

        `meanwhile` is told of one that takes seconds.
        """
        if self.read_only:
            self.warn("the dashboard was started with --read-only")
            return
        if question:

            def answered(yes: bool | None) -> None:
                if yes:
                    self.act(command, done=done, meanwhile=meanwhile)

            self.push_screen(ConfirmScreen(question), answered)
            return

        def back(answer: str | FloeError) -> None:
            (done or self.told)(answer)

        if meanwhile:
            self.notify(meanwhile, markup=False)
        self.background(lambda: self.backend.send(command), back)

    def told(self, answer: str | FloeError) -> None:
        """What became of a command."""
        if isinstance(answer, FloeError):
            self.tell_error(answer)
        elif answer:
            self.notify(inert(answer), markup=False)

    def warn(self, text: str) -> None:
        """Why nothing happens."""
        self.notify(text, severity="warning", markup=False)

    def tell_error(self, error: FloeError) -> None:
        """An error as a notification: what, why, fix."""
        lines = [inert(error.what), *(inert(line) for line in (error.why or "").splitlines()[:6])]
        if error.fix:
            lines.append(f"fix: {inert(error.fix)}")
        self.notify("\n".join(lines), title=error.code.id, severity="error", timeout=12, markup=False)

    @property
    def floe_screen(self) -> FloeScreen | None:
        """The screen that is seen, unless a dialog lies over it, or the program is ending and there is none."""
        below = self.screen_below
        return below if self.screen_stack and self.screen_stack[-1] is below else None

    @property
    def screen_below(self) -> FloeScreen | None:
        """The screen that is seen, whatever dialogs lie over it."""
        return next((one for one in reversed(self.screen_stack) if isinstance(one, FloeScreen)), None)

    def close_dialogs(self) -> None:
        """Answer what lies over the screen with nothing: who chose something in the palette has gone on."""
        while self.floe_screen is None and self.screen_below is not None:
            self.pop_screen()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: object) -> None:
    """From any thread; nothing where the loop is closed, as it may be at any moment while a thread is still busy."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)
