"""A client of Dagster's GraphQL API on the standard library: assets, runs, their events.

Importing dagster costs more than a second; every question asked here is plain JSON over HTTP.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from floe_dev.errors import Code, FloeError
from floe_dev.model.runs import AssetStatus

#: A launch stores an event for every asset and partition, which on a busy disk takes its time.
_TIMEOUT_SECONDS = 180.0
_POLL_SECONDS = 0.15
_EVENT_PAGE = 1000
_FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}

_ASSETS = """
query Assets { assetNodes {
  assetKey { path } groupName kinds isMaterializable staleStatus
  partitionDefinition { description }
  internalFreshnessPolicy { ... on TimeWindowFreshnessPolicy { failWindowSeconds } }
  staleCauses { reason }
  dependencyKeys { path }
  tags { key value }
  owners { ... on UserAssetOwner { email } ... on TeamAssetOwner { team } }
  repository { name location { name } }
  assetMaterializations(limit: 1) { runId timestamp }
} }
"""
#: Not the whole list: of thousands of assets it is megabytes.
_HOMES = """
query Homes($keys: [AssetKeyInput!]) { assetNodes(assetKeys: $keys) {
  assetKey { path } repository { name location { name } }
} }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on InvalidSubsetError { message }
  ... on PipelineNotFoundError { message }
  ... on UnauthorizedError { message }
} }
"""
_PARTITIONS = """
query Partitions($keys: [AssetKeyInput!]) { assetNodes(assetKeys: $keys) { partitionKeys } }
"""
_EVENTS = """
query Events($run: ID!, $after: String, $limit: Int) { logsForRun(runId: $run, afterCursor: $after, limit: $limit) {
  __typename
  ... on PythonError { message }
  ... on RunNotFoundError { message }
  ... on EventConnection { cursor hasMore events {
    __typename
    ... on MessageEvent { timestamp level message stepKey eventType }
    ... on ErrorEvent { error { ...E cause { ...E cause { ...E } } } }
    ... on AssetMaterializationPlannedEvent { assetKey { path } }
    ... on MaterializationEvent { assetKey { path } metadataEntries { ...M } }
    ... on FailedToMaterializeEvent { assetKey { path } materializationFailureType metadataEntries { ...M } }
    ... on AssetCheckEvaluationEvent {
      evaluation { assetKey { path } checkName success severity description metadataEntries { ...M } }
    }
  } }
} }
fragment E on PythonError { className message }
fragment M on MetadataEntry {
  __typename label
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
  ... on TextMetadataEntry { text }
  ... on PathMetadataEntry { path }
}
"""
_RUN = """
query Run($run: ID!) { runOrError(runId: $run) {
  __typename ... on Run { status startTime endTime assetSelection { path } } } }
