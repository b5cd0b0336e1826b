"""PyIceberg's REST catalog that tells the server which span its requests belong to."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog.rest import RestCatalog
from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter

from floe_dev.model.connection import CatalogConnection
from floe_dev.tracing.context import current


class TracedCatalog(RestCatalog):
    """Adds W3C's `traceparent` to every request."""

    def _create_session(self) -> Session:
        session = super()._create_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _TracedAdapter())
        return session


class _TracedAdapter(HTTPAdapter):
    """What requests asks for each request's extra headers."""

    def add_headers(self, request: PreparedRequest, **kwargs: Any) -> None:  # noqa: ARG002 - requests' signature
        """The current span's, if there is one."""
        context = current()
        if context is not None:
            request.headers["traceparent"] = context.traceparent()


def traced_catalog(connection: CatalogConnection) -> TracedCatalog:
    """A client of the catalog behind `connection`; raises what PyIceberg raises where it does not answer."""
    return TracedCatalog(connection.alias, **connection.pyiceberg_properties())
