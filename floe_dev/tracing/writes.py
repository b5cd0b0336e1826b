"""What this process wrote last into each table, for whoever tells of it later in the same process."""

from __future__ import annotations

from floe_dev.tracing.lineage import Output

_written: dict[str, Output] = {}


def remember(output: Output) -> None:
    """Keep the newest write of one table."""
    _written[output.table] = output


def take(table: str) -> Output | None:
    """The newest write of the table, once."""
    return _written.pop(table, None)
