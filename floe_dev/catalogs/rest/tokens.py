"""Access tokens (HS256 JSON Web Tokens) and the hashed form of client secrets.

A token names the principal and the roles it asked for, and is checked against the database at every request, so that a
deleted principal, a new secret or a revoked grant counts at once. The key outlives the process: tokens do too.
Secrets are random (256 bits), so one salted SHA-256 is as good as a slow hash, and a token call stays at a millisecond.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
#: Tokens whose signature is known to be right; a request asks for it two or three times, a batch once a part.
_KEPT = 1000
#: Beyond this a token is not one of ours, whatever it holds.
MAX_TOKEN_CHARACTERS = 4096


@dataclass(frozen=True)
class Claims:
    """What a valid token says."""

    principal_id: int
    principal: str
    scope: str
    #: Tells the secret the token was bought with; a new secret ends the tokens of the old one.
    mark: str


class TokenSigner:
    """Issues and checks tokens."""

    def __init__(self, key: bytes, seconds: int) -> None:
        """`key` at least 16 bytes; `seconds` is the life of a token."""
        self._key = key
        self.seconds = seconds
        self._known: dict[str, tuple[Claims, float]] = {}

    def issue(self, claims: Claims) -> str:
        """A token for an authenticated principal."""
        now = int(time.time())
        payload = {
            "iss": "floe",
            "sub": claims.principal,
            "principalId": claims.principal_id,
            "scope": claims.scope,
            "mark": claims.mark,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(8),
        }
        body = base64.urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).rstrip(b"=")
        signed = HEADER + b"." + body
        return (signed + b"." + self._signature(signed)).decode()

    def check(self, token: str) -> Claims | None:
        """The claims of a token that is ours and not expired, else None."""
        known = self._known.get(token)
        if known is None:
            known = self._read(token)
            if known is None:
                return None
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[token] = known
        claims, ends = known
        return claims if time.time() < ends else None

    def _read(self, token: str) -> tuple[Claims, float] | None:
        """The claims of a token that is ours, and when it ends."""
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            return None
        signed, _, signature = token.encode().rpartition(b".")
        if not signed.startswith(HEADER + b".") or not hmac.compare_digest(signature, self._signature(signed)):
            return None
        body = signed[len(HEADER) + 1 :]
        payload = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        claims = Claims(payload["principalId"], payload["sub"], payload["scope"], payload.get("mark", ""))
        return claims, payload["exp"]

    def _signature(self, signed: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).rstrip(b"=")


def new_client_id() -> str:
    """A client id of the length Polaris uses."""
    return secrets.token_hex(8)


def new_secret() -> str:
    """A client secret: 256 random bits."""
    return secrets.token_hex(32)


def hash_secret(secret: str) -> str:
    """The form kept in the database: `<salt>$<digest>`."""
    salt = secrets.token_hex(16)
    return f"{salt}${_digest(salt, secret)}"


def secret_matches(secret: str, stored: str) -> bool:
    """Compare in constant time."""
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(_digest(salt, secret), digest)


def mark_of(stored: str) -> str:
    """What tells one stored secret from the next: its random salt."""
    return stored.partition("$")[0]


def _digest(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode("utf-8", "surrogatepass")).hexdigest()
