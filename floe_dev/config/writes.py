"""Whether runs from this machine may write into the platform that is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from floe_dev.config.private import write_private
from floe_dev.config.project import platform_name
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout


def require_writes_allowed(root: Path, environ: Mapping[str, str], fix: str = "floe run --allow-writes") -> None:
    """On a platform that is not local, refuse until somebody allowed it by `fix`; raises FloeError 1310."""
    if are_writes_allowed(root, environ):
        return
    raise not_allowed(f"the platform `{platform_name(root, environ)}`", fix)


def not_allowed(platform: str = "the platform", fix: str = "floe run --allow-writes") -> FloeError:
    """FLOE1310, where somebody has to allow it by `fix` first."""
    return FloeError(
        Code.WRITES_NOT_ALLOWED,
        f"this machine may not write into {platform}",
        why="nobody has allowed it for this project yet",
        fix=fix,
    )


def are_writes_allowed(root: Path, environ: Mapping[str, str]) -> bool:
    """Whether the platform is local, or somebody has allowed it."""
    return platform_name(root, environ) == "local" or Layout(root).writes_allowed.exists()


def allow_writes(root: Path) -> None:
    """Allow it from now on, until `floe reset`; raises OSError."""
    write_private(Layout(root).writes_allowed, "")
