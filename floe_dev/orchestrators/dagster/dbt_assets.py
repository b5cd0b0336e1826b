"""The dbt project's models, seeds and snapshots as assets; its tests as checks."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, BackfillPolicy, PartitionsDefinition
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets
from dagster_dbt.dbt_manifest import validate_manifest
from dagster_dbt.utils import select_unique_ids

from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.project import DbtPartitions, Project
from floe_dev.orchestrators.dagster.alignment import misalignments
from floe_dev.orchestrators.dagster.graph import check_dbt_keys, check_dbt_order
from floe_dev.orchestrators.dagster.partitions import backfill_policy, dbt_arguments, partitions_definition
from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator

#: What the dbt adapter writes into each snapshot's summary as `floe.run-id`.
RUN_ID_VARIABLE = "FLOE_RUN_ID"


def project_dbt_assets(
    project: Project, dbt_project: DbtProject, translator: FloeDbtTranslator | None = None
) -> list[AssetsDefinition]:
    """All nodes that floe.yaml's `orchestration.dbt` selects: those without partitions, and each partitioned selection.

    Each of them is built by one `dbt build` a run. Raises FloeError 1304 for two nodes that are one
    table, 1305 for nodes that need each other, 1306 for a model that cannot be built by partition.
    """
    options = project.spec.orchestration.dbt
    translator = translator or FloeDbtTranslator()
    name = f"{project.spec.name.replace('-', '_')}_dbt"
    manifest = validate_manifest(dbt_project.manifest_path)
    check_dbt_order(project, manifest)
    check_dbt_keys(project, manifest, translator)
    partitioned = {part: _selected(dbt_project, manifest, part) for part in options.partitioned}
    excluded = [options.exclude or "", *(part.select for part in partitioned)]
    excluded += _sources_of_only(manifest, {unique_id for ids in partitioned.values() for unique_id in ids})
    made = [_definition(dbt_project, translator, _Part(name, options.select, " ".join(filter(None, excluded))))]
    for index, (selection, ids) in enumerate(partitioned.items()):
        _check_alignment(project, manifest, selection, index, ids)
        sources = _sources_of_only(manifest, ids)
        made.append(_definition(dbt_project, translator, _partitioned(project, selection, f"{name}_{index}", sources)))
    return made


@dataclass(frozen=True)
class _Part:
    name: str
    select: str
    exclude: str
    partitions: PartitionsDefinition[str] | None = None
    backfill: BackfillPolicy | None = None


def _partitioned(project: Project, selection: DbtPartitions, name: str, sources: Sequence[str]) -> _Part:
    orchestration = project.spec.orchestration
    policy = orchestration.backfills[selection.backfill] if selection.backfill else None
    return _Part(
        name=f"{name}_{selection.partitions}",
        # The tests of sources that only these models read are run with them.
        select=" ".join((selection.select, *sources)),
        exclude=selection.exclude or "",
        partitions=partitions_definition(orchestration.partitions[selection.partitions]),
        backfill=backfill_policy(policy),
    )


def _definition(dbt_project: DbtProject, translator: FloeDbtTranslator, part: _Part) -> AssetsDefinition:
    @dbt_assets(
        manifest=dbt_project.manifest_path,
        select=part.select,
        exclude=part.exclude,
        dagster_dbt_translator=translator,
        project=dbt_project,
        name=part.name,
        partitions_def=part.partitions,
        backfill_policy=part.backfill,
    )
    def build(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        # dbt inherits the environment; a run has a process of its own, so no other run can see this value.
        os.environ[RUN_ID_VARIABLE] = context.run.run_id
        yield from dbt.cli(["build", *dbt_arguments(context)], context=context).stream()

    return build


def _selected(dbt_project: DbtProject, manifest: Mapping[str, Any], part: DbtPartitions) -> Set[str]:
    return select_unique_ids(part.select, part.exclude or "", "", dbt_project, manifest)


def _sources_of_only(manifest: Mapping[str, Any], models: Set[str]) -> list[str]:
    """The sources that nothing but `models` reads: their tests wait for the run that reads them.

    Such a source may be what a Python asset makes from this very project's models, later.
    """
    found = []
    for unique_id, source in manifest.get("sources", {}).items():
        readers = {child for child in manifest["child_map"].get(unique_id, ()) if not child.startswith("test.")}
        if readers and readers <= models:
            found.append(f"source:{source['source_name']}.{source['name']}")
    return found


def _check_alignment(
    project: Project, manifest: Mapping[str, Any], part: DbtPartitions, index: int, ids: Set[str]
) -> None:
    found = list(misalignments(manifest, sorted(ids), project.spec.orchestration.partitions[part.partitions]))
    if not found:
        return
    folder = project.dbt_dir() or project.root
    node, why = found[0]
    raise FloeError(
        Code.PARTITIONS_MISALIGNED,
        f"the model {node['name']} cannot be built by the partitions `{part.partitions}`",
        why=why,
        fix="materialized='incremental', incremental_strategy='microbatch' with `event_time` (its own, and that of "
        "what it reads) and `begin`; or leave it "
        f"out of `orchestration.dbt.partitioned[{index}].select`",
        where=Where(folder / str(node["original_file_path"]), 1),
        detail=_lines(found[1:]),
    )


def _lines(found: Sequence[tuple[Mapping[str, Any], str]]) -> tuple[str, ...]:
    return tuple(f"{node['original_file_path']}: {why}" for node, why in found[:10])
