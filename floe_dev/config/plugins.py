"""Orchestrators, computes, catalogs and storages by name: whatever an installed distribution registers.

Floe's own are registered in the same way (pyproject.toml). A new one is one module and one entry point; it has to pass
the contract of its kind (floe_dev.testing.contracts).
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Literal

from floe_dev.errors import Code, FloeError, Where

Kind = Literal["orchestrators", "computes", "catalogs", "storages"]
#: Entry points of a kind are in the group `floe_dev.<kind>`.
GROUP = "floe_dev"


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted."""
    return sorted({point.name for point in entry_points(group=f"{GROUP}.{kind}")})


def load(kind: Kind, name: str, where: Where | None = None) -> Any:
    """The object registered as `name`.

    Raises FloeError 1501 where nothing is registered under that name, or its module cannot be imported; `where` is the
    line that asks for it.
    """
    found = next(iter(entry_points(group=f"{GROUP}.{kind}", name=name)), None)
    singular = kind.removesuffix("s")
    if found is None:
        known = names(kind)
        near = difflib.get_close_matches(name, known, 1)
        fix = f"write `{near[0]}`" if near else f"install a package that registers `{name}` in `{GROUP}.{kind}`"
        if not known:
            # floe_dev brings some of every kind, so this is an installation older than its source.
            fix = "install floe_dev again: pip install --force-reinstall --no-deps floe_dev, or make setup in a clone"
        raise FloeError(
            Code.NO_SUCH_PLUGIN,
            f"there is no {singular} `{name}`",
            why=f"installed are: {', '.join(known) or 'none'}",
            fix=fix,
            where=where,
        )
    try:
        return found.load()
    except ImportError as error:
        raise FloeError(
            Code.NO_SUCH_PLUGIN,
            f"the {singular} `{name}` cannot be loaded",
            why=str(error),
            fix=f"pip install {error.name or found.value.partition(':')[0].partition('.')[0]}",
            where=where,
        ) from error


def require_modules(kind: Kind, name: str, modules: Sequence[str], extra: str, where: Where | None = None) -> None:
    """Raise FloeError 1501 unless each of `modules` is installed; `extra` is what pip installs them by."""
    missing = [module for module in modules if not _is_installed(module)]
    if missing:
        raise FloeError(
            Code.NO_SUCH_PLUGIN,
            f"the {kind.removesuffix('s')} `{name}` is not installed",
            why=f"there is no module {', '.join(missing)}",
            fix=f"pip install '{extra}'",
            where=where,
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False
