"""The stacks of one test process: each opened at first use, all let go when the session ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from floe_dev.testing.stack import TestStack

EMBEDDED = "embedded"
#: What one of these stacks lacks is a reason to skip a test, not to fail it (FLOE2301 to 2303).
_MISSING = ("FLOE2301", "FLOE2302", "FLOE2303")


@dataclass(frozen=True)
class Settings:
    """The run's options and ini options."""

    #: The stack of tests that name none.
    stack: str = EMBEDDED
    #: The isolation of tests that name none.
    isolation: str = "catalog"
    #: A catalog that runs already.
    url: str | None = None
    keep: bool = False
    #: A missing engine or image fails a test instead of skipping it.
    strict: bool = False
    #: Where capsules of failed tests go; None: into the run's folder.
    capsules: Path | None = None
    make_capsules: bool = True
    #: Bytes of a capsule at most.
    capsule_bytes: int = 20_000_000


class Pool:
    """Stacks by name, and by test for those that want one of their own."""

    def __init__(self, folder: Callable[[], Path], settings: Settings) -> None:
        """`folder` tells the run's folder, common to all workers, at first use; nothing is started yet."""
        self._folder = folder
        self.settings = settings
        self._stacks: dict[str, TestStack] = {}
        self._open = contextlib.ExitStack()
        self._pid = os.getpid()

    @cached_property
    def folder(self) -> Path:
        """The run's own folder."""
        return self._folder()

    def stack(self, name: str | None = None) -> TestStack:
        """The shared stack `name`, started by the first process that asks.

        Raises pytest.skip.Exception where it needs what is not here (fails with `strict`), FloeError where it breaks.
        """
        wanted = name or self.settings.stack
        if wanted not in self._stacks:
            self._stacks[wanted] = self._enter(wanted, self._open)
        return self._stacks[wanted]

    @contextlib.contextmanager
    def own(self, name: str | None, label: str) -> Iterator[TestStack]:
        """A stack that nobody else uses."""
        with contextlib.ExitStack() as opened:
            yield self._enter(name or self.settings.stack, opened, label)

    def _enter(self, name: str, opened: contextlib.ExitStack, label: str = "") -> TestStack:
        from floe_dev.errors import FloeError
        from floe_dev.testing.stack import foreign_stack, shared_stack

        try:
            if self.settings.url is not None and not label:
                return opened.enter_context(foreign_stack(self.settings.url, self.folder / "foreign"))
            # The default stack's folder is the one that is told with --floe-keep.
            folder = self.folder if name == EMBEDDED and not label else self.folder / (label or name)
            return opened.enter_context(shared_stack(folder, name))
        except FloeError as error:
            if error.code.id in _MISSING:
                (pytest.fail if self.settings.strict else pytest.skip)(f'stack="{name}": {error}')
            raise

    def close(self) -> None:
        """Let go of every stack; a process forked off leaves that to the one it came from."""
        if self._pid == os.getpid():
            self._open.close()
            self._stacks.clear()
