"""For every test: projects without a stack get the embedded one, whatever engine and images this machine has."""

from __future__ import annotations

import os

os.environ.setdefault("FLOE_STACK", "embedded")
