"""What became of one run of assets."""

from __future__ import annotations

from pydantic import Field

from floe_dev.model.base import Model


class AssetFailure(Model):
    """One asset or check that failed: why, in a line or a few, and the file with the whole log."""

    asset: str
    why: str
    log: str | None = None


class RunResult(Model):
    """A finished run; asset keys are written `namespace/name`, `seconds` is wall clock."""

    run_id: str = Field(alias="runId")
    #: success | failure | canceled | running (it was not waited for)
    status: str
    seconds: float
    materialized: tuple[str, ...] = ()
    failed: tuple[AssetFailure, ...] = ()
    #: Not tried, since something they are made from failed.
    skipped: tuple[str, ...] = ()
    url: str | None = None
