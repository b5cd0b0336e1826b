"""Tables, views and their snapshots as table metadata describes them; nothing is read but that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from floe_dev.model.summary import count, rows, rows_removed

Namespace = tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """One Iceberg snapshot as table metadata tells it; `timestamp_ms` since the epoch."""

    number: int
    snapshot_id: int
    parent_id: int | None
    timestamp_ms: int
    operation: str
    schema_id: int | None
    summary: dict[str, str] = field(default_factory=dict)

    def count(self, key: str) -> int | None:
        """A number of the summary such as `total-records`; None where the writer left it out."""
        return count(self.summary, key)

    @property
    def rows(self) -> int | None:
        """Rows that readers see, by the summary; None where it does not say."""
        return rows(self.summary)

    @property
    def rows_removed(self) -> int | None:
        """Rows that readers no longer see, by the summary; None where it does not say."""
        return rows_removed(self.summary)


@dataclass(frozen=True)
class TableInfo:
    """A table or view as its metadata describes it; nothing was scanned."""

    namespace: Namespace
    name: str
    kind: str  # table | view
    uuid: str
    location: str
    format_version: int
    metadata: dict[str, Any]
    metadata_location: str | None = None

    @property
    def identifier(self) -> str:
        """`namespace.name`."""
        return ".".join((*self.namespace, self.name))

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots that are kept, oldest first, numbered from 1."""
        found = sorted(
            self.metadata.get("snapshots") or (), key=lambda s: (s.get("sequence-number", 0), s["timestamp-ms"])
        )
        return tuple(
            Snapshot(
                number=number,
                snapshot_id=item["snapshot-id"],
                parent_id=item.get("parent-snapshot-id"),
                timestamp_ms=item["timestamp-ms"],
                operation=(item.get("summary") or {}).get("operation", ""),
                schema_id=item.get("schema-id"),
                summary=item.get("summary") or {},
            )
            for number, item in enumerate(found, 1)
        )

    @property
    def current(self) -> Snapshot | None:
        """The snapshot readers see; None for a table nobody wrote to."""
        wanted = self.metadata.get("current-snapshot-id")
        return next((s for s in self.snapshots if s.snapshot_id == wanted), None)

    @property
    def rows(self) -> int | None:
        """Rows of the current snapshot by its summary (0 without one); None where it does not say, or for a view."""
        if self.kind == "view":
            return None
        return self.current.rows if self.current is not None else 0

    @property
    def bytes(self) -> int | None:
        """Bytes of the current snapshot's data files."""
        return (self.current.count("total-files-size") if self.current else 0) if self.kind == "table" else None

    @property
    def files(self) -> int | None:
        """Number of the current snapshot's data files."""
        return (self.current.count("total-data-files") if self.current else 0) if self.kind == "table" else None

    @property
    def updated_ms(self) -> int | None:
        """When the current snapshot was made (milliseconds since the epoch)."""
        return self.current.timestamp_ms if self.current else None

    def schema(self, schema_id: int | None = None) -> dict[str, Any]:
        """The schema of that id, else the current one, as the Iceberg specification writes it."""
        wanted = self.metadata.get("current-schema-id", 0) if schema_id is None else schema_id
        for schema in self.metadata.get("schemas") or ():
            if schema.get("schema-id") == wanted:
                return dict(schema)
        if self.kind == "view":
            version = next(
                v for v in self.metadata["versions"] if v["version-id"] == self.metadata["current-version-id"]
            )
            return self.schema(version["schema-id"]) if schema_id is None else {}
        return {}
