"""Whether dbt models can be built by partition: decided on the manifest, before anything runs.

A run of one partition must leave exactly that partition's rows, however often it is repeated and whatever the source
has lost or gained since. dbt's configuration of the model says whether it does; its SQL is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from floe_dev.model.project import Partitions

#: From fine to coarse; a partition must hold whole batches.
_GRAINS = ("hour", "day", "week", "month", "year")
_GRAIN_OF = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
#: What holds no rows of its own.
_ROWLESS = ("view", "ephemeral")


def misalignments(
    nodes: Iterator[Mapping[str, Any]], partitions: Partitions
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each model that cannot be built by `partitions`, with the reason."""
    for node in nodes:
        if node.get("resource_type") in ("model", "snapshot", "seed"):
            why = misalignment(node, partitions)
            if why is not None:
                yield node, why


def misalignment(node: Mapping[str, Any], partitions: Partitions) -> str | None:
    """Why this node of the manifest cannot be built by `partitions`; None where it can."""
    config = node.get("config") or {}
    materialized = config.get("materialized")
    if node.get("resource_type") in ("seed", "snapshot"):
        return f"a {node['resource_type']} is always built whole"
    if materialized in _ROWLESS:
        return None
    if materialized != "incremental":
        return f"it is materialized as {materialized}: a run of one partition would replace all the others' rows"
    strategy = config.get("incremental_strategy") or "append"
    match strategy:
        case "microbatch":
            return _microbatch(config, partitions)
        case "delete+insert":
            return _delete_insert(config)
        case "append":
            return "the strategy append adds the rows of a partition again each time the partition is run"
        case _:
            return f"the strategy {strategy} keeps rows of the partition that its source has lost meanwhile"


def _microbatch(config: Mapping[str, Any], partitions: Partitions) -> str | None:
    if partitions.type == "static":
        return "microbatches are cut by time, static partitions are not"
    grain, batch = _GRAIN_OF[partitions.type], str(config.get("batch_size") or "day")
    if batch not in _GRAINS or _GRAINS.index(batch) > _GRAINS.index(grain):
        return f"its batch_size is {batch}, longer than a partition ({partitions.type}): a run would rewrite others too"
    if batch == "day" and (partitions.timezone or "UTC") != "UTC":
        return f"dbt cuts batches of a day in UTC, the partitions begin at midnight in {partitions.timezone}"
    return None


def _delete_insert(config: Mapping[str, Any]) -> str | None:
    event_time = config.get("event_time")
    if not event_time:
        return "its config has no `event_time`: nothing says which column holds the partition"
    keys = config.get("unique_key") or ()
    keys = [keys] if isinstance(keys, str) else list(keys)
    if [key.lower() for key in keys] == [str(event_time).lower()]:
        return None
    return (
        f"its unique_key is {', '.join(keys) or 'not set'}, not the partition's column {event_time}: "
        "rows that the source has lost would stay"
    )
