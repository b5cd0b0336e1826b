"""Schedules, sensors and backfills; one key turns one on or off."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.model.commands import ToggleAutomation
from floe_dev.model.state import AutomationView
from floe_dev.tui.grid import Grid
from floe_dev.tui.overview import ListScreen


class AutomationsScreen(ListScreen):
    """The list of automations."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "switch", "On/off", id="switch")]

    def __init__(self) -> None:
        """The list of that slice."""
        super().__init__("automations")

    def action_switch(self) -> None:
        """Turn the one under the cursor on or off."""
        item = self.grid.current if self.grid is not None else None
        if not isinstance(item, AutomationView):
            return
        if item.kind == "backfill":
            self.notify("a backfill cannot be turned on or off", severity="warning", markup=False)
            return
        self.floe.act(ToggleAutomation(item.name, item.kind, on=item.state == "off", selector=item.selector))

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        event.stop()
        item = event.item
        if isinstance(item, AutomationView) and item.error:
            self.notify(item.error[:600], title=item.name, severity="error", timeout=15, markup=False)
