"""All that Dagster keeps and tells of a project and its runs, to be searched for what must not be in it."""

from __future__ import annotations

#: Prints what Dagster's own code makes of `definitions.py` for its web server, of every run and of every event.
SNAPSHOTS = """
import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from definitions import defs

print(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))
with dg.DagsterInstance.get() as instance:
    runs = instance.get_runs()
    for run in runs:
        print(serialize_value(run), run.run_config, run.tags)
        print(serialize_value(instance.get_historical_job(run.job_snapshot_id).job_snapshot))
        for record in instance.all_logs(run.run_id):
            print(serialize_value(record))
    print("runs", len(runs))
"""
#: A query for what the web server tells of resources, jobs, assets and runs.
RESOURCES = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
    name
    allTopLevelResourceDetails { name description configuredValues { key value type } configFields { name configType {
      key description } defaultValueAsJson } }
    jobs { name runConfigSchema: presets { name runConfigYaml } }
} } }
  assetNodes { metadataEntries {
    __typename label ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } } }
  runsOrError { ... on Runs { results { runConfigYaml tags { key value }
    eventConnection { events { ... on MessageEvent { message } } } } } } }
"""
