"""Whether a name and its value look like a credential written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from floe_dev.config.yaml_source import KeyPath

_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|secret|secret_key|secret_access_key|access_key|access_key_id|api_key|private_key|"
    r"auth_token|access_token|api_token|bearer_token)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: What only refers to a value: templates, and the name of an environment variable.
_REFERENCE = re.compile(r"^\s*(?:\$|\{\{|<|env:)|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")

FIX = "rotate it, then refer to it: `secret_ref` in platform.yaml, an environment variable or EnvVar in Python"


def is_credential(name: str, value: object) -> bool:
    """Whether `name: value` writes a credential down; a reference to one (`{{ env_var(…) }}`) does not."""
    if not isinstance(value, str) or not value.strip():
        return False
    words = _CAMEL.sub("_", name).replace("-", "_").replace(".", "_").lower()
    return _NAME.search(words) is not None and _REFERENCE.search(value) is None


def credentials_in(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The key paths of every credential in nested mappings and lists; `path` is where `data` itself stands."""
    if isinstance(data, dict):
        for key, value in data.items():
            if is_credential(str(key), value):
                yield (*path, key)
            yield from credentials_in(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from credentials_in(value, (*path, index))
