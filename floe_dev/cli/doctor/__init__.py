"""What `floe doctor` looks at: one module for each category of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from floe_dev.errors import FloeError

PASS, WARNING, FAIL, SKIPPED = "pass", "warning", "fail", "skipped"


@dataclass(frozen=True)
class Check:
    """One finding; `status` is pass, warning, fail or skipped, `fix` one command or edit."""

    category: str
    name: str
    status: str
    message: str
    fix: str | None = None


def guarded(category: str, name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks of `look`; an exception in it becomes a failed check, so that one defect hides no other finding."""
    try:
        yield from look()
    except FloeError as error:
        place = f" at {error.where}" if error.where else ""
        why = f" ({error.why})" if error.why else ""
        yield Check(category, name, FAIL, f"{error.code.id}: {error.what}{place}{why}", error.fix)
    except Exception as error:  # noqa: BLE001 - a doctor that dies of the illness helps nobody
        yield Check(category, name, FAIL, f"{type(error).__name__}: {error}")
