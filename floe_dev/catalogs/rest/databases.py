"""Which database an address means; a new one is one module and one line here."""

from __future__ import annotations

from floe_dev.catalogs.rest.database import Database


def open_database(where: str) -> Database:
    """The database at `postgresql://…` or in the SQLite file of that path, made if it is missing.

    Raises DatabaseError, OSError.
    """
    if where.startswith("postgresql://"):
        from floe_dev.catalogs.rest.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(where)
    from floe_dev.catalogs.rest.sqlite import SqliteDatabase

    return SqliteDatabase(where)
