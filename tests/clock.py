"""A wall clock that jumps, in every Python process that is started after `Clock.install`; others keep theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

#: Python runs a module of this name before anything else. What counts seconds must not read this clock.
_SITECUSTOMIZE = """\
import os, time

_time, _time_ns, _file = time.time, time.time_ns, os.environ["TEST_CLOCK"]


def _jumped():
    with open(_file, "rb") as file:
        return float(file.read())


time.time = lambda: _time() + _jumped()
time.time_ns = lambda: _time_ns() + int(_jumped() * 1e9)
"""


@dataclass(frozen=True)
class Clock:
    """The clock and what a process needs in its environment to go by it."""

    folder: Path

    @classmethod
    def install(cls, folder: Path) -> Clock:
        """Write the clock into `folder`; it is right until it jumps."""
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        clock = cls(folder)
        clock.jump(0)
        return clock

    @property
    def environment(self) -> dict[str, str]:
        """The variables for processes that are to go by this clock."""
        path = os.pathsep.join(part for part in (str(self.folder), os.environ.get("PYTHONPATH", "")) if part)
        return {"PYTHONPATH": path, "TEST_CLOCK": str(self.folder / "offset")}

    def jump(self, seconds: float) -> None:
        """Set the clock to the right time plus `seconds`, at once and for all."""
        (self.folder / "new").write_text(str(seconds))
        (self.folder / "new").rename(self.folder / "offset")
