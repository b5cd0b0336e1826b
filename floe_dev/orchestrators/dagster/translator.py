"""How a dbt node becomes a Dagster asset: the platform's rules, the same in every environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from floe_dev.orchestrators.dagster.freshness import freshness_policy

if TYPE_CHECKING:
    from dagster_dbt import DbtProject

#: The keys of dbt's `meta` that the platform's governance reads.
GOVERNANCE = ("classification", "owner", "sla")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


class FloeDbtTranslator(DagsterDbtTranslator):
    """Asset key `[schema, name]`, group by folder, governance from `meta`."""

    def __init__(self, settings: DagsterDbtTranslatorSettings | None = None) -> None:
        """Code references and source tests as checks are on unless `settings` says otherwise."""
        super().__init__(
            settings or DagsterDbtTranslatorSettings(enable_code_references=True, enable_source_tests_as_checks=True)
        )
        #: dagster-dbt asks for each spec five times; with thousands of models that is most of a load.
        self._specs: dict[tuple[int, str, int], tuple[Mapping[str, Any], AssetSpec]] = {}

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """The table's name in the catalog: `[schema, name]`; a source by the table it names."""
        schema = dbt_resource_props.get("schema") or "default"
        name = dbt_resource_props.get("alias") or dbt_resource_props.get("identifier") or dbt_resource_props["name"]
        return AssetKey([schema, name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The first folder below `models/` where there is one, else what dbt or `meta.dagster` says."""
        fqn = dbt_resource_props.get("fqn") or []
        if dbt_resource_props.get("resource_type") == "source":
            return super().get_group_name(dbt_resource_props)
        return _name(fqn[1]) if len(fqn) > 2 else super().get_group_name(dbt_resource_props)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Column schema and table name as dagster-dbt has them, and the governance keys of `meta`."""
        meta = _meta(dbt_resource_props)
        return {
            **super().get_metadata(dbt_resource_props),
            **{key: str(meta[key]) for key in GOVERNANCE if meta.get(key) is not None},
        }

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """`meta.owner` (an address, or the name of a team) where dbt's group or `meta.dagster` names nobody."""
        owners = super().get_owners(dbt_resource_props)
        owner = _meta(dbt_resource_props).get("owner")
        if owners or not owner:
            return owners
        return [text if _EMAIL.match(text) else f"team:{_name(text)}" for text in _texts(owner)]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """Dbt's tags, and the classification, so that `tag:classification=pii` selects."""
        classification = _meta(dbt_resource_props).get("classification")
        tags = dict(super().get_tags(dbt_resource_props))
        if classification:
            tags.setdefault("classification", _name(str(classification)))
        return tags

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        """dagster-dbt's spec, with the kinds that say where the table is and what computes it, and the SLA.

        `event_time` of a model becomes `partition_expr`, by which IO managers read its partitions.
        """
        known = self._specs.get((id(manifest), unique_id, id(project)))
        if known is not None:
            return known[1]
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        config = props.get("config") or {}
        kinds = {"dbt", "duckdb", "view" if config.get("materialized") == "view" else "iceberg"}
        metadata = {**spec.metadata, "dagster/storage_kind": "iceberg"}
        if config.get("event_time"):
            metadata["partition_expr"] = config["event_time"]
        changes: dict[str, Any] = {"kinds": kinds, "metadata": metadata}
        policy = freshness_policy(_meta(props).get("sla"))
        if policy is not None:
            changes["freshness_policy"] = policy
        made = spec.replace_attributes(**changes)
        # The manifest is kept with it, so that its id stays its own.
        self._specs[id(manifest), unique_id, id(project)] = (manifest, made)
        return made


#: The name that the platform's projects know it by.
FloeDbTranslator = FloeDbtTranslator


def _meta(props: Mapping[str, Any]) -> Mapping[str, Any]:
    # dbt 1.10 moved `meta` below `config` and fills both; sources of older manifests have only the first.
    return {**((props.get("config") or {}).get("meta") or {}), **(props.get("meta") or {})}


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _name(text: str) -> str:
    """`text` as Dagster allows names of groups, teams and tags."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "default"
