"""JSON Schemas of the configuration files, generated from the models that read them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from floe_dev.config.stacks import StackFile
from floe_dev.model.artifacts import CompiledArtifacts
from floe_dev.model.platform import Platform
from floe_dev.model.project import FloeSpec

FileKind = Literal["floe", "platform", "stack", "compiled"]

MODELS: dict[str, type[BaseModel]] = {
    "floe": FloeSpec,
    "platform": Platform,
    "stack": StackFile,
    "compiled": CompiledArtifacts,
}
_TITLES = {
    "floe": "floe.yaml",
    "platform": "platform.yaml",
    "stack": "a stack file (stacks/*.yaml)",
    "compiled": "compiled artifacts (floe compile)",
}


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of `floe`, `platform` or `stack` (draft 2020-12), for editors; KeyError for any other kind."""
    schema = MODELS[kind].model_json_schema(by_alias=True, schema_generator=_Generator)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        # A URN: editors need a name, and no host serves this file.
        "$id": f"urn:floe-dev:schema:{kind}",
        **schema,
        "title": _TITLES[kind],
    }


class _Generator(GenerateJsonSchema):
    """Without pydantic's made-up titles (`Client Id`), which editors show in place of the description."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False
