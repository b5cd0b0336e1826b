"""Compose's `${NAME}` in a stack file: filled in from variables, with its defaults and its `$$`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<rule>:?[-?+])(?P<other>[^}]*))?\})"
)


class MissingVariableError(ValueError):
    """`${NAME:?why}` and there is no NAME."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """`text` by the rules of the Compose Specification; MissingVariableError where `?` demands what is not there.

    `-` gives a default, `+` a replacement; with `:` an empty variable counts as none. A variable that is not there is
    empty, as in Compose.
    """

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        name = found["bare"] or found["name"]
        known = variables.get(name)
        rule, other = found["rule"] or "", found["other"] or ""
        there = known is not None and not (rule.startswith(":") and known == "")
        if rule.endswith("+"):
            return other if there else ""
        if there:
            return known or ""
        if rule.endswith("?"):
            raise MissingVariableError(f"{name} is not set" + (f": {other}" if other else ""))
        return other if rule.endswith("-") else ""

    return _REFERENCE.sub(value, text)
