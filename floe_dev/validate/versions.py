"""The parts are installed in versions that floe works with."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution, version

from floe_dev.validate.result import Findings, Subject, failed, ok


def check(name: str, _subject: Subject) -> Findings:
    """One finding for each package that is missing or does not fit."""
    count, wrong = unfitting()
    for text in wrong:
        yield failed(name, text, f"{sys.executable} -m pip install --upgrade floe_dev")
    if not wrong:
        yield ok(name, f"{count} packages in versions that fit")


def unfitting() -> tuple[int, list[str]]:
    """How many packages floe needs, and what is wrong with those that are missing or outside its bounds."""
    from packaging.requirements import Requirement

    wrong = []
    count = 0
    for line in distribution("floe_dev").requires or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} (needs {requirement.specifier})")
    return count, wrong
