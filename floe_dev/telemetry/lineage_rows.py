"""OpenLineage events as rows: what was read to make what, by the catalog's names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from floe_dev.telemetry.decode import BadRequestError

_TYPES = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}

#: time, type, run id, job, body, digest
LineageRow = tuple[float, str, str, str, str, bytes]
#: source, source column, target, target column, job, seen
EdgeRow = tuple[str, str, str, str, str, float]


def parse_event(document: Any) -> dict[str, Any]:
    """A run event, or a dataset or job event; raises BadRequestError for anything else."""
    if not isinstance(document, dict):
        raise BadRequestError("an OpenLineage event is a JSON object")
    for key in ("eventTime", "producer", "schemaURL"):
        if not isinstance(document.get(key), str):
            raise BadRequestError(f"an OpenLineage event has the text `{key}`")
    run, job = document.get("run"), document.get("job")
    if "run" in document:
        if not (isinstance(run, dict) and isinstance(run.get("runId"), str)):
            raise BadRequestError("`run` has the text `runId`")
        if document.get("eventType", "OTHER") not in _TYPES:
            raise BadRequestError(f"`eventType` is one of {', '.join(sorted(_TYPES))}")
    elif "job" not in document and "dataset" not in document:
        raise BadRequestError("an OpenLineage event has a `run`, a `job` or a `dataset`")
    if job is not None and not (isinstance(job, dict) and isinstance(job.get("name"), str)):
        raise BadRequestError("`job` has the text `name`")
    event_time(document)
    return document


def event_time(document: dict[str, Any]) -> float:
    """Seconds since the epoch; raises BadRequestError."""
    try:
        return datetime.fromisoformat(document["eventTime"]).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequestError(f"`eventTime` is not an ISO 8601 time: {error}") from error


def event_row(document: dict[str, Any]) -> LineageRow:
    """The event as it is stored."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    return (
        event_time(document),
        str(document.get("eventType", "OTHER")),
        str((document.get("run") or {}).get("runId", "")),
        str((document.get("job") or {}).get("name", "")),
        text,
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(),
    )


def dataset_names(document: dict[str, Any], side: str) -> tuple[str, ...]:
    """`inputs` or `outputs` by name, each once."""
    return tuple(dict.fromkeys(_name(item) for item in _datasets(document, side)))


def _datasets(document: dict[str, Any], side: str) -> list[dict[str, Any]]:
    items = document.get(side)
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [item for item in found if item.get("name")]


def _name(dataset: dict[str, Any]) -> str:
    """The catalog's name of a dataset: Spark names a table by its path, and tells the other in the facet `symlinks`."""
    facets = dataset.get("facets")
    symlinks = facets.get("symlinks") if isinstance(facets, dict) else None
    known = symlinks.get("identifiers") if isinstance(symlinks, dict) else None
    for each in known if isinstance(known, list) else ():
        if isinstance(each, dict) and each.get("type") == "TABLE" and isinstance(each.get("name"), str):
            return table_name(each["name"])
    return table_name(str(dataset["name"]))


def table_name(name: str) -> str:
    """`namespace.name` of what may be `catalog.namespace.name`, as dbt and Spark write it."""
    return ".".join(name.replace('"', "").split(".")[-2:])


def edges_of(document: dict[str, Any]) -> Iterator[EdgeRow]:
    """Table edges of an event that completed, with empty columns, and the column edges its producer told."""
    if document.get("eventType", "COMPLETE") != "COMPLETE":
        return
    seen = event_time(document)
    job = str((document.get("job") or {}).get("name", ""))
    sources = dataset_names(document, "inputs")
    for target in dataset_names(document, "outputs"):
        for source in sources:
            if source != target:
                yield source, "", target, "", job, seen
    named = {str(dataset["name"]): _name(dataset) for dataset in _datasets(document, "inputs")}
    for output in _datasets(document, "outputs"):
        facets = output.get("facets")
        columns = facets.get("columnLineage") if isinstance(facets, dict) else None
        fields = columns.get("fields") if isinstance(columns, dict) else None
        for target_column, told in fields.items() if isinstance(fields, dict) else ():
            for source in (told.get("inputFields") or ()) if isinstance(told, dict) else ():
                if isinstance(source, dict) and source.get("name") and source.get("field"):
                    name = named.get(str(source["name"])) or table_name(str(source["name"]))
                    yield name, str(source["field"]), _name(output), str(target_column), job, seen
