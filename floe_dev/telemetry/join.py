"""The join: asset, run, trace and snapshot, each found from any other.

Three records are laid side by side, none of which knows the others: Dagster's runs, the catalog's snapshots (whose
summary carries floe's stamp) and the traces. A snapshot without a stamp is known from the catalog's own span of its
commit, which says whose it was. Only where that belongs to no run, the snapshot is given to the run in whose time it
was committed, whose trace touched the table and whose principal it was, and is marked as inferred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from floe_dev.model.lineage import Links, RunLink, SnapshotLink
from floe_dev.model.tables import Snapshot, TableInfo
from floe_dev.model.traces import Span, SpanStatus, Trace, TraceSummary
from floe_dev.telemetry.query import TelemetryReader, TraceFilter, run_link

_TRACES = 200


@dataclass(frozen=True)
class Join:
    """Answers over what Dagster, the catalog and the store say at this moment; any of them may be empty."""

    reader: TelemetryReader
    tables: Sequence[TableInfo]
    #: The latest of Dagster's runs.
    dagster_runs: Sequence[RunLink]
    #: Older ones by their ids; None where Dagster does not run.
    look_up: Callable[[Sequence[str]], Sequence[RunLink]] | None = None
    #: Of a stack that runs: who did not answer, so that the answers lack it.
    missing: Sequence[str] = ()

    def runs(self, limit: int) -> list[RunLink]:
        """The latest runs, newest first; those that Dagster has forgotten from their traces."""
        known = {run.run_id for run in self.dagster_runs}
        older = [run for run in self.reader.runs(limit=limit) if run.run_id not in known]
        found = [*self.dagster_runs, *self._as_dagster_says(older)]
        return sorted(found, key=lambda run: run.started_at or 0.0, reverse=True)[:limit]

    def history(self, info: TableInfo) -> list[SnapshotLink]:
        """The table's snapshots, newest first; those that expired are known from the traces of their commits."""
        commits = self.reader.commits(info.identifier)
        kept = [self._link(info, snapshot, commits) for snapshot in info.snapshots]
        known = {link.snapshot_id for link in kept}
        gone = [self._expired(info.identifier, snapshot, trace) for snapshot, trace in commits.items()]
        found = [*kept, *(link for link in gone if link is not None and link.snapshot_id not in known)]
        return sorted(found, key=lambda link: (link.committed_ms, link.number or 0), reverse=True)

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
        if not wanted and self.look_up is not None:
            wanted |= {run.run_id for run in self.look_up([run_id])}
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
            else:
                runs.append(run_link(trace) if trace is not None else RunLink(run_id=run_id))
        runs = self._as_dagster_says(runs)
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

    def _as_dagster_says(self, runs: list[RunLink]) -> list[RunLink]:
        """The runs with Dagster's record of each that was not among its latest."""
        if self.look_up is None:
            return runs
        asked = {run.run_id: run for run in self.look_up([run.run_id for run in runs if run.in_dagster is None])}
        told = []
        for run in runs:
            record = asked.get(run.run_id)
            if record is not None:
                told.append(record.model_copy(update={"trace_id": run.trace_id or record.trace_id}))
            else:
                told.append(run.model_copy(update={"in_dagster": bool(run.in_dagster)}))
        return told

    def _all(self) -> list[SnapshotLink]:
        found = [link for info in self.tables if info.kind == "table" for link in self.history(info)]
        return sorted(found, key=lambda link: link.committed_ms, reverse=True)

    def _touching(self, identifier: str) -> list[TraceSummary]:
        found = self.reader.traces_by("table", identifier, _TRACES)
        found += self.reader.traces_by("asset", identifier.replace(".", "/"), _TRACES)
        return list({trace.trace_id: trace for trace in found}.values())

    def _expired(self, identifier: str, snapshot_id: int, trace_id: str) -> SnapshotLink | None:
        """A snapshot as the trace of its commit tells of it; None for a commit that failed."""
        trace = self.reader.trace(trace_id)
        span = _commit_span(trace, identifier, snapshot_id)
        if trace is None or span is None:
            return None
        told = span.attributes
        return SnapshotLink(
            table=identifier,
            snapshot_id=snapshot_id,
            committed_ms=span.end_ns // 1_000_000,
            operation=str(told.get("floe.operation") or ""),
            rows_added=told.get("floe.rows"),
            rows_removed=told.get("floe.rows_removed"),
            files_added=told.get("floe.files"),
            files_removed=told.get("floe.files_removed"),
            bytes_added=told.get("floe.bytes"),
            run_id=trace.summary.run_id,
            trace_id=trace_id,
            asset=identifier.replace(".", "/"),
            principal=told.get("floe.principal"),
            expired=True,
        )

    def _link(self, info: TableInfo, snapshot: Snapshot, commits: Mapping[int, str]) -> SnapshotLink:
        summary = snapshot.summary
        parent = next((each for each in info.snapshots if each.snapshot_id == snapshot.parent_id), None)
        made_by = _MadeBy(summary.get("floe.run-id"), summary.get("floe.trace-id"), summary.get("floe.principal"))
        if made_by.run_id is None and made_by.trace_id is None:
            made_by = self._unstamped(info.identifier, snapshot, commits.get(snapshot.snapshot_id))
        dirty = summary.get("floe.git-dirty")
        return SnapshotLink(
            table=info.identifier,
            snapshot_id=snapshot.snapshot_id,
            number=snapshot.number,
            committed_ms=snapshot.timestamp_ms,
            operation=snapshot.operation,
            rows_added=snapshot.count("added-records"),
            rows_removed=snapshot.rows_removed,
            files_added=snapshot.count("added-data-files"),
            files_removed=snapshot.count("deleted-data-files"),
            bytes_added=snapshot.count("added-files-size"),
            bytes_removed=snapshot.count("removed-files-size"),
            schema_changed=parent is not None and parent.schema_id != snapshot.schema_id,
            run_id=made_by.run_id,
            # A run without a trace of its own still has the catalog's span of the commit.
            trace_id=made_by.trace_id or commits.get(snapshot.snapshot_id),
            asset=summary.get("floe.asset") or info.identifier.replace(".", "/"),
            dbt_node=summary.get("floe.dbt-node"),
            dbt_checksum=summary.get("floe.dbt-checksum"),
            principal=made_by.principal,
            git_commit=summary.get("floe.git-commit"),
            git_dirty=None if dirty is None else dirty == "true",
            inferred=made_by.inferred,
        )

    def _unstamped(self, identifier: str, snapshot: Snapshot, trace_id: str | None) -> _MadeBy:
        """Who made a snapshot that does not say so: by the catalog's span of its commit, else by time and principal."""
        trace = self.reader.trace(trace_id) if trace_id is not None else None
        span = _commit_span(trace, identifier, snapshot.snapshot_id)
        principal = span.attributes.get("floe.principal") if span is not None else None
        if trace is not None and trace.summary.run_id is not None:
            return _MadeBy(trace.summary.run_id, trace_id, principal)
        others = (each for each in self._touching(identifier) if each.trace_id != trace_id)
        around = (each for each in others if _went_on(each, snapshot.timestamp_ms) and self._may_be(each, principal))
        # A run's before any other, then the shortest.
        guess = min(around, key=lambda each: (each.run_id is None, each.end_ns - each.start_ns), default=None)
        if guess is not None:
            return _MadeBy(guess.run_id, guess.trace_id, principal, inferred=True)
        return _MadeBy(None, trace_id, principal)

    def _may_be(self, trace: TraceSummary, principal: str | None) -> bool:
        """Whether the trace can have committed as `principal`, as far as both are known."""
        known = self.reader.keys(trace.trace_id, "principal")
        return principal is None or not known or principal in known


@dataclass(frozen=True)
class _MadeBy:
    """Who made a snapshot, as far as it is known; `inferred` where it was concluded."""

    run_id: str | None
    trace_id: str | None
    principal: str | None
    inferred: bool = False


def _commit_span(trace: Trace | None, identifier: str, snapshot_id: int) -> Span | None:
    """The span that tells most of the commit: the catalog's own before its clients'."""
    found = [
        span
        for span in (trace.spans if trace is not None else ())
        if span.attributes.get("floe.table") == identifier
        and str(span.attributes.get("floe.snapshot")) == str(snapshot_id)
        and span.status is not SpanStatus.ERROR
    ]
    return next((span for span in found if span.kind == "server"), found[0] if found else None)


def _went_on(trace: TraceSummary, at_ms: int) -> bool:
    """Not a moment is added at either end: a commit made just after a run is somebody else's."""
    return trace.start_ns // 1_000_000 <= at_ms <= trace.end_ns // 1_000_000


def _assets(traces: Iterable[TraceSummary], snapshots: Iterable[SnapshotLink]) -> list[str]:
    found = {asset for trace in traces for asset in trace.assets}
    found |= {link.asset for link in snapshots if link.asset}
    return sorted(found)
