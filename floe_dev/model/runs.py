"""Assets as Dagster knows them, and what became of one run of them."""

from __future__ import annotations

from pydantic import Field

from floe_dev.model.base import Model


class AssetStatus(Model):
    """One asset: what it is made from, and whether it is up to date. Keys are written `namespace/name`."""

    key: str
    group: str = "default"
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    #: False for sources that nothing here makes.
    materializable: bool = True
    partitioned: bool = False
    #: fresh | stale | missing (never materialized); empty where Dagster does not say.
    state: str = ""
    #: Why it is stale, in Dagster's words.
    why: tuple[str, ...] = ()
    #: Seconds since the epoch; None if it was never materialized.
    materialized_at: float | None = None
    last_run: str | None = None


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
