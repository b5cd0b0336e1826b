"""The Dagster side of a project: definitions from floe.yaml, and the pieces to write them by hand.

Names are imported when they are first used: importing dagster costs more than a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from floe_dev.orchestrators.dagster.definitions import build_definitions
    from floe_dev.orchestrators.dagster.resources import IcebergIOManager
    from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator

__all__ = ["FloeDbtTranslator", "IcebergIOManager", "build_definitions"]

_HOMES = {"build_definitions": "definitions", "FloeDbtTranslator": "translator", "IcebergIOManager": "resources"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
