"""Where the dashboard's commands go, and which slices to look at again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.session import Session, UpOptions

Poke = Callable[..., None]
#: Writes a capsule with that title; its file. Given from outside, for capsules are made of more than the dashboard.
Export = Callable[[str], Path]
#: The slices that a command changes at once; a restarted service tells of itself.
_CHANGES: dict[type[commands.StackCommand], tuple[str, ...]] = {
    commands.FirstRun: ("runs", "assets"),
    commands.RestartService: (),
    commands.Materialize: ("runs", "assets"),
    commands.Backfill: ("runs", "assets", "automations"),
    commands.CancelBackfill: ("runs", "automations"),
    commands.Cancel: ("runs",),
    commands.Retry: ("runs", "assets"),
    commands.ToggleAutomation: ("automations",),
    commands.LaunchRequests: ("runs", "assets"),
    commands.Rollback: ("tables", "assets"),
}


class Sender:
    """Sends the commands of one session to its supervisor; with `read_only` it refuses all of them."""

    def __init__(self, session: Session, poke: Poke, *, read_only: bool, export: Export | None = None) -> None:
        """Nothing is done yet; `poke` asks for a fresh look at slices, by name."""
        self._session = session
        self._poke = poke
        self._read_only = read_only
        self._export = export

    def send(self, command: commands.Command) -> str:
        """Have a command carried out; one line on what was done. FLOE8101 where the dashboard only reads."""
        if self._read_only:
            raise FloeError(
                Code.DASHBOARD_READ_ONLY,
                "the dashboard was started with --read-only",
                fix="floe dashboard",
            )
        match command:
            case commands.StartStack(stack, platform, port, timeout):
                self._session.up(UpOptions(stack=stack, timeout=timeout, port=port, platform=platform))
                return "the stack is ready"
            case commands.StopStack():
                self._session.down()
                return "the stack is stopped; data stay"
            case commands.ExportCapsule(title):
                return self._capsule(title)
            case commands.FirstRun(always=False) if self._session.external:
                return ""
            case _:
                done = self._session.send(command)
                self._poke(*_CHANGES[type(command)])
                return done

    def _capsule(self, title: str) -> str:
        if self._export is None:
            raise FloeError(Code.DASHBOARD_READ_ONLY, "no capsule can be written here", fix="floe capsule create")
        try:
            return f"written: {self._export(title)}"
        except OSError as error:
            from floe_dev.config.machine import machine_error

            raise machine_error(error, self._session.layout.state_dir) from error
