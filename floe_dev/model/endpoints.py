"""The endpoint truth table: which endpoint works from where, and the setting to change where it does not."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from floe_dev.model.base import Model

Vantage = Literal["host", "network"]
#: From where is asked: this machine, and inside the containers' network.
VANTAGES: tuple[Vantage, ...] = ("host", "network")
CellState = Literal["works", "fails", "skipped"]


class Cell(Model):
    """One endpoint asked from one place."""

    endpoint: str
    vantage: Vantage
    state: CellState
    #: The address that was asked, without anything secret in it.
    address: str = ""
    milliseconds: float | None = None
    #: What was answered where it fails; why nothing was asked where it is skipped.
    reason: str = ""
    #: The setting to change.
    setting: str = ""


class EndpointTable(Model):
    """Every cell, by endpoint in the order in which one failing explains the next."""

    principal: str
    cells: tuple[Cell, ...] = ()
    #: Seconds that each server's clock is ahead of this machine's, by what it is.
    skew_seconds: dict[str, float] = Field(default_factory=dict)

    def cell(self, endpoint: str, vantage: str) -> Cell | None:
        """The cell of `endpoint` from `vantage`, None where there is none."""
        return next((c for c in self.cells if c.endpoint == endpoint and c.vantage == vantage), None)

    @property
    def endpoints(self) -> list[str]:
        """Every endpoint once, in order."""
        return list(dict.fromkeys(cell.endpoint for cell in self.cells))

    @property
    def failing(self) -> tuple[Cell, ...]:
        """The cells that fail."""
        return tuple(cell for cell in self.cells if cell.state == "fails")
