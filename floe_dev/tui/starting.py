"""Starting and stopping the stack, and leaving, which is not the same while a start goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from floe_dev.errors import FloeError
from floe_dev.model import commands
from floe_dev.model.backend import Backend
from floe_dev.tui.actions import Actions
from floe_dev.tui.dialogs import ConfirmScreen
from floe_dev.tui.startup import StartScreen

#: Actions on what is selected; nothing can be while the stack starts.
_ON_SELECTION = frozenset({"join", "materialize", "again", "cancel", "web"})


class Starting(Actions):
    """Knows whether a start that was asked for here goes on, whatever screen is seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S,shift+s", "start", "Start the stack", key_display="S", show=False, id="start"),
        Binding("Q,shift+q", "stop", "Stop the stack", key_display="Q", show=False, id="stop"),
    ]

    def __init__(self, backend: Backend, *, read_only: bool = False, notify_by: str = "bell") -> None:
        """As `CoreApp`; nothing is started yet."""
        super().__init__(backend, read_only=read_only, notify_by=notify_by)
        #: Why the stack did not start, where it was started here.
        self.start_error: FloeError | None = None
        #: What S does: after a start that failed, the same again.
        self._start = commands.StartStack()
        #: When the start that goes on was asked for, in seconds since the epoch.
        self._asked_at: float | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether the key of an action is one on the screen that is seen."""
        if action in _ON_SELECTION and isinstance(self.screen_below, StartScreen):
            return False
        return super().check_action(action, parameters)

    def action_start(self) -> None:
        """Start the stack and watch it come up."""
        if self.backend.state.stack.phase in ("ready", "degraded"):
            self.notify("the stack is running", markup=False)
        else:
            self.start_stack(self._start)

    def start_stack(self, command: commands.StartStack) -> None:
        """Start the stack, or go on with the start that goes on, on a screen of its own."""
        if self.read_only:
            self.act(command)
            return
        for old in [one for one in self.screen_stack if isinstance(one, StartScreen)]:
            old.pop_until_active()
            old.dismiss()
        self.push_screen(StartScreen(self._asked_at))
        if self._asked_at is not None:
            return
        self._start, self._asked_at = command, time.time()

        def over(answer: str | FloeError) -> None:
            self._asked_at = None
            self.start_error = answer if isinstance(answer, FloeError) else None
            screen = next((one for one in self.screen_stack if isinstance(one, StartScreen)), None)
            if screen is not None:
                screen.over(self.start_error)
            if screen is None or not isinstance(answer, FloeError):
                self.told(answer)
            if isinstance(answer, FloeError):
                return
            if command.first_run != "never":
                self.act(commands.FirstRun(always=command.first_run == "always"))
                # Asked for once: a stack that is started again later need not make everything anew.
                self._start = replace(command, first_run="auto")

        self.act(command, done=over)

    def action_stop(self) -> None:
        """Stop the stack and leave, after asking."""

        def over(answer: str | FloeError) -> None:
            self.told(answer)
            if not isinstance(answer, FloeError):
                self.exit("stopped")

        asking = ("Stop the stack and leave?", "runs that go on end; tables and history stay")
        self.act(commands.StopStack(), asking, over)

    def action_leave(self) -> None:
        """Leave; the stack stays up. A start that is not over ends with it, so that asks."""
        if not self._would_end_a_start:
            self.exit("left")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.action_interrupt()

        self.push_screen(ConfirmScreen(("Stop the start and leave?", "what was started so far is stopped")), answered)

    def action_interrupt(self) -> None:
        """Leave at once, as Ctrl-C does elsewhere."""
        self.exit("gave-up" if self._would_end_a_start else "left")

    @property
    def _would_end_a_start(self) -> bool:
        """Whether a start goes on that was begun here, and not elsewhere before: that one goes on without us."""
        if self._asked_at is None:
            return False
        stack = self.backend.state.stack
        elsewhere = stack.phase == "starting" and stack.started_at is not None and stack.started_at < self._asked_at
        return not elsewhere
