"""Dagster's own record of its runs, for the join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from floe_dev.model.lineage import RunLink
from floe_dev.orchestrators.dagster.client import DagsterClient

_RUNS = """
query Runs($limit: Int, $filter: RunsFilter) { runsOrError(limit: $limit, filter: $filter) {
  __typename
  ... on Runs { results { runId status startTime endTime tags { key value } assets { key { path } } } }
} }
"""
_WORDS = {"SUCCESS": "success", "FAILURE": "failure", "CANCELED": "canceled"}


def dagster_runs(client: DagsterClient, limit: int = 100) -> list[RunLink]:
    """The latest runs, newest first; raises FloeError 5003 where Dagster does not answer."""
    return _runs(client, limit=limit)


def dagster_runs_by_id(client: DagsterClient, run_ids: Sequence[str]) -> list[RunLink]:
    """Those of the runs that Dagster knows; raises FloeError 5003 where it does not answer."""
    return _runs(client, filter={"runIds": list(run_ids)}) if run_ids else []


def _runs(client: DagsterClient, **variables: Any) -> list[RunLink]:
    results: list[dict[str, Any]] = client.query(_RUNS, **variables)["runsOrError"].get("results", [])
    found = []
    for run in results:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        found.append(
            RunLink(
                run_id=run["runId"],
                trace_id=tags.get("floe/trace_id"),
                status=_WORDS.get(run["status"], "running"),
                started_at=run["startTime"],
                ended_at=run["endTime"],
                assets=tuple(sorted("/".join(asset["key"]["path"]) for asset in run["assets"])),
                in_dagster=True,
            )
        )
    return found
