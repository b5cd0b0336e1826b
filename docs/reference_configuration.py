"""The configuration's reference and schemas, generated from the models: `python -m docs.reference_configuration`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from floe_dev.config.schema import MODELS, json_schema

REFERENCE = Path(__file__).resolve().parent / "reference"
_INTRO = """# Configuration

Generated from the models by `python -m docs.reference_configuration`; do not edit.

floe.yaml says what a project does, in logical names; platform.yaml says where those names are
([why two files](../explanation/two-files.md)); a stack file says which services run;
[compiled artifacts](compiled-artifacts.md) are written by `floe compile`. Unknown keys are refused.
`floe schema floe`, `floe schema platform`, `floe schema stack` and `floe schema compiled` print the JSON Schemas, which
are also in [schemas/](schemas/).
"""


def pages() -> dict[Path, str]:
    """Every generated file and its content."""
    schemas = {kind: json_schema(kind) for kind in MODELS}
    files = {
        REFERENCE / "schemas" / f"{kind}.schema.json": json.dumps(schema, indent=2) + "\n"
        for kind, schema in schemas.items()
    }
    files[REFERENCE / "configuration.md"] = _INTRO + "".join(_page(schema) for schema in schemas.values())
    return files


def _page(schema: dict[str, Any]) -> str:
    text = f"\n## {schema['title']}\n\n{schema['description']}\n" + _table(schema)
    for name, definition in sorted(schema.get("$defs", {}).items()):
        if "properties" in definition:
            text += f"\n### {schema['title'].split()[0]}: {name}\n\n{definition['description']}\n" + _table(definition)
    return text


def _table(definition: dict[str, Any]) -> str:
    required = definition.get("required", ())
    rows = []
    for name, field in definition["properties"].items():
        default = "required" if name in required else f"`{json.dumps(field.get('default'))}`"
        if isinstance(field.get("default"), dict):
            default = "its own defaults"
        elif "default" not in field and name not in required:
            default = "empty"
        rows.append(f"| `{name}` | {_type(field)} | {default} | {field.get('description', '')} |\n")
    return "\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n" + "".join(rows)


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"] if choice.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"mapping of name to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    kind = str(field.get("type", "anything"))
    return {"string": "text", "boolean": "true or false", "integer": "whole number"}.get(kind, kind)


def write() -> None:
    """Write every page."""
    for file, content in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write()
