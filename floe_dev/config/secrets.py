"""Resolution of secret_refs (upstream's order): the environment variable, then the mounted file, else an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from floe_dev.errors import Code, FloeError, Where

MOUNT = Path("/var/run/secrets")


def variable_of(ref: str) -> str:
    """`polaris-client-id` -> `POLARIS_CLIENT_ID`."""
    return re.sub(r"[^A-Za-z0-9]", "_", ref).upper()


def resolve_secret(
    ref: str, environ: Mapping[str, str], *, where: Where | None = None, mount: Path = MOUNT
) -> SecretStr:
    """The value of `ref`; raises FloeError 1203 naming both places looked at. An empty value counts as none."""
    variable = variable_of(ref)
    value = environ.get(variable)
    if value:
        return SecretStr(value)
    file = mount / ref
    try:
        mounted = file.read_text(encoding="utf-8").strip()
        found = "is empty"
    except FileNotFoundError:
        mounted, found = "", "does not exist"
    except (OSError, UnicodeDecodeError) as error:
        mounted, found = "", f"cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})"
    if mounted:
        return SecretStr(mounted)
    raise FloeError(
        Code.SECRET_MISSING,
        f"the secret `{ref}` is not set",
        why=f"the environment variable {variable} is not set and the file {file} {found}",
        fix=f"export {variable}=… (with a floe stack running, `floe exec -- …` sets it)",
        where=where,
    )
