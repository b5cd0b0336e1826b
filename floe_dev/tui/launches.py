"""Runs asked for here, before and after Dagster shows them: `u` right after `r` is the new run, not the old one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.notifications import Notification, Notify

from floe_dev.errors import FloeError
from floe_dev.model import commands
from floe_dev.model.backend import Backend
from floe_dev.model.state import State
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.core import CoreApp
from floe_dev.tui.join import Links
from floe_dev.tui.run import RunScreen
from floe_dev.tui.text import inert


class Launch:
    """One run asked for; `run_id` once the State has it."""

    def __init__(self, assets: Iterable[str], state: State) -> None:
        """`assets` are those it makes; the runs of `state` were there before."""
        self._assets = frozenset(assets)
        # The list of runs is short; an asset may know one that has left it.
        self._before = frozenset(
            (*(run.run_id for run in state.runs.items), *(asset.last_run for asset in state.assets.items))
        )
        #: None until it is found.
        self.run_id: str | None = None
        #: Whether Dagster refused it.
        self.refused = False

    def look(self, state: State) -> None:
        """Find its run among those of this state."""
        if self.run_id is None:
            self.run_id = next(
                (
                    run.run_id
                    for run in state.runs.items
                    if run.run_id not in self._before and self._assets & set(run.assets)
                ),
                None,
            )

    def over(self, state: State) -> bool:
        """Whether its run has ended."""
        return any(run.over for run in state.runs.items if run.run_id == self.run_id)

    def comes_after(self, run_id: str | None, assets: Iterable[str]) -> bool:
        """Whether it makes one of these assets, and was asked for when `run_id` was there already."""
        return not self.refused and bool(self._assets & set(assets)) and (run_id is None or run_id in self._before)


class Launching(CoreApp):
    """Asks for runs and opens them."""

    def __init__(self, backend: Backend, *, read_only: bool = False, notify_by: str = "bell") -> None:
        """As `CoreApp`; nothing was asked for yet."""
        super().__init__(backend, read_only=read_only, notify_by=notify_by)
        self._launch: Launch | None = None
        #: Takes away what is told of the launch.
        self._withdraw: Callable[[], None] = lambda: None
        #: The screen on which its run is waited for.
        self._waiting_on: FloeScreen | None = None

    def take(self, state: State) -> None:
        """Its run may be there, or over."""
        self._look(state)
        super().take(state)

    def start_run(self, command: commands.Materialize | commands.Retry, assets: tuple[str, ...]) -> None:
        """Ask for a run of these assets; from now on `u` on one of them is this run."""
        launch = Launch(assets, self.backend.state)

        def over(answer: str | FloeError) -> None:
            launch.refused = isinstance(answer, FloeError)
            # Whoever has pressed it already sees the run.
            waits = self._waiting_on is not None or isinstance(self.floe_screen, RunScreen)
            if isinstance(answer, FloeError) or waits:
                self.told(answer)
            else:
                self._tell(f"{inert(answer)}: press u to watch it")

        if not self.read_only:
            self._launch = launch
        self.act(command, done=over)

    def open_run(self, run_id: str) -> None:
        """The screen of a run."""
        self.push_screen(RunScreen(run_id))
        self._look(self.backend.state)

    def open_launched(self, links: Links) -> bool:
        """Open the run that was asked for last, if it is a newer one of what is selected, as soon as Dagster shows it.

        Not where the user has gone elsewhere meanwhile.
        """
        launch, screen = self._launch, self.floe_screen
        if launch is None or screen is None or not launch.comes_after(links.run, links.assets):
            return False
        if launch.run_id is not None:
            self.open_run(launch.run_id)
        elif self._waiting_on is not screen:
            self._waiting_on = screen
            self._tell("its run is opened as soon as Dagster has it")
            self._await()
        return True

    def _await(self) -> None:
        launch, screen = self._launch, self._waiting_on
        if launch is None or launch.refused or screen is None or self.floe_screen is not screen:
            self._waiting_on = None
            self._withdraw()
            return
        launch.look(self.backend.state)
        if launch.run_id is None:
            self.set_timer(0.1, self._await)
        else:
            self._waiting_on = None
            self.open_run(launch.run_id)

    def _look(self, state: State) -> None:
        """Find its run; nobody has to be told to watch one that is watched already, or over."""
        launch = self._launch
        if launch is None:
            return
        launch.look(state)
        screen = self.floe_screen
        watched = launch.run_id is not None and screen is not None and screen.shows_run(launch.run_id)
        if watched or launch.over(state):
            self._withdraw()

    def _tell(self, text: str) -> None:
        """A notice that stays no longer than it is of use."""
        self._withdraw()
        notice = Notification(text, timeout=self.NOTIFICATION_TIMEOUT)
        self.post_message(Notify(notice))

        def withdraw() -> None:
            # Its message may still be on the way: then it is too late by the time it arrives.
            notice.timeout = 0
            self._unnotify(notice)

        self._withdraw = withdraw
        self._look(self.backend.state)
