"""OpenLineage events (specification 2-0-2) of runs and of what a run makes, as plain documents.

The facets used here are few and fixed; building them from dictionaries spares every dbt process the client's imports.
The tests validate every one of them against OpenLineage's published schema.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from floe_dev import __version__
from floe_dev.tracing.redact import redacted

PRODUCER = f"urn:floe-dev:{__version__}"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
#: Names the Dagster job of the run that this process works for.
JOB_VARIABLE = "FLOE_RUN_JOB"
#: OpenLineage's name of a number in a commit, by the key of Iceberg's snapshot summary.
_COMMIT_METRICS = {
    "added-data-files": "addedDataFiles",
    "deleted-data-files": "removedDataFiles",
    "total-data-files": "totalDataFiles",
    "added-delete-files": "addedDeleteFiles",
    "removed-delete-files": "removedDeleteFiles",
    "total-delete-files": "totalDeleteFiles",
    "added-records": "addedRecords",
    "deleted-records": "removedRecords",
    "total-records": "totalRecords",
    "added-files-size": "addedFilesSizeInBytes",
    "removed-files-size": "removedFilesSizeInBytes",
    "total-files-size": "totalFilesSizeInBytes",
}


@dataclass(frozen=True)
class Output:
    """A dataset that was written: `columns` are name and type, the numbers None where nobody counted."""

    table: str
    columns: Sequence[tuple[str, str]] = ()
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    snapshot_id: int | None = None
    sequence_number: int | None = None
    #: The snapshot's summary as the catalog has it, `operation` too.
    summary: Mapping[str, str] = field(default_factory=dict)


def namespace() -> str:
    """Where the catalog's datasets live: its warehouse.

    Not its address: the port may be another one tomorrow, and a backend such as Marquez would then keep every table
    twice. The address stands in the facet `catalog`.
    """
    return f"iceberg://{os.environ.get('POLARIS_WAREHOUSE') or 'floe'}"


def job_name(job: str | None = None) -> str:
    """The run's job as lineage names it: Dagster's own job of all assets has none of its own."""
    job = job or os.environ.get(JOB_VARIABLE) or "run"
    return "run" if job.startswith("__") else job


def run_event(kind: str, run_id: str, job: str, *, error: str | None = None) -> dict[str, Any]:
    """START, COMPLETE, FAIL or ABORT of a whole Dagster run."""
    facets = _error_facet(error) if error is not None else {}
    return _event(kind, run_id, job_name(job), facets, {"jobType": _job_type("DAGSTER", "JOB")}, (), ())


def node_event(
    kind: str,
    *,
    node: str,
    run_id: str | None,
    invocation: str,
    integration: str = "DBT",
    resource: str = "MODEL",
    inputs: Iterable[str] = (),
    outputs: Iterable[Output] = (),
    error: str | None = None,
    at: float | None = None,
) -> dict[str, Any]:
    """One event of a dbt node or an asset; its OpenLineage run is a child of the Dagster run, where there is one."""
    own = str(uuid.UUID(bytes=blake2b(f"{invocation}\0{node}".encode(), digest_size=16).digest(), version=4))
    facets = _error_facet(error) if error is not None else {}
    if run_id is not None:
        parent = {"run": {"runId": run_id}, "job": {"namespace": "floe", "name": job_name()}}
        facets["parent"] = {**_facet("1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet"), **parent}
    return _event(
        kind,
        own,
        node,
        facets,
        {"jobType": _job_type(integration, resource)},
        [{"namespace": namespace(), "name": name, "facets": {"catalog": _catalog()}} for name in inputs],
        [_output(output) for output in outputs],
        at,
    )


def _event(
    kind: str,
    run_id: str,
    job: str,
    run_facets: dict[str, Any],
    job_facets: dict[str, Any],
    inputs: Sequence[dict[str, Any]],
    outputs: Sequence[dict[str, Any]],
    at: float | None = None,
) -> dict[str, Any]:
    time = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return {
        "eventType": kind,
        "eventTime": time.isoformat(),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": run_id, "facets": run_facets},
        "job": {"namespace": "floe", "name": job, "facets": job_facets},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _output(output: Output) -> dict[str, Any]:
    facets: dict[str, Any] = {"catalog": _catalog()}
    if output.columns:
        fields = [{"name": name, "type": kind} for name, kind in output.columns]
        facets["schema"] = {**_facet("1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"), "fields": fields}
    if output.snapshot_id is not None:
        version = _facet("1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet")
        facets["version"] = {**version, "datasetVersion": str(output.snapshot_id)}
    document: dict[str, Any] = {"namespace": namespace(), "name": output.table, "facets": facets}
    counted = {"rowCount": output.rows, "size": output.size, "fileCount": output.files}
    statistics = {key: value for key, value in counted.items() if value is not None}
    told: dict[str, Any] = {}
    if statistics:
        facet = _facet("1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet")
        told["outputStatistics"] = {**facet, **statistics}
    if output.snapshot_id is not None:
        told["icebergCommitReport"] = _commit_report(output, output.snapshot_id)
    if told:
        document["outputFacets"] = told
    return document


def _commit_report(output: Output, snapshot_id: int) -> dict[str, Any]:
    """What the commit changed, as Iceberg's own clients report it."""
    facet = _facet("1-0-2/IcebergCommitReportOutputDatasetFacet.json#/$defs/IcebergCommitReportOutputDatasetFacet")
    report: dict[str, Any] = {**facet, "snapshotId": snapshot_id}
    if output.sequence_number is not None:
        report["sequenceNumber"] = output.sequence_number
    if "operation" in output.summary:
        report["operation"] = output.summary["operation"]
    numbers = {
        name: int(output.summary[key]) for key, name in _COMMIT_METRICS.items() if output.summary.get(key, "").isdigit()
    }
    return {**report, "commitMetrics": numbers} if numbers else report


def _catalog() -> dict[str, Any]:
    """Where the table is looked up."""
    facet = _facet("1-1-0/CatalogDatasetFacet.json#/$defs/CatalogDatasetFacet")
    known = {"framework": "iceberg", "type": "rest", "name": os.environ.get("POLARIS_WAREHOUSE") or "floe"}
    uri = os.environ.get("POLARIS_URI")
    return {**facet, **known, **({"metadataUri": uri} if uri else {})}


def _error_facet(message: str) -> dict[str, Any]:
    facet = _facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet")
    return {"errorMessage": {**facet, "message": redacted(message)[:2000], "programmingLanguage": "Python"}}


def _job_type(integration: str, kind: str) -> dict[str, Any]:
    facet = _facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet")
    return {**facet, "processingType": "BATCH", "integration": integration, "jobType": kind}


def _facet(schema: str) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}"}
