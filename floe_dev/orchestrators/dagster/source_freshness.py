"""dbt's source freshness as asset checks: on the tables that ingestion writes, each after it was written."""

# Without `from __future__ import annotations`: Dagster reads the annotation of `context` as it stands.
import datetime as dt
import os
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource

from floe_dev.catalogs.client import CatalogClient
from floe_dev.config.connection import connection_from_platform
from floe_dev.model.project import Project
from floe_dev.model.tables import TableInfo

CHECK = "source_freshness"
_SPANS = ("warn_after", "error_after")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def source_freshness_checks(
    project: Project, manifest: Mapping[str, Any], translator: DagsterDbtTranslator
) -> list[dg.AssetChecksDefinition]:
    """One check for each table whose source has `freshness` in dbt.

    Those with a `loaded_at_field` or `loaded_at_query` are one `dbt source freshness`. Without one dbt would ask its
    adapter, and that the catalog: a table is as fresh as its last snapshot. For that no dbt has to start.
    """
    sources = {
        translator.get_asset_key(source): source
        for source in manifest.get("sources", {}).values()
        if any((limits(source).get(span) or {}).get("count") for span in _SPANS)
    }
    if not sources:
        return []

    @dg.multi_asset_check(
        name=f"{project.spec.name.replace('-', '_')}_{CHECK}",
        specs=[dg.AssetCheckSpec(CHECK, asset=key, description=described(each)) for key, each in sources.items()],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, dbt: DbtCliResource) -> Iterator[dg.AssetCheckResult]:
        chosen = {each.asset_key: sources[each.asset_key] for each in context.selected_asset_check_keys}
        asked = {key: source for key, source in chosen.items() if _loaded_at(source)}
        with CatalogClient(connection_from_platform(project, os.environ)) as client:
            for key, source in chosen.items():
                if key not in asked:
                    yield _result(key, _by_snapshot(source, client.table(".".join(key.path))))
        if asked:
            names = " ".join(f"source:{source['source_name']}.{source['name']}" for source in asked.values())
            invocation = dbt.cli(["source", "freshness", "--select", names], raise_on_error=False).wait()
            keys = {source["unique_id"]: key for key, source in asked.items()}
            for found in invocation.get_artifact("sources.json")["results"]:
                yield _result(keys[found["unique_id"]], found)

    return [check]


def limits(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The source's `freshness`: dbt 1.10 moved it below `config` and fills both."""
    return source.get("freshness") or (source.get("config") or {}).get("freshness") or {}


def described(source: Mapping[str, Any]) -> str:
    """The limits in words."""
    told = []
    for span, word in zip(_SPANS, ("a warning", "an error"), strict=True):
        limit = limits(source).get(span) or {}
        if limit.get("count"):
            told.append(f"older than {limit['count']} {limit['period']}s is {word}")
    return "; ".join(told)


def _loaded_at(source: Mapping[str, Any]) -> bool:
    config = source.get("config") or {}
    return any(source.get(name) or config.get(name) for name in ("loaded_at_field", "loaded_at_query"))


def _by_snapshot(source: Mapping[str, Any], table: TableInfo) -> Mapping[str, Any]:
    """What dbt's sources.json would say of the table; raises FloeError 6002 before, where there is none."""
    loaded = dt.datetime.fromtimestamp((table.updated_ms or 0) / 1000, dt.UTC)
    age = (dt.datetime.now(dt.UTC) - loaded).total_seconds()
    status = "pass"
    for span in _SPANS:
        limit = limits(source).get(span) or {}
        if limit.get("count") and age > limit["count"] * _SECONDS[limit["period"]]:
            status = span.removesuffix("_after")
    return {"status": status, "max_loaded_at": loaded.isoformat(), "max_loaded_at_time_ago_in_s": age}


def _result(key: dg.AssetKey, found: Mapping[str, Any]) -> dg.AssetCheckResult:
    status = str(found["status"])
    metadata: dict[str, Any] = {"status": status}
    if found.get("max_loaded_at"):
        metadata |= {"max_loaded_at": found["max_loaded_at"], "age_seconds": found.get("max_loaded_at_time_ago_in_s")}
    if found.get("error"):
        metadata["error"] = str(found["error"])
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=status == "pass",
        severity=dg.AssetCheckSeverity.WARN if status == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
