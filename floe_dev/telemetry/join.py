"""The join: asset, run, trace and snapshot, each found from any other.

Three records are laid side by side, none of which knows the others: Dagster's runs, the catalog's snapshots (whose
summary carries floe's stamp) and the traces. A snapshot without a stamp is given to the run in whose time it was
committed and whose trace touched the table, and is marked as inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from floe_dev.catalogs.client import Snapshot, TableInfo
from floe_dev.model.lineage import Links, RunLink, SnapshotLink
from floe_dev.model.traces import TraceSummary
from floe_dev.telemetry.query import TelemetryReader, TraceFilter, run_link

_TRACES = 200


@dataclass(frozen=True)
class Join:
    """Answers over what Dagster, the catalog and the store say at this moment; any of them may be empty."""

    reader: TelemetryReader
    tables: Sequence[TableInfo]
    dagster_runs: Sequence[RunLink]

    def history(self, info: TableInfo) -> list[SnapshotLink]:
        """The table's snapshots, newest first; those that expired are known from the traces of their commits."""
        snapshots = info.snapshots
        touching = self._touching(info.identifier)
        kept = [_link(info, snapshot, snapshots, touching) for snapshot in snapshots]
        known = {link.snapshot_id for link in kept}
        gone = [link for link in self._committed(info.identifier, touching) if link.snapshot_id not in known]
        return sorted([*kept, *gone], key=lambda link: (link.committed_ms, link.number or 0), reverse=True)

    def of_asset(self, key: str) -> Links:
        """An asset `namespace/name`: the runs that made it, their traces, its table's snapshots."""
        identifier = key.replace("/", ".")
        snapshots = [link for info in self.tables if info.identifier == identifier for link in self.history(info)]
        traces = self.reader.traces_by("asset", identifier.replace(".", "/"))
        wanted = {link.run_id for link in snapshots} | {trace.run_id for trace in traces}
        wanted |= {run.run_id for run in self.dagster_runs if identifier.replace(".", "/") in run.assets}
        return self._links([identifier.replace(".", "/")], wanted, traces, snapshots)

    def of_run(self, run_id: str) -> Links:
        """A Dagster run by its id or the beginning of it."""
        traces = self.reader.traces(TraceFilter(run=run_id))
        snapshots = [link for link in self._all() if (link.run_id or "").startswith(run_id)]
        wanted = {link.run_id for link in snapshots} | {trace.run_id for trace in traces}
        wanted |= {run.run_id for run in self.dagster_runs if run.run_id.startswith(run_id)}
        return self._links(_assets(traces, snapshots), wanted, traces, snapshots)

    def of_trace(self, trace: TraceSummary) -> Links:
        """A trace, by the ids its spans carry and the stamps that carry its id."""
        own = set(self.reader.keys(trace.trace_id, "snapshot"))
        snapshots = [link for link in self._all() if link.trace_id == trace.trace_id or str(link.snapshot_id) in own]
        wanted = {link.run_id for link in snapshots} | {trace.run_id}
        return self._links(_assets([trace], snapshots), wanted, [trace], snapshots)

    def of_snapshot(self, snapshot_id: int) -> Links:
        """A snapshot by its id, whatever table it is of."""
        snapshots = [link for link in self._all() if link.snapshot_id == snapshot_id]
        traces = self.reader.traces_by("snapshot", str(snapshot_id))
        for link in snapshots:
            if link.trace_id is not None and all(trace.trace_id != link.trace_id for trace in traces):
                found = self.reader.trace(link.trace_id)
                traces += [found.summary] if found is not None else []
        wanted = {link.run_id for link in snapshots} | {trace.run_id for trace in traces}
        return self._links(_assets([], snapshots), wanted, traces, snapshots)

    def _links(
        self,
        assets: Iterable[str],
        run_ids: Iterable[str | None],
        traces: Iterable[TraceSummary],
        snapshots: Sequence[SnapshotLink],
    ) -> Links:
        by_id = {run.run_id: run for run in self.dagster_runs}
        remembered = {trace.run_id: trace for trace in traces if trace.run_id}
        runs = []
        for run_id in {each for each in run_ids if each}:
            trace = remembered.get(run_id)
            known = by_id.get(run_id)
            if known is not None:
                runs.append(known.model_copy(update={"trace_id": trace.trace_id if trace else known.trace_id}))
            elif trace is not None:
                runs.append(run_link(trace).model_copy(update={"in_dagster": False}))
            else:
                runs.append(RunLink(run_id=run_id, in_dagster=False))
        runs.sort(key=lambda run: run.started_at or 0.0, reverse=True)
        ids = [trace.trace_id for trace in traces]
        ids += [link.trace_id for link in snapshots if link.trace_id]
        ids += [run.trace_id for run in runs if run.trace_id]
        return Links(
            assets=tuple(dict.fromkeys(assets)),
            runs=tuple(runs),
            traces=tuple(dict.fromkeys(ids)),
            snapshots=tuple(snapshots),
        )

    def _all(self) -> list[SnapshotLink]:
        found = [link for info in self.tables if info.kind == "table" for link in self.history(info)]
        return sorted(found, key=lambda link: link.committed_ms, reverse=True)

    def _touching(self, identifier: str) -> list[TraceSummary]:
        found = self.reader.traces_by("table", identifier, _TRACES)
        found += self.reader.traces_by("asset", identifier.replace(".", "/"), _TRACES)
        return list({trace.trace_id: trace for trace in found}.values())

    def _committed(self, identifier: str, touching: Iterable[TraceSummary]) -> list[SnapshotLink]:
        """What the traces tell of commits to the table."""
        found: dict[int, SnapshotLink] = {}
        for summary in touching:
            trace = self.reader.trace(summary.trace_id)
            for span in trace.spans if trace is not None else ():
                snapshot = str(span.attributes.get("floe.snapshot", ""))
                if span.attributes.get("floe.table") != identifier or not snapshot.isdigit():
                    continue
                found[int(snapshot)] = SnapshotLink(
                    table=identifier,
                    snapshot_id=int(snapshot),
                    committed_ms=span.end_ns // 1_000_000,
                    operation=str(span.attributes.get("floe.operation") or ""),
                    rows_added=span.attributes.get("floe.rows"),
                    bytes_added=span.attributes.get("floe.bytes"),
                    run_id=summary.run_id,
                    trace_id=summary.trace_id,
                    asset=identifier.replace(".", "/"),
                    expired=True,
                )
        return list(found.values())


