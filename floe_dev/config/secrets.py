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
    """The value of `ref`; raises FloeError 1203 naming both places looked at."""
    variable = variable_of(ref)
    value = environ.get(variable)
    if value:
        return SecretStr(value)
    file = mount / ref
    try:
        return SecretStr(file.read_text(encoding="utf-8").strip())
    except OSError:
        pass
    raise FloeError(
        Code.SECRET_MISSING,
        f"the secret `{ref}` is not set",
        why=f"neither the environment variable {variable} nor the file {file} exists",
        fix=f"export {variable}=… (inside a floe stack: run the command with `floe exec -- …`)",
        where=where,
    )
