"""A command from its name: imported when it is asked for, with help that can be pasted."""

from __future__ import annotations

from importlib import import_module

import click

from floe_dev.cli.naming import localize
from floe_dev.cli.registry import COMMANDS


class LocalFormatter(click.HelpFormatter):
    """Help texts name floe as it must be typed here, like every other printed command."""

    def getvalue(self) -> str:
        """The whole text."""
        return localize(super().getvalue())


class FloeContext(click.Context):
    """click's context with help that can be pasted."""

    formatter_class = LocalFormatter


def load_command(name: str) -> click.Command:
    """Import and return the command `name`; its module holds it as `command`."""
    command = import_module(f"floe_dev.cli.commands.{COMMANDS[name].module}").command
    assert isinstance(command, click.Command)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        each.context_class = FloeContext
    return command