def _link(
    info: TableInfo, snapshot: Snapshot, snapshots: Sequence[Snapshot], touching: Sequence[TraceSummary]
) -> SnapshotLink:
    summary = snapshot.summary
    parent = next((each for each in snapshots if each.snapshot_id == snapshot.parent_id), None)
    run_id, trace_id = summary.get("floe.run-id"), summary.get("floe.trace-id")
    inferred = False
    if run_id is None and trace_id is None:
        guess = _by_time(snapshot.timestamp_ms, touching)
        if guess is not None:
            run_id, trace_id, inferred = guess.run_id, guess.trace_id, True
    dirty = summary.get("floe.git-dirty")
    return SnapshotLink(
        table=info.identifier,
        snapshot_id=snapshot.snapshot_id,
        number=snapshot.number,
        committed_ms=snapshot.timestamp_ms,
        operation=snapshot.operation,
        rows_added=snapshot.count("added-records"),
        rows_removed=snapshot.count("deleted-records"),
        files_added=snapshot.count("added-data-files"),
        files_removed=snapshot.count("deleted-data-files"),
        bytes_added=snapshot.count("added-files-size"),
        bytes_removed=snapshot.count("removed-files-size"),
        schema_changed=parent is not None and parent.schema_id != snapshot.schema_id,
        run_id=run_id,
        trace_id=trace_id,
        asset=summary.get("floe.asset") or info.identifier.replace(".", "/"),
        dbt_node=summary.get("floe.dbt-node"),
        dbt_checksum=summary.get("floe.dbt-checksum"),
        principal=summary.get("floe.principal"),
        git_commit=summary.get("floe.git-commit"),
        git_dirty=None if dirty is None else dirty == "true",
        inferred=inferred,
    )


def _by_time(committed_ms: int, touching: Iterable[TraceSummary]) -> TraceSummary | None:
    """Of the traces that went on when the commit was made a run's before any other, then the shortest.

    Not a moment is added at either end: a commit made just after a run is somebody else's.
    """
    around = [trace for trace in touching if trace.start_ns // 1_000_000 <= committed_ms <= trace.end_ns // 1_000_000]
    return min(around, key=lambda trace: (trace.run_id is None, trace.end_ns - trace.start_ns), default=None)


def _assets(traces: Iterable[TraceSummary], snapshots: Iterable[SnapshotLink]) -> list[str]:
    found = {asset for trace in traces for asset in trace.assets}
    found |= {link.asset for link in snapshots if link.asset}
    return sorted(found)