"""
_ACTIVE = """
query Active($tags: [ExecutionTag!]) {
  runsOrError(filter: {tags: $tags, statuses: [QUEUED, NOT_STARTED, MANAGED, STARTING, STARTED]}) {
    ... on Runs { results { runId assetSelection { path } tags { key value } } }
  }
}
"""
_CANCEL = """
mutation Cancel($run: String!) { terminateRun(runId: $run) {
  __typename ... on TerminateRunFailure { message } ... on PythonError { message } ... on RunNotFoundError { message }
} }
"""


class DagsterClient:
    """Asks one Dagster web server, such as `http://127.0.0.1:3000`."""

    def __init__(self, url: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Nothing is asked yet; a server that does not answer within the time is unreachable."""
        self._timeout = timeout_seconds
        self.url = url.rstrip("/")
        self._parts = urlsplit(self.url)

    def assets(self) -> list[AssetStatus]:
        """Every asset of every code location, sources too, by key."""
        return sorted((_asset(node) for node in self._nodes()), key=lambda asset: asset.key)

    def launch(self, keys: Sequence[str], tags: Mapping[str, str] | None = None) -> str:
        """Start one run that materializes these assets (`namespace/name`); its id.

        Raises:
            FloeError: FLOE5002 if a key is unknown or Dagster refuses the run.
        """
        homes = self.query(_HOMES, keys=[{"path": key.split("/")} for key in keys])["assetNodes"]
        nodes = {"/".join(node["assetKey"]["path"]): node for node in homes}
        unknown = [key for key in keys if key not in nodes]
        if unknown or not keys:
            known = [asset.key for asset in self.assets()] if unknown else []
            raise FloeError(
                Code.RUN_NOT_STARTED,
                f"there is no asset {unknown[0]!r}" if unknown else "no asset was selected",
                why=f"there are: {', '.join(known)}" if unknown else None,
                fix="floe run",
            )
        repository = nodes[keys[0]]["repository"]
        answer = self.query(
            _LAUNCH,
            params={
                "selector": {
                    "repositoryName": repository["name"],
                    "repositoryLocationName": repository["location"]["name"],
                    "jobName": "__ASSET_JOB",
                    "assetSelection": [{"path": key.split("/")} for key in keys],
                },
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
                "mode": "default",
            },
        )["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            told = answer.get("message") or "; ".join(e["message"] for e in answer.get("errors") or ())
            if "disk is full" in told or "No space left on device" in told:
                raise FloeError(
                    Code.DISK_FULL,
                    "Dagster could not start the run: the disk is full",
                    why=told.strip().splitlines()[0],
                    fix="free some space (`df -h` shows it), then run the command again",
                )
            raise FloeError(
                Code.RUN_NOT_STARTED,
                "Dagster did not start the run",
                why=told.strip().splitlines()[0] if told else answer["__typename"],
                fix="floe logs dagster-code",
            )
        run_id: str = answer["run"]["runId"]
        return run_id

    def partition_keys(self, key: str) -> list[str]:
        """The keys of an asset's partitions, first to last; none for an asset without partitions."""
        nodes = self.query(_PARTITIONS, keys=[{"path": key.split("/")}])["assetNodes"]
        return list(nodes[0]["partitionKeys"]) if nodes else []

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The run's events as Dagster's GraphQL types tell them, from the first to the last, as they come."""
        cursor: str | None = None
        while True:
            # The status is asked first: events written before the end are then certain to be in the page.
            over = self.run_status(run_id) in _FINISHED
            while True:
                page = self.query(_EVENTS, run=run_id, after=cursor, limit=_EVENT_PAGE)["logsForRun"]
                if page["__typename"] != "EventConnection":
                    raise FloeError(Code.RUN_FAILED, f"Dagster lost the run {run_id}", why=page.get("message"))
                yield from page["events"]
                cursor = page["cursor"]
                if not page["hasMore"]:
                    break
            if over:
                return
            time.sleep(_POLL_SECONDS)

    def events_so_far(self, run_id: str) -> list[dict[str, Any]]:
        """The run's events up to now, without waiting; FLOE5004 if Dagster does not know the run."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.query(_EVENTS, run=run_id, after=cursor, limit=_EVENT_PAGE)["logsForRun"]
            if page["__typename"] != "EventConnection":
                raise FloeError(Code.RUN_FAILED, f"Dagster does not know the run {run_id}", why=page.get("message"))
            found += page["events"]
            cursor = page["cursor"]
            if not page["hasMore"]:
                return found

    def run_status(self, run_id: str) -> str:
        """QUEUED, STARTING, STARTED, SUCCESS, FAILURE, CANCELING or CANCELED."""
        answer = self.query(_RUN, run=run_id)["runOrError"]
        return str(answer.get("status") or "FAILURE")

    def active_runs(self, tags: Mapping[str, str]) -> list[tuple[str, list[str], dict[str, str]]]:
        """The runs with these tags that are not over: id, keys of the assets, all tags."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        found = self.query(_ACTIVE, tags=wanted)["runsOrError"].get("results") or ()
        return [
            (
                run["runId"],
                ["/".join(key["path"]) for key in run["assetSelection"] or ()],
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in found
        ]

    def cancel(self, run_id: str, patience_seconds: float = 30.0) -> None:
        """Cancel a run; one that is still starting is asked again, since Dagster refuses until it has begun.

        Raises:
            FloeError: FLOE5003 with Dagster's words if it refuses for another reason, or for too long.
        """
        give_up = time.monotonic() + patience_seconds
        while True:
            answer = self.query(_CANCEL, run=run_id)["terminateRun"]
            if answer["__typename"] == "TerminateRunSuccess":
                return
            # It may have begun since the refusal: only a run that is over is not asked again.
            over = self.run_status(run_id) in _FINISHED
            if over or time.monotonic() > give_up:
                raise FloeError(Code.DAGSTER_UNREACHABLE, "Dagster did not cancel the run", why=answer.get("message"))
            time.sleep(0.3)

    def run_url(self, run_id: str) -> str:
        """The run's page in the Dagster UI."""
        return f"{self.url}/runs/{run_id}"

    def query(self, text: str, /, **variables: Any) -> dict[str, Any]:
        """The `data` of one GraphQL request; FLOE5003 if Dagster does not answer, or answers with errors."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        connection = http.client.HTTPConnection(
            self._parts.hostname or "127.0.0.1", self._parts.port, timeout=self._timeout
        )
        try:
            connection.request("POST", f"{self._parts.path}/graphql", body, {"Content-Type": "application/json"})
            content = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise FloeError(
                Code.DAGSTER_UNREACHABLE,
                f"Dagster at {self.url} does not answer",
                why=f"{type(error).__name__}: {error}",
                fix="floe logs dagster-webserver",
            ) from error
        finally:
            connection.close()
        if content.get("errors"):
            raise FloeError(
                Code.DAGSTER_UNREACHABLE,
                "Dagster refused a query",
                why=str(content["errors"][0].get("message")),
                fix="floe logs dagster-webserver",
            )
        data: dict[str, Any] = content["data"]
        return data

    def _nodes(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self.query(_ASSETS)["assetNodes"]
        return nodes


def dagster_of(urls: Mapping[str, str]) -> DagsterClient:
    """A client of the Dagster among a stack's addresses; FLOE5003 where it is not up yet."""
    if "dagster" not in urls:
        raise FloeError(
            Code.DAGSTER_UNREACHABLE, "Dagster is not up yet", why="the stack is starting", fix="floe status"
        )
    return DagsterClient(urls["dagster"])


def staleness(node: dict[str, Any], materialized_at: float | None) -> tuple[str, tuple[str, ...]]:
    """What Dagster calls stale (older code or inputs) is `outdated` here; stale is what missed its SLA."""
    window = (node["internalFreshnessPolicy"] or {}).get("failWindowSeconds")
    age = time.time() - materialized_at if materialized_at is not None else 0.0
    if window is not None and age > window:
        return "stale", (f"materialized {age / 3600:.1f} h ago; the SLA is {window / 3600:g} h",)
    told = (node["staleStatus"] or "").lower()
    return {"stale": "outdated"}.get(told, told), tuple(
        dict.fromkeys(cause["reason"] for cause in node["staleCauses"] or ())
    )


def _asset(node: dict[str, Any]) -> AssetStatus:
    last = (node["assetMaterializations"] or [None])[0]
    materialized_at = float(last["timestamp"]) / 1000 if last else None
    state, why = staleness(node, materialized_at)
    return AssetStatus(
        key="/".join(node["assetKey"]["path"]),
        group=node["groupName"],
        kinds=tuple(node["kinds"]),
        owners=tuple(owner.get("email") or f"team:{owner.get('team')}" for owner in node["owners"]),
        tags={tag["key"]: tag["value"] for tag in node["tags"]},
        depends_on=tuple("/".join(key["path"]) for key in node["dependencyKeys"]),
        materializable=node["isMaterializable"],
        partitions=(node["partitionDefinition"] or {}).get("description"),
        state=state,
        why=why,
        materialized_at=materialized_at,
        last_run=last["runId"] if last else None,
    )
