"""The entry point: so small that Ctrl-C during the imports of the real program ends as it does later."""

from __future__ import annotations

import sys
from collections.abc import Sequence

#: Python's oldest supported version; this module alone is read by older ones too.
OLDEST = (3, 11)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `floe` command; its exit code (see `floe_dev.errors.ExitCode`). No exception leaves this function."""
    if sys.version_info < OLDEST:
        # Installers refuse such a Python by themselves; here somebody runs the sources with it.
        version = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(f"error FLOE9104: Python {version} is too old, floe needs 3.11, 3.12 or 3.13\n")
        sys.stderr.write("  fix: run it with another one, such as python3.12 -m floe_dev.cli\n")
        return 9
    try:
        from floe_dev.cli.program import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
