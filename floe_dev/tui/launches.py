"""A run asked for here that Dagster has not shown yet: `u` right after `r` is the new run, not the old one."""

from __future__ import annotations

from collections.abc import Iterable

from floe_dev.model.state import State


class Launch:
    """One run asked for; `run_id` once the State has it."""

    def __init__(self, assets: Iterable[str], state: State) -> None:
        """`assets` are those it makes; the runs of `state` were there before."""
        self._assets = frozenset(assets)
        # The list of runs is short; an asset may know one that has left it.
        self._before = frozenset(
            (*(run.run_id for run in state.runs.items), *(asset.last_run for asset in state.assets.items))
        )
        self.run_id: str | None = None
        #: Whether Dagster refused it.
        self.refused = False

    def look(self, state: State) -> None:
        """Find its run among those of this state."""
        if self.run_id is None:
            self.run_id = next(
                (
                    run.run_id
                    for run in state.runs.items
                    if run.run_id not in self._before and self._assets & set(run.assets)
                ),
                None,
            )

    def comes_after(self, run_id: str | None, assets: Iterable[str]) -> bool:
        """Whether it makes one of these assets, and was asked for when `run_id` was there already."""
        return not self.refused and bool(self._assets & set(assets)) and (run_id is None or run_id in self._before)
