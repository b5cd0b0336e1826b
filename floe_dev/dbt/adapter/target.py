"""`target.type` as projects see it."""

from __future__ import annotations

from typing import Any

from dbt.config.profile import Profile

from floe_dev.dbt.adapter.credentials import ADAPTER_TYPE

DIALECT = "duckdb"


def show_dialect_as_target_type() -> None:
    """Make `target.type` read `duckdb` for our credentials.

    dbt uses one name both to find the adapter and to tell projects what SQL they run on; only the second is changed,
    in the one method that makes the `target` variable.
    """
    original = Profile.to_target_dict
    if getattr(original, "floe", False):
        return

    def to_target_dict(self: Profile) -> dict[str, Any]:
        target: dict[str, Any] = original(self)
        if target.get("type") == ADAPTER_TYPE:
            target["type"] = DIALECT
        return target

    to_target_dict.floe = True  # type: ignore[attr-defined]
    Profile.to_target_dict = to_target_dict  # type: ignore[method-assign]
