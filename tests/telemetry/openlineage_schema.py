"""OpenLineage's published JSON schemas (copied into `openlineage/`), and the check of an event against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

_FOLDER = Path(__file__).parent / "openlineage"


@cache
def _registry() -> Registry[Any]:
    documents = [json.loads(file.read_text()) for file in sorted(_FOLDER.rglob("*.json"))]
    return Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in documents])


def validate(event: dict[str, Any]) -> None:
    """Raise jsonschema.ValidationError unless the event, and each facet by the schema it names, is valid."""
    _check(event["schemaURL"], event)
    for facet in facets(event):
        _check(facet["_schemaURL"], facet)


def facets(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for holder in holders:
        for key in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(key, {}).values()


def _check(schema: str, document: dict[str, Any]) -> None:
    validator = Draft202012Validator({"$ref": schema}, registry=_registry(), format_checker=FormatChecker())
    validator.validate(document)
