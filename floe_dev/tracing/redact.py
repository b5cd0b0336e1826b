"""Taking literals out of recorded text, for those who want none of a table's values in a trace."""

from __future__ import annotations

import os
import re

#: `literals`: what stands in single quotes, and every number, becomes `?` in messages and log lines.
VARIABLE = "FLOE_TELEMETRY_REDACT"
_LITERALS = re.compile(r"'(?:[^']|'')*'|(?<![\w.])\d+(?:\.\d+)?(?![\w])")


def redacted(text: str) -> str:
    """The text as it may be recorded; nothing is parsed, so a value outside quotes that is no number stays."""
    return _LITERALS.sub("?", text) if os.environ.get(VARIABLE) == "literals" else text
