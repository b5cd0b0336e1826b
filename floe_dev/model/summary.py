"""What the numbers in an Iceberg snapshot's summary say of rows, delete files included."""

from __future__ import annotations

from collections.abc import Mapping


def count(summary: Mapping[str, str], key: str) -> int | None:
    """A number such as `total-records`; None where the writer left it out."""
    value = summary.get(key)
    return int(value) if value is not None and value.isdigit() else None


def rows(summary: Mapping[str, str]) -> int | None:
    """Rows that readers see; None where the summary does not say.

    `total-records` still counts rows that delete files hide; how many an equality delete hides only a scan knows.
    """
    total = count(summary, "total-records")
    if total is None or count(summary, "total-equality-deletes"):
        return None
    return total - (count(summary, "total-position-deletes") or 0)


def rows_removed(summary: Mapping[str, str]) -> int | None:
    """Rows that readers saw before and not after; None where the summary does not say.

    `deleted-records` are those of the files that went, the ones hidden already included; a row that a new delete file
    hides is not among them.
    """
    deleted, hidden = count(summary, "deleted-records"), count(summary, "added-position-deletes")
    if (deleted is None and hidden is None) or count(summary, "added-equality-deletes"):
        return None
    return max(0, (deleted or 0) + (hidden or 0) - (count(summary, "removed-position-deletes") or 0))
