"""The stack's settings in the form each client reads; secrets included, for that is what they are for."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from floe_dev.config.plugins import load
from floe_dev.model.connection import CatalogConnection

if TYPE_CHECKING:
    from floe_dev.model.project import Project

FORMATS = ("shell", "dotenv", "json", "toml")
CLIENTS = ("pyiceberg", "spark", "duckdb", "snowflake")

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def environment_text(variables: Mapping[str, str], form: str) -> str:
    """Variables as `export` lines, a .env file, JSON or TOML, by name."""
    items = sorted(variables.items())
    match form:
        case "shell":
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in items)
        case "dotenv":
            return "\n".join(f"{name}={_dotenv(value)}" for name, value in items)
        case "json":
            return json.dumps(dict(items), indent=2, ensure_ascii=False)
        case "toml":
            # TOML's basic strings escape as JSON does, but for DEL, which JSON leaves as it is.
            return "\n".join(
                f"{name} = " + json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for name, value in items
            )
    raise ValueError(form)


def client_text(client: str, connection: CatalogConnection) -> str:
    """The configuration a client is given: a file's content, or statements to run."""
    if client == "pyiceberg":
        return _pyiceberg(connection)
    text: str = load("computes", client).client(connection)
    return text


def _dotenv(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    # Single quotes: no reader expands a dollar inside them.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _pyiceberg(connection: CatalogConnection) -> str:
    import yaml

    content = {"catalog": {connection.alias: connection.pyiceberg_properties()}}
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=False).rstrip()


def dbt_text(project: Project) -> str:
    """A profiles.yml, the same that the stack's own dbt runs with.

    The secret stays in the environment, where dbt's env_var reads it: such files get copied and committed.
    """
    import yaml

    from floe_dev.dbt.profile import profile, profile_name

    folder = project.dbt_dir()
    name = profile_name(folder) if folder is not None else project.spec.name
    head = "# profiles.yml, to be used with the variables of `floe env`; `floe exec -- dbt build` needs neither\n"
    return head + yaml.safe_dump(profile(project, name), sort_keys=False).rstrip()
