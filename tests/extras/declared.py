"""Whether an extra is installed as pyproject.toml declares it, with all that it needs at versions that agree."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement


def amiss(extra: str) -> list[str]:
    """Requirements, from the extra down, that what is installed does not meet."""
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    waiting = [("floe_dev", extra)]
    while waiting:
        package, wanted = waiting.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        for text in requires(package) or ():
            needed = Requirement(text)
            if needed.marker is not None and not needed.marker.evaluate({"extra": wanted}):
                continue
            try:
                there = version(needed.name)
            except PackageNotFoundError:
                found.append(f"{package} needs {needed}: not installed")
                continue
            if not needed.specifier.contains(there, prereleases=True):
                found.append(f"{package} needs {needed}: {there} is installed")
            waiting += [(needed.name, also) for also in ("", *needed.extras)]
    return found
