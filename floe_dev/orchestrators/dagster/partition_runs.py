"""Which runs a selection of assets needs: Dagster runs assets of one partitions definition at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from floe_dev.errors import Code, FloeError
from floe_dev.model.runs import AssetStatus

#: Dagster's tags of a run over partitions.
_ONE, _FIRST, _LAST = "dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class PlannedRun:
    """One run: the assets' keys, and the tags that name its partitions."""

    keys: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


def plan_runs(
    keys: Sequence[str],
    assets: Sequence[AssetStatus],
    partition: str | None,
    partition_keys: Callable[[str], Sequence[str]],
) -> list[PlannedRun]:
    """The runs that make `keys`, in an order in which everything is made before what needs it.

    `partition` is a key or `FIRST..LAST`; without it all partitions are made. `partition_keys` gives an asset's keys,
    first to last.

    Raises:
        FloeError: FLOE5101 if an asset has no such partition, or none of the assets has partitions.
    """
    chosen = {asset.key: asset for asset in assets if asset.key in set(keys)}
    if partition is not None and not any(asset.partitions for asset in chosen.values()):
        raise FloeError(
            Code.NO_SUCH_PARTITION,
            "none of the selected assets has partitions",
            why="`--partition` names partitions to make",
            fix="leave out --partition",
        )
    runs, made = [], set[str]()
    while len(made) < len(chosen):
        batch = max((_closure(chosen, made, kind) for kind in _kinds(chosen)), key=len)
        if not batch:  # a circle, which Dagster will name
            batch = set(chosen) - made
        representative = next((key for key in sorted(batch) if chosen[key].partitions), None)
        tags = _tags(representative, partition, partition_keys) if representative else {}
        runs.append(PlannedRun(tuple(sorted(batch)), tags))
        made |= batch
    return runs


def _kinds(chosen: Mapping[str, AssetStatus]) -> list[str | None]:
    return list(dict.fromkeys(asset.partitions for asset in chosen.values()))


def _closure(chosen: Mapping[str, AssetStatus], made: set[str], kind: str | None) -> set[str]:
    """All that one run can make next: assets without partitions and those of `kind` that wait for nothing else."""
    batch: set[str] = set()
    while True:
        ready = {
            key
            for key, asset in chosen.items()
            if key not in made
            and key not in batch
            and asset.partitions in (None, kind)
            and all(need in made or need in batch for need in asset.depends_on if need in chosen and need != key)
        }
        if not ready:
            return batch
        batch |= ready


def _tags(asset: str, partition: str | None, partition_keys: Callable[[str], Sequence[str]]) -> dict[str, str]:
    known = partition_keys(asset)
    first, last = (known[0], known[-1]) if partition is None and known else _bounds(partition or "")
    for key in (first, last):
        if key not in known:
            raise FloeError(
                Code.NO_SUCH_PARTITION,
                f"{asset} has no partition {key!r}",
                why=f"its partitions are {known[0]} to {known[-1]}" if known else "it has no partition yet",
                fix=f"floe run {asset} --partition {known[-1]}" if known else None,
            )
    return {_ONE: first} if first == last else {_FIRST: first, _LAST: last}


def _bounds(partition: str) -> tuple[str, str]:
    first, dots, last = partition.partition("..")
    # Dagster's UI writes three dots.
    return first.strip(), (last.removeprefix(".") if dots else first).strip()
