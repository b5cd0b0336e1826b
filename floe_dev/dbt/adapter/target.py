"""`target.type` and `adapter.type()` as projects see them."""

from __future__ import annotations

from typing import Any

from dbt.config.profile import Profile
from dbt.context.providers import BaseDatabaseWrapper

from floe_dev.dbt.adapter.credentials import ADAPTER_TYPE

DIALECT = "duckdb"


def show_dialect_to_projects() -> None:
    """Make `target.type` and Jinja's `adapter.type()` read `duckdb` for our credentials.

    dbt uses one name both to find the adapter and to tell projects what SQL they run on; only the second is changed,
    in the method that makes the `target` variable and in the wrapper that Jinja sees of the adapter.
    """
    if getattr(Profile.to_target_dict, "floe", False):
        return
    _change_target()
    _change_adapter()


def _change_target() -> None:
    original = Profile.to_target_dict

    def to_target_dict(self: Profile) -> dict[str, Any]:
        target: dict[str, Any] = original(self)
        if target.get("type") == ADAPTER_TYPE:
            target["type"] = DIALECT
        return target

    to_target_dict.floe = True  # type: ignore[attr-defined]
    Profile.to_target_dict = to_target_dict  # type: ignore[method-assign]


def _change_adapter() -> None:
    original = BaseDatabaseWrapper.type

    def shown_type(self: BaseDatabaseWrapper) -> str:
        name = str(original(self))  # type: ignore[no-untyped-call]
        return DIALECT if name == ADAPTER_TYPE else name

    BaseDatabaseWrapper.type = shown_type  # type: ignore[method-assign]
