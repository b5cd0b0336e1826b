"""The models that floe.yaml partitions can be built by partition."""

from __future__ import annotations

from floe_dev.config.yaml_source import read_yaml
from floe_dev.orchestrators.dagster.alignment import misalignments
from floe_dev.validate.manifest import ids
from floe_dev.validate.result import Findings, SkipCheckError, Subject, failed, ok


def check(name: str, subject: Subject) -> Findings:
    """One finding for each model out of step, at the selection in floe.yaml that names it."""
    orchestration = subject.session.project.spec.orchestration
    if not orchestration.dbt.partitioned:
        raise SkipCheckError("no dbt models are built by partition")
    manifest = subject.manifest
    source = read_yaml(subject.root / "floe.yaml")
    count, wrong = 0, 0
    for index, part in enumerate(orchestration.dbt.partitioned):
        chosen = ids(manifest, part.select, part.exclude)
        nodes = {unique_id: node for unique_id, node in manifest["nodes"].items() if unique_id in chosen}
        count += len([node for node in nodes.values() if node["resource_type"] == "model"])
        line = source.where(("orchestration", "dbt", "partitioned", index)).line
        for node, why in misalignments(manifest, nodes, orchestration.partitions[part.partitions]):
            wrong += 1
            message = f"{node['unique_id']} cannot be built by `{part.partitions}`: {why}"
            yield failed(name, message, f"change the configuration of {node['original_file_path']}", "floe.yaml", line)
    if not wrong:
        yield ok(name, f"{count} partitioned models are in step with their partitions")
