"""What our own stack was observed to listen on, kept in `.floe/platform.yaml`; the user's file is never touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from floe_dev.config.private import write_private
from floe_dev.config.validation import validate
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import FloeError
from floe_dev.model.base import Model
from floe_dev.model.layout import Layout
from floe_dev.model.platform import Platform

_HEADER = "# Written by floe: endpoints of the running stack, laid over your platform.yaml.\n"


class ObservedCatalog(Model):
    """Where a catalog was seen to answer."""

    uri: str
    #: How clients reach the objects, where the stack decides it and not platform.yaml.
    access_delegation: Literal["none", "vended-credentials"] | None = None


class Overlay(Model):
    """The content of `.floe/platform.yaml`."""

    #: The file these endpoints belong to; with another one (another environment) they mean nothing.
    platform_file: str | None = None
    catalogs: dict[str, ObservedCatalog] = Field(default_factory=dict)


def write_overlay(
    layout: Layout,
    catalog_uris: Mapping[str, str],
    platform_file: Path | None = None,
    access_delegation: str | None = None,
) -> None:
    """Remember each catalog's observed base URI, for `platform_file` alone if it is given; raises OSError."""
    more = {"access_delegation": access_delegation} if access_delegation else {}
    document: dict[str, object] = {"catalogs": {name: {"uri": uri, **more} for name, uri in catalog_uris.items()}}
    if platform_file is not None:
        document["platform_file"] = str(platform_file)
    write_private(layout.overlay_file, _HEADER + yaml.safe_dump(document, sort_keys=True))


def remove_overlay(layout: Layout) -> None:
    """Forget what was observed: a stack without a catalog of its own runs, or none."""
    layout.overlay_file.unlink(missing_ok=True)


def lay_over(platform: Platform, layout: Layout, platform_file: Path) -> Platform:
    """`platform` with the observed endpoints; unchanged where there are none or they belong to another file.

    Raises FloeError 1101 or 12xx naming the overlay where somebody damaged it.
    """
    if not layout.overlay_file.is_file():
        return platform
    try:
        overlay = validate(Overlay, read_yaml(layout.overlay_file))
    except FloeError as error:
        error.fix = f"delete {layout.overlay_file}; the next `floe up` writes it again"
        raise
    if overlay.platform_file not in (None, str(platform_file)):
        return platform
    catalogs = {
        name: spec.model_copy(update=overlay.catalogs[name].model_dump(exclude_none=True))
        if name in overlay.catalogs
        else spec
        for name, spec in platform.catalogs.items()
    }
    return platform.model_copy(update={"catalogs": catalogs})
