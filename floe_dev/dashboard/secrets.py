"""Environments as they may be shown: nothing in them that lets anybody in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from floe_dev.config.credentials import StackSecrets

HIDDEN = "••••••••"
#: A variable with one of these in its name is hidden whatever it holds.
_NAMES = ("SECRET", "PASSWORD", "PASSWD", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "COOKIE", "PRIVATE")
#: Shorter values are not looked for inside others: they would be found everywhere.
_SHORTEST = 8


def secret_values(secrets: StackSecrets | None) -> tuple[str, ...]:
    """Every generated secret of the stack."""
    if secrets is None:
        return ()
    credentials = (secrets.root, *secrets.principals.values(), *secrets.stores.values())
    found = [credential.client_secret.get_secret_value() for credential in credentials]
    found += [secrets.signing_key.get_secret_value(), secrets.telemetry_token.get_secret_value()]
    return tuple(value for value in found if len(value) >= _SHORTEST)


def hidden(environment: Mapping[str, str], values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(name, value) by name; a value is hidden for its variable's name, or where it holds one of `values`.

    A password inside an address (`scheme://user:password@host`) is hidden too.
    """
    known = tuple(values)
    return tuple((name, _shown(name, value, known)) for name, value in sorted(environment.items()))


def _shown(name: str, value: str, known: tuple[str, ...]) -> str:
    upper = name.upper()
    if any(word in upper for word in _NAMES) and value:
        return HIDDEN
    for secret in known:
        value = value.replace(secret, HIDDEN)
    scheme, separator, rest = value.partition("://")
    user, at, host = rest.partition("@")
    if separator and at and ":" in user and "/" not in user:
        return f"{scheme}://{user.partition(':')[0]}:{HIDDEN}@{host}"
    return value
