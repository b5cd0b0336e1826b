"""How dbt nodes become assets."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import AssetKey

from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator

TRANSLATOR = FloeDbtTranslator()
MODEL: dict[str, Any] = {
    "resource_type": "model",
    "name": "orders",
    "schema": "silver",
    "alias": "orders",
    "database": "polaris_catalog",
    "fqn": ["shop", "marts", "orders"],
    "tags": ["nightly"],
    "meta": {"classification": "internal", "owner": "data platform", "sla": "24h"},
    "config": {"materialized": "table", "meta": {}},
    "columns": {"order_id": {"name": "order_id", "data_type": "bigint", "description": "The number.", "tags": []}},
}


def test_the_key_is_the_table_in_the_catalog() -> None:
    assert TRANSLATOR.get_asset_key(MODEL) == AssetKey(["silver", "orders"])
    assert TRANSLATOR.get_asset_key({"name": "x"}) == AssetKey(["default", "x"])
    source = {"resource_type": "source", "schema": "bronze", "name": "orders", "identifier": "raw_orders"}
    assert TRANSLATOR.get_asset_key(source) == AssetKey(["bronze", "raw_orders"])


@pytest.mark.parametrize(
    ("fqn", "group"),
    [
        (["shop", "marts", "orders"], "marts"),
        (["shop", "a-b", "c", "d"], "a_b"),
        (["shop", "orders"], None),
        ([], None),
    ],
)
def test_the_group_is_the_folder(fqn: list[str], group: str | None) -> None:
    assert TRANSLATOR.get_group_name({**MODEL, "fqn": fqn}) == group


def test_governance_is_metadata() -> None:
    metadata = TRANSLATOR.get_metadata(MODEL)
    assert {key: metadata[key] for key in ("classification", "owner", "sla")} == MODEL["meta"]
    assert metadata["dagster/column_schema"].columns[0].name == "order_id"
    assert metadata["dagster/table_name"] == "polaris_catalog.silver.orders"


def test_meta_below_config_counts_and_absent_keys_are_absent() -> None:
    metadata = TRANSLATOR.get_metadata({**MODEL, "meta": {}, "config": {"meta": {"sla": "1h"}}})
    assert metadata["sla"] == "1h"
    assert "owner" not in metadata


@pytest.mark.parametrize(
    ("owner", "owners"),
    [
        ("sales@example.com", ["sales@example.com"]),
        ("data platform", ["team:data_platform"]),
        (["a@example.com", "b"], ["a@example.com", "team:b"]),
        (None, None),
    ],
)
def test_owners(owner: Any, owners: list[str] | None) -> None:
    assert TRANSLATOR.get_owners({**MODEL, "meta": {"owner": owner}}) == owners


def test_the_classification_is_a_tag() -> None:
    assert TRANSLATOR.get_tags(MODEL) == {"nightly": "", "classification": "internal"}


def test_code_references_and_source_tests_are_on() -> None:
    assert TRANSLATOR.settings.enable_code_references
    assert TRANSLATOR.settings.enable_source_tests_as_checks
