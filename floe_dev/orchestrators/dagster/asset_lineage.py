"""OpenLineage events of Python assets: START with the step, COMPLETE with the materialization, FAIL with the failure.

dbt's nodes tell of themselves in their own process. Who reads what is what the definitions declare, whether the IO
manager or the asset's own code does the reading.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from floe_dev.tracing.lineage import Output, node_event
from floe_dev.tracing.record import record_lineage
from floe_dev.tracing.writes import take


@dataclass
class StepLineage:
    """The assets of one try of a step that have not been told of yet."""

    run_id: str
    #: Tells the tries of one step apart, since each is an OpenLineage run of its own.
    invocation: str
    #: Key `namespace/name` -> what it is made from, as tables.
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)


#: Step key -> the assets it makes and the tables each of them is made from. Filled when the definitions load.
_assets: dict[str, dict[str, tuple[str, ...]]] = {}
#: What dagster-dbt writes into the metadata of each of its assets begins with this.
_OF_DBT = "dagster_dbt/"


def register(definitions: Iterable[dg.Definitions]) -> None:
    """Remember who makes what in this process, which is also the one that runs them."""
    for each in definitions:
        for asset in each.assets or ():
            if isinstance(asset, dg.AssetsDefinition) and asset.is_executable and not _is_dbt(asset):
                _assets[asset.node_def.name] = {
                    _name(key): tuple(sorted(_table(_name(parent)) for parent in asset.asset_deps[key]))
                    for key in asset.keys
                }


@cache
def _register_project() -> None:
    """Register what the project's own definitions.py holds, which need not come from `build_definitions`.

    Dagster has loaded it in this process as a module; the folder is FLOE_PROJECT_DIR, as everywhere.
    """
    folder = os.environ.get("FLOE_PROJECT_DIR")
    if folder is None:
        return
    file = str(Path(folder) / "definitions.py")
    for module in [*sys.modules.values()]:
        if getattr(module, "__file__", None) == file:
            register(value for value in vars(module).values() if isinstance(value, dg.Definitions))


def _is_dbt(asset: dg.AssetsDefinition) -> bool:
    return any(key.startswith(_OF_DBT) for spec in asset.specs for key in spec.metadata)


def begin(run_id: str, step_key: str, number: int) -> StepLineage | None:
    """START for each asset of the step; None for a step whose assets are not known, such as dbt's."""
    _register_project()
    known = _assets.get(step_key)
    if known is None:
        return None
    step = StepLineage(run_id, f"{run_id}:{number}" if number > 1 else run_id, dict(known))
    for name, inputs in known.items():
        _tell("START", step, name, inputs, Output(_table(name)))
    return step


def materialized(step: StepLineage, name: str, metadata: Mapping[str, Any]) -> None:
    """COMPLETE for one asset, with what this process wrote into its table."""
    inputs = step.waiting.pop(name, ())
    rows = metadata.get("dagster/row_count")
    written = take(_table(name)) or Output(_table(name), rows=getattr(rows, "value", None))
    _tell("COMPLETE", step, name, inputs, written)


def failed(step: StepLineage, error: str, *, kind: str = "FAIL") -> None:
    """FAIL (or ABORT) for each asset of the step that was not made."""
    for name, inputs in step.waiting.items():
        _tell(kind, step, name, inputs, Output(_table(name)), error)
    step.waiting.clear()


def _tell(
    kind: str, step: StepLineage, name: str, inputs: tuple[str, ...], output: Output, error: str | None = None
) -> None:
    event = node_event(
        kind,
        node=name,
        run_id=step.run_id,
        invocation=step.invocation,
        integration="DAGSTER",
        resource="ASSET",
        inputs=inputs,
        outputs=[output],
        error=error,
    )
    record_lineage(event)


def _name(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def _table(name: str) -> str:
    return name.replace("/", ".")
