"""One defect of PyIceberg 0.11.1 that meets every table DuckDB wrote, mended in place."""

from __future__ import annotations

from pyiceberg.manifest import ManifestEntry


def _set_snapshot_id(entry: ManifestEntry, value: int) -> None:
    entry._data[1] = value  # noqa: SLF001 - the position of snapshot_id


def mend_manifest_entries() -> None:
    """Make `ManifestEntry.snapshot_id = …` set the snapshot id.

    PyIceberg's setter writes into the entry's status. It is called for entries whose snapshot id is null and inherited
    from the manifest (specification, "Snapshot ID inheritance"): DuckDB writes all of its entries so, and without this
    they have no sequence number either, and no commit can replace their files.
    """
    known = ManifestEntry.snapshot_id
    ManifestEntry.snapshot_id = known.setter(_set_snapshot_id)  # type: ignore[method-assign,attr-defined]
