"""The dashboard's app: its keys, its help, its looks; what they do is in the classes it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from floe_dev.model.backend import Backend
from floe_dev.model.commands import StartStack
from floe_dev.tui.detail import DetailScreen
from floe_dev.tui.dialogs import HelpScreen
from floe_dev.tui.grid import Grid
from floe_dev.tui.offered import offered
from floe_dev.tui.overview import OverviewScreen
from floe_dev.tui.palette import ItemProvider
from floe_dev.tui.starting import Starting
from floe_dev.tui.themes import OWN, THEMES

#: Textual's own bindings that mean nothing here: the grids never scroll sideways.
_SIDEWAYS = ("scroll_left", "scroll_right", "page_left", "page_right", "scroll_home", "scroll_end")
_NOT_HELPFUL = (*_SIDEWAYS, "screen.copy_text", "quit")


class DashboardApp(Starting):
    """The whole of it. Its result is `left` (the stack stays), `stopped`, or `gave-up` (the start was left)."""

    TITLE = "floe"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {ItemProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="help", tooltip="These keys"),
        Binding("q", "leave", "Leave", id="leave", tooltip="Leave; the stack stays up"),
        Binding(
            "ctrl+c",
            "interrupt",
            "Leave",
            show=False,
            priority=True,
            id="interrupt",
            tooltip="Leave; the stack stays up",
        ),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, id="suspend"),
        Binding("T,shift+t", "theme", "Next theme", key_display="T", show=False, id="theme"),
    ]

    def __init__(
        self,
        backend: Backend,
        *,
        read_only: bool = False,
        start: StartStack | None = None,
        theme: str = "dark",
        keys: Mapping[str, str] | None = None,
        notify_by: str = "bell",
        portable: Callable[[str], str] | None = None,
    ) -> None:
        """With `start` the stack is started first; `keys` maps the ids of bindings to other keys.

        `portable` makes of a command, `floe …`, one that runs in any shell, which is what is copied.
        """
        super().__init__(backend, read_only=read_only, notify_by=notify_by)
        self.portable = portable or self.portable
        self._start_first = start
        self._keys = dict(keys or {})
        self._first_theme = theme

    def get_default_screen(self) -> Screen[Any]:
        """The overview is at the bottom."""
        return OverviewScreen()

    def on_mount(self) -> None:
        """The wanted look and keys."""
        for theme in OWN:
            self.register_theme(theme)
        self.theme = THEMES[self._first_theme]
        if self._keys:
            self.set_keymap(self._keys)
        if self._start_first is not None:
            self.start_stack(self._start_first)

    def action_help(self) -> None:
        """The keys of this screen."""
        rows: dict[str, list[str]] = {}
        # What this screen can do comes before how one moves in it.
        for active in sorted(
            offered(self.screen, read_only=self.read_only), key=lambda one: isinstance(one.node, Grid)
        ):
            binding = active.binding
            if binding.action.startswith("tab_number("):
                rows.setdefault("The tab of that number", [f"1-{self._tabs}"])
            elif binding.description and binding.action not in _NOT_HELPFUL:
                keys = rows.setdefault(binding.tooltip or binding.description, [])
                keys.append(binding.key_display or self.get_key_display(binding))
        self.push_screen(HelpScreen([("  ".join(dict.fromkeys(keys)), text) for text, keys in rows.items()]))

    @property
    def _tabs(self) -> int:
        return self.screen.tabs if isinstance(self.screen, DetailScreen) else 0

    def action_theme(self) -> None:
        """The next of light, dark, high contrast, no colour."""
        names = list(THEMES.values())
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action with a key, in the palette, once; over a dialog those of the screen below it."""
        told: dict[str, list[str]] = {}
        actions: dict[str, tuple[str, Any]] = {}
        for active in offered(self.screen_below or screen, read_only=self.read_only):
            binding = active.binding
            if not binding.description or binding.action in (*_NOT_HELPFUL, "command_palette"):
                continue
            name = binding.tooltip or binding.description
            told.setdefault(name, []).append(binding.key_display or self.get_key_display(binding))
            actions[name] = (binding.action, active.node)
        for name, keys in told.items():
            action, node = actions[name]

            def run(action: str = action, node: Any = node) -> None:
                self.close_dialogs()
                self.call_later(self.run_action, action, node)

            yield SystemCommand(name, f"key {'  '.join(dict.fromkeys(keys))}", run)
