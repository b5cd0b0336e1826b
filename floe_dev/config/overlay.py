"""What our own stack was observed to listen on, kept in `.floe/platform.yaml`; the user's file is never touched."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from floe_dev.config.private import write_private
from floe_dev.model.layout import Layout


def write_overlay(layout: Layout, catalog_uris: Mapping[str, str]) -> None:
    """Remember each catalog's observed base URI; raises OSError."""
    document = {"catalogs": {name: {"uri": uri} for name, uri in catalog_uris.items()}}
    header = "# Written by floe: endpoints of the running stack, laid over your platform.yaml.\n"
    write_private(layout.overlay_file, header + yaml.safe_dump(document, sort_keys=True))
