"""`python -m floe_dev.cli`: the command line where no `floe` script was installed."""

from __future__ import annotations

import sys

from floe_dev.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
