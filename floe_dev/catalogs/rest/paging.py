"""Pages of a sorted listing: the token is the last key of the page before, so changes in between repeat nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TypeVar

from floe_dev.catalogs.rest.errors import bad_request

T = TypeVar("T")


def page(items: Sequence[tuple[str, T]], query: Mapping[str, str], largest: int) -> tuple[list[T], str | None]:
    """The items of the page asked for, and the next token or None; `items` are sorted by their unique keys.

    Without `pageToken` the specification wants everything in one answer, since the client does not know of pages.
    """
    size = _size(query.get("pageSize"), largest)
    if "pageToken" not in query:
        return [item for _, item in items], None
    after = _after(query["pageToken"])
    rest = [entry for entry in items if after is None or entry[0] > after]
    chosen = rest[:size]
    token = base64.urlsafe_b64encode(chosen[-1][0].encode()).decode() if len(rest) > size else None
    return [item for _, item in chosen], token


def _size(text: str | None, largest: int) -> int:
    if text is None:
        return largest
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise bad_request("pageSize must be a positive integer")
    return min(int(text), largest)


def _after(token: str) -> str | None:
    if not token:
        return None
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise bad_request("pageToken is not one of this catalog's") from None
