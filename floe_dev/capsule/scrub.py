"""Taking secrets out: every value that is known to be one, in every form it is written in, and what looks like one."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from floe_dev.tracing.spool import secret_values

HIDDEN = "***"
#: A shorter value would hide words that happen to be the same.
SHORTEST = 6
_NAMES = r"(?:secret|password|passwd|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|credentials?)"
#: `password: hunter2`, `"apiKey": "…"`, `AWS_SECRET_ACCESS_KEY=…`; names of secrets (`secret_ref: x`) stay.
_ASSIGNED = re.compile(
    rf"(?i)(?P<head>{_NAMES}[\"']?\s{{0,20}}[:=]\s{{0,20}})(?P<quote>[\"']?)(?P<value>[^\s\"',}}{{\[\]]{{4,}})(?P=quote)"
)
_LOOKS = (
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{12,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"(?<=://)[^\s/:@\"']+:[^\s/@\"']+(?=@)"),
)
_REFERENCE = re.compile(r"secret_ref\s*:\s*[\"']?([\w./-]+)")
_MOUNTED = Path("/var/run/secrets")
_CONFIGURATION = (
    *("floe.yaml", "platform.yaml", "platform/*/platform.yaml", "stacks/*.yaml"),
    *("dbt_project.yml", "*/dbt_project.yml", "packages.yml", "*/packages.yml"),
    *(".floe/platform.yaml", ".floe/*/platform.yaml", ".floe/dagster/*.yaml", ".floe/dbt/profiles.yml"),
)


class Scrubber:
    """Hides what it was told, what the environment's secret variables hold, and what looks like a credential."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """`values` are secrets in clear text."""
        known = {value for value in (*values, *secret_values()) if len(value) >= SHORTEST}
        forms = {form for value in known for form in _forms(value)}
        #: Longest first: a secret may be part of another.
        self._known = sorted(forms, key=len, reverse=True)
        self._bytes = [value.encode() for value in self._known]

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        for pattern in _LOOKS:
            text = pattern.sub(HIDDEN, text)
        return _ASSIGNED.sub(_hide, text)

    def value(self, value: Any) -> Any:
        """JSON-ready data without secrets, in keys, values and under names of secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): HIDDEN if _is_secret(str(key), item) else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def packed(self, content: bytes) -> bytes:
        """Bytes with secrets overwritten in place: a packed message keeps its lengths, so it still unpacks."""
        for value in self._bytes:
            if value in content:
                content = content.replace(value, b"*" * len(value))
        for pattern in _BYTES:
            content = pattern.sub(lambda found: b"*" * len(found[0]), content)
        return content


_BYTES = tuple(re.compile(pattern.pattern.encode()) for pattern in _LOOKS)


def project_secrets(root: Path) -> set[str]:
    """Every secret that is known for a project: the stack's own, and what its configuration refers to."""
    from floe_dev.config.secrets import variable_of
    from floe_dev.model.layout import Layout

    found: set[str] = set()
    for file in (Layout(root).secrets_file,):
        try:
            found |= _leaves(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    for file in configuration_files(root):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for reference in _REFERENCE.findall(text):
            if value := os.environ.get(variable_of(reference)):
                found.add(value)
            try:
                found.add((_MOUNTED / reference).read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError):
                continue
    return found


def configuration_files(root: Path) -> list[Path]:
    """The files that say how a project is set up."""
    return sorted({file for name in _CONFIGURATION for file in root.glob(name) if file.is_file()})


def _forms(value: str) -> set[str]:
    """A secret as it is, in a URL, in JSON, and in the header of basic authentication."""
    plain = value.encode()
    encoded = {base64.b64encode(plain[skip:]).decode().rstrip("=")[1:-1] for skip in range(3)}
    found = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], base64.b64encode(plain).decode()}
    return found | {form for form in encoded if len(form) >= 12}


def _leaves(value: Any, name: str = "") -> set[str]:
    if isinstance(value, str):
        return set() if name == "client_id" else {value}
    if isinstance(value, Mapping):
        return {leaf for key, item in value.items() for leaf in _leaves(item, str(key))}
    if isinstance(value, list):
        return {leaf for item in value for leaf in _leaves(item, name)}
    return set()


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and bool(re.search(rf"(?i){_NAMES}$", name))


def _hide(found: re.Match[str]) -> str:
    value = found["value"]
    # A reference to a secret is not one: the name of a variable, a template.
    if value.startswith(("{{", "$", HIDDEN)):
        return found[0]
    return f"{found['head']}{found['quote']}{HIDDEN}{found['quote']}"
