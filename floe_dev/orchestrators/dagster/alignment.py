"""Whether dbt models can be built by partition: decided on the manifest, before anything runs.

A run of one partition must leave exactly that partition's rows, however often it is repeated and whatever the source
has lost or gained since. dbt's configuration of the model says whether it does; its SQL is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from floe_dev.model.project import Partitions

#: From fine to coarse; a partition must hold whole batches.
_GRAINS = ("hour", "day", "week", "month", "year")
_GRAIN_OF = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
#: What dbt's Jinja calls the batch at hand: a model that names it may cut its rows itself.
_BATCH = "model.batch"
#: What holds no rows of its own.
_ROWLESS = ("view", "ephemeral")


def misalignments(
    manifest: Mapping[str, Any], ids: Iterable[str], partitions: Partitions
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each model of the manifest among `ids` that cannot be built by `partitions`, with the reason; in their order."""
    nodes = manifest["nodes"]
    known = {**manifest.get("sources", {}), **nodes}
    for unique_id in ids:
        node = nodes.get(unique_id, {})
        if node.get("resource_type") in ("model", "snapshot", "seed"):
            inputs = [known[each] for each in node.get("depends_on", {}).get("nodes", ()) if each in known]
            why = misalignment(node, inputs, partitions)
            if why is not None:
                yield node, why


def misalignment(node: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]], partitions: Partitions) -> str | None:
    """Why this node of the manifest, that reads `inputs`, cannot be built by `partitions`; None where it can."""
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
            return _microbatch(config, partitions) or _unfiltered(node, inputs)
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


def _unfiltered(node: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> str | None:
    """A batch is cut by the `event_time` of what the model reads, never by the model's own (dbt)."""
    if any((each.get("config") or {}).get("event_time") for each in inputs):
        return None
    if _BATCH in str(node.get("raw_code") or ""):
        return None
    return "nothing it reads has an `event_time` in its config: each of its batches would hold the rows of all of them"


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
