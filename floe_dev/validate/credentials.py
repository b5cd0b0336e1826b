"""The project's credential gets a token, and the catalog answers it."""

from __future__ import annotations

from floe_dev.validate.result import Findings, Subject, ok


def check(name: str, subject: Subject) -> Findings:
    """FloeError 3xxx, with the catalog's own words, where it is refused."""
    from floe_dev.catalogs.client import CatalogClient

    subject.require_running()
    connection = subject.session.connection()
    with CatalogClient(connection) as client:
        count = len(client.namespaces())
    yield ok(name, f"a token was given, {count} namespaces of {connection.warehouse} were listed")
