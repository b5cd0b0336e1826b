"""A capsule as a session: the commands and the dashboard read it as they read a stack, and can change nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from floe_dev.capsule import form
from floe_dev.capsule.reader import read_manifest
from floe_dev.errors import Code, FloeError
from floe_dev.session import Session

if TYPE_CHECKING:
    from floe_dev.capsule.form import Manifest
    from floe_dev.catalogs.inspect import File
    from floe_dev.model.lineage import LineageGraph
    from floe_dev.model.status import StackStatus
    from floe_dev.model.tables import TableInfo
    from floe_dev.telemetry.join import Join


class OfflineSession(Session):
    """What a capsule, unpacked in the session's root, remembers."""

    @cached_property
    def manifest(self) -> Manifest:
        """What the capsule is."""
        found = read_manifest(self.root)
        assert found is not None
        return found

    def document(self, name: str) -> Any:
        """One of its JSON files; None where it has none."""
        file = self.root / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def error(self) -> str:
        """What failed, in its own words; empty where nobody told."""
        file = self.root / form.ERROR
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""

    def status(self) -> StackStatus | None:
        """The stack as it was."""
        from floe_dev.model.status import StackStatus

        found = self.document(form.STATUS)
        return StackStatus.model_validate(found) if found is not None else None

    def require_running(self) -> None:
        """A capsule answers without a stack."""

    def tables(self, principal: str = "floe") -> list[TableInfo]:  # noqa: ARG002 - the session's signature
        """Every table and view as it was."""
        from floe_dev.model.tables import TableInfo

        found = self.document(form.TABLES) or []
        return [TableInfo(**{**item, "namespace": tuple(item["namespace"])}) for item in found]

    def table(self, identifier: str, principal: str = "floe") -> TableInfo:
        """One table or view as it was; FLOE6002 if there was none."""
        tables = self.tables(principal)
        for info in tables:
            if info.identifier == identifier:
                return info
        raise FloeError(
            Code.NO_SUCH_TABLE,
            f"the capsule has no table {identifier!r}",
            why=f"it has: {', '.join(info.identifier for info in tables) or 'none'}",
        )

    def files(self, info: TableInfo) -> tuple[File, ...]:
        """The files of a table's snapshot, as far as they were kept."""
        from floe_dev.catalogs.inspect import File

        return tuple(File(**one) for one in (self.document(form.FILES) or {}).get(info.identifier) or ())

    def join(self, tables: Sequence[TableInfo] | None = None, *, runs: int = 100) -> Join:  # noqa: ARG002
        """Asset, run, trace and snapshot found from each other."""
        from floe_dev.model.lineage import RunLink
        from floe_dev.telemetry.join import Join
        from floe_dev.tracing.context import run_trace_id

        found = [
            RunLink(
                run_id=run["run_id"],
                trace_id=run_trace_id(run["run_id"]),
                status=run["status"] if run["status"] in ("success", "failure", "canceled") else "unknown",
                started_at=run["started_at"],
                ended_at=run["ended_at"],
                assets=tuple(run["assets"]),
            )
            for run in self.document(form.RUNS) or ()
        ]
        return Join(self.telemetry(), self.tables() if tables is None else tables, found)

    def lineage(self, focus: str, *, depth: int | None = None) -> LineageGraph:
        """What the dataset was made from and what was made from it."""
        from floe_dev.model.lineage import LineageEdge
        from floe_dev.telemetry.graph import around

        reader = self.telemetry()
        edges = {(edge.source, edge.target): edge for edge in reader.edges()}
        for asset in self.document(form.ASSETS) or ():
            target = asset["key"].replace("/", ".")
            for source in (key.replace("/", ".") for key in asset["depends_on"]):
                edges.setdefault((source, target), LineageEdge(source=source, target=target, job=asset["key"]))
        return around(focus, edges.values(), reader.column_edges(), depth=depth)

    def up(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refused: FLOE7204."""
        raise only_reads()

    def run(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refused: FLOE7204."""
        raise only_reads()

    def connection(self, principal: str = "floe") -> NoReturn:  # noqa: ARG002 - the session's signature
        """Refused: FLOE7204; there is no catalog to reach."""
        raise only_reads()

    def dagster(self) -> NoReturn:
        """Refused: FLOE7204; there is no Dagster."""
        raise only_reads()


def only_reads() -> FloeError:
    """FLOE7204."""
    return FloeError(
        Code.CAPSULE_ONLY_READS,
        "a capsule only shows what was",
        why="no catalog and no Dagster run behind it",
        fix="floe up, in the project itself",
    )
