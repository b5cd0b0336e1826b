"""The entry point: so small that Ctrl-C during the imports of the real program ends as it does later."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `floe` command; its exit code (see `floe_dev.errors.ExitCode`). No exception leaves this function."""
    try:
        from floe_dev.cli.program import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
