"""docs/reference/spans.md, from floe_dev.tracing.catalogue."""

from __future__ import annotations

from pathlib import Path

from floe_dev.telemetry.decode import INDEXED
from floe_dev.tracing.catalogue import ATTRIBUTES, RESOURCE, SPANS

_PAGE = Path(__file__).parent / "reference" / "spans.md"
_TOP = """\
# Spans and attributes

Generated from `floe_dev/tracing/catalogue.py`; a test holds the spans of a real run to it. Spans of your own code keep
the attributes they came with. Words in capitals stand for what differs from span to span.

"""


def pages() -> dict[Path, str]:
    """The page by its path."""
    lines = ["| service | span | kind | what it is | attributes |", "|---|---|---|---|---|"]
    for kind in SPANS:
        services = ", ".join(f"`{name}`" for name in kind.services)
        keys = ", ".join(f"`{key}`" for key in kind.attributes)
        shown = f"`{kind.name}`"
        if kind.services == ("floe",):
            # `floe` and a word in capitals would be read as a command that does not exist.
            shown = "`floe` and the command's name"
        lines.append(f"| {services} | {shown} | {kind.kind} | {kind.meaning} | {keys} |")
    lines += ["", "## Attributes", "", "| key | value |", "|---|---|"]
    lines += [f"| `{key}` | {meaning} |" for key, meaning in sorted(ATTRIBUTES.items())]
    lines += ["", "## Resource attributes", "", "| key | value |", "|---|---|"]
    lines += [f"| `{key}` | {meaning} |" for key, meaning in RESOURCE.items()]
    indexed = ", ".join(f"`{key}`" for key in sorted(INDEXED))
    lines += [
        "",
        f"A trace is found by {indexed}, whoever sent the span.",
        "So a Spark job that puts `floe.table` and `floe.snapshot` on its span is joined as floe's own runs are.",
        "",
    ]
    return {_PAGE: _TOP + "\n".join(lines)}
