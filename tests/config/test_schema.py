"""The JSON Schemas say the same as the models, and the committed copies are current."""

from __future__ import annotations

import pytest

from docs.reference_configuration import pages
from floe_dev.config.schema import MODELS, json_schema


@pytest.mark.parametrize("kind", MODELS)
def test_a_schema_refuses_unknown_keys_and_names_no_host(kind: str) -> None:
    schema = json_schema(kind)
    assert schema["additionalProperties"] is False
    assert schema["$id"] == f"urn:floe-dev:schema:{kind}"
    assert schema["description"]
    assert all(definition.get("description") for definition in schema["$defs"].values())


def test_the_committed_pages_are_current() -> None:
    for file, content in pages().items():
        assert file.read_text(encoding="utf-8") == content, f"run: python -m docs.reference_configuration ({file})"
