"""The generated credentials of one stack: `.floe/secrets.json` (0600)."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field, SecretStr, ValidationError

from floe_dev.config.private import write_private
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.base import Model
from floe_dev.model.connection import Credential
from floe_dev.model.layout import Layout

SERVICE_PRINCIPAL = "floe"
READER_PRINCIPAL = "reader"


class StackSecrets(Model):
    """Root's credential, the key that signs the embedded catalog's tokens, and each principal's credential."""

    root: Credential
    signing_key: SecretStr
    #: What senders show to the telemetry receiver; a file from before there was one gets it on the next start.
    telemetry_token: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))
    principals: dict[str, Credential] = Field(default_factory=dict)
    #: Users of the stack's object store: its root, and the one that the catalog works as.
    stores: dict[str, Credential] = Field(default_factory=dict)

    @classmethod
    def generate(cls) -> StackSecrets:
        """New random credentials: 256 bits each."""
        return cls(
            root=Credential(client_id="root", client_secret=SecretStr(secrets.token_urlsafe(32))),
            signing_key=SecretStr(secrets.token_hex(32)),
        )

    def with_principal(self, name: str, credential: Credential) -> StackSecrets:
        """A copy that also knows `name`'s credential."""
        return self.model_copy(update={"principals": {**self.principals, name: credential}})


def load_secrets(layout: Layout) -> StackSecrets | None:
    """The stack's credentials, None before the first `up`; raises FloeError 1102 where the file is damaged."""
    try:
        text = layout.secrets_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(layout, error.strerror or str(error)) from error
    try:
        return StackSecrets.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        raise _damaged(layout, f"not what floe wrote ({type(error).__name__})") from None


def save_secrets(layout: Layout, stack_secrets: StackSecrets) -> None:
    """Write the credentials atomically, 0600."""
    write_private(layout.secrets_file, json.dumps(_plain(stack_secrets), indent=1))


def change_secrets(layout: Layout, change: Callable[[StackSecrets], StackSecrets]) -> StackSecrets:
    """Store what `change` makes of the credentials as they are now, generated on first use; what is stored then.

    Steps of one start add credentials at the same time, in threads and in processes: one after another, or one would
    write over what another has just told a server.
    """
    with _writing(layout):
        known = load_secrets(layout) or StackSecrets.generate()
        changed = change(known)
        if changed is not known or "telemetry_token" not in known.model_fields_set or not layout.secrets_file.exists():
            save_secrets(layout, changed)
        return StackSecrets.model_validate(_plain(changed))


def load_or_create_secrets(layout: Layout) -> StackSecrets:
    """The stack's credentials, generated and stored on first use."""
    known = load_secrets(layout)
    if known is None or "telemetry_token" not in known.model_fields_set:
        return change_secrets(layout, lambda current: current)
    return known


@contextmanager
def _writing(layout: Layout) -> Iterator[None]:
    layout.secrets_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(layout.secrets_file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def store_credential(layout: Layout, user: str) -> Credential:
    """The keys of a user of the object store, generated and stored on first use."""

    def with_user(known: StackSecrets) -> StackSecrets:
        if user in known.stores:
            return known
        made = Credential(client_id=f"floe-{user}", client_secret=SecretStr(secrets.token_urlsafe(30)))
        return known.model_copy(update={"stores": {**known.stores, user: made}})

    known = load_secrets(layout)
    return (known if known is not None and user in known.stores else change_secrets(layout, with_user)).stores[user]


def _plain(stack_secrets: StackSecrets) -> dict[str, Any]:
    def credential(value: Credential) -> dict[str, str]:
        return {"client_id": value.client_id, "client_secret": value.client_secret.get_secret_value()}

    return {
        "root": credential(stack_secrets.root),
        "signing_key": stack_secrets.signing_key.get_secret_value(),
        "telemetry_token": stack_secrets.telemetry_token.get_secret_value(),
        "principals": {name: credential(value) for name, value in stack_secrets.principals.items()},
        "stores": {name: credential(value) for name, value in stack_secrets.stores.items()},
    }


def _damaged(layout: Layout, why: str) -> FloeError:
    return FloeError(
        Code.CONFIG_FILE_UNREADABLE,
        "the stack's credentials cannot be read",
        why=why,
        fix="floe reset",
        where=Where(layout.secrets_file),
    )
