"""S3 requests signed in their URL: whoever sends them needs no key, so they can be sent from anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from floe_dev.storage.base import StoreCredential

#: Seconds that such a URL is good for.
_GOOD_SECONDS = 120


def signed_url(
    method: str,
    endpoint: str,
    region: str,
    keys: StoreCredential,
    bucket: str,
    key: str = "",
    query: dict[str, str] | None = None,
) -> str:
    """A path-style URL at `endpoint` (as whoever sends it reaches the store) with Signature V4 in its query."""
    from minio.credentials.credentials import Credentials
    from minio.signer import presign_v4

    base = urlsplit(endpoint)
    asked = dict(query or {})
    if keys.session_token:
        asked["X-Amz-Security-Token"] = keys.session_token
    path = f"/{bucket}" + (f"/{quote(key)}" if key else "/")
    url = SplitResult(base.scheme, base.netloc, path, urlencode(sorted(asked.items()), quote_via=quote), "")
    return presign_v4(
        method=method,
        url=url,
        region=region,
        credentials=Credentials(keys.access_key, keys.secret_key, keys.session_token),
        date=datetime.now(UTC),
        expires=_GOOD_SECONDS,
    ).geturl()
