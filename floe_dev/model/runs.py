"""Assets as Dagster knows them, and what became of one run of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from floe_dev.errors import Code, FloeError
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
    #: Its partitions definition in Dagster's words ("Daily, starting …"); None for an asset without partitions.
    partitions: str | None = None
    #: fresh | stale (older than its `meta.sla`) | outdated (its code or inputs changed) | missing (never materialized);
    #: empty where Dagster does not say.
    state: str = ""
    #: Why it is outdated or stale.
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


def merged(results: Sequence[RunResult]) -> RunResult:
    """Runs that were carried out one after another as one: the last one's id and outcome, everything's assets."""
    last = results[-1]
    return last.model_copy(
        update={
            "seconds": round(sum(result.seconds for result in results), 3),
            "materialized": tuple(dict.fromkeys(key for result in results for key in result.materialized)),
            "failed": tuple(failure for result in results for failure in result.failed),
            "skipped": tuple(key for result in results for key in result.skipped),
        }
    )


def raise_if_failed(result: RunResult) -> None:
    """Raise FLOE5004 with every failure, why, and where its log is, unless the run went well (or still goes on).

    FLOE5005 for a run that was canceled before anything failed.
    """
    if result.status in ("success", "running") and not result.failed:
        return
    if result.status == "canceled" and not result.failed:
        raise FloeError(
            Code.RUN_CANCELED,
            "the run was canceled",
            why="somebody else asked for it, in the dashboard or in Dagster's UI",
            fix="floe run --stale",
        )
    detail: list[str] = []
    for failure in result.failed:
        first, *more = failure.why.splitlines() or ["(no reason given)"]
        detail += [f"{failure.asset}: {first}", *(f"    {line}" for line in more)]
        if failure.log:
            detail.append(f"    log: {failure.log}")
    names = ", ".join(failure.asset for failure in result.failed[:3])
    more_names = f" and {len(result.failed) - 3} more" if len(result.failed) > 3 else ""
    untried = "then the run was canceled" if result.status == "canceled" else "not tried, since they need what failed"
    raise FloeError(
        Code.RUN_FAILED,
        f"the run failed: {names}{more_names}",
        why=f"{untried}: {', '.join(result.skipped)}" if result.skipped else None,
        detail=tuple(detail),
        fix="mend it, then `floe run --stale`",
    )
