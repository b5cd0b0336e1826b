"""What a selection of assets means: with all upstream, with all downstream, and what can be made at all."""

from __future__ import annotations

from floe_dev.model.state import State


def closure(state: State, key: str, *, up: bool) -> tuple[str, ...]:
    """The asset with all that is made from it, or that it is made from; sources and partitioned ones are left out."""
    known = {asset.key: asset for asset in state.assets.items}
    below: dict[str, list[str]] = {}
    for asset in state.assets.items:
        for parent in asset.depends_on:
            below.setdefault(parent, []).append(asset.key)
    found = {key}
    todo = [key]
    while todo:
        one = todo.pop()
        near = (list(known[one].depends_on) if one in known else []) if up else below.get(one, [])
        for other in near:
            if other in known and other not in found:
                found.add(other)
                todo.append(other)
    return tuple(sorted(k for k in found if k in known and known[k].state != "source" and not known[k].partitioned))
