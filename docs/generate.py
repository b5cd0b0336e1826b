"""Every generated page of the reference: `python docs/generate.py` (or `make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs import reference_commands, reference_configuration, reference_dashboard, reference_spans, reference_testing


def main() -> None:
    """Write the reference of commands, errors, exit codes, configuration, keys and spans anew."""
    for part in (reference_commands, reference_configuration, reference_dashboard, reference_spans, reference_testing):
        for path, text in part.pages().items():
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
