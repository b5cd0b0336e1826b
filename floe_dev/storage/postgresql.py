"""PostgreSQL behind a stack: a database and a user for each of those that share one server."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DatabaseAccess:
    """One database on one server, as one user."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)


def set_up(server: DatabaseAccess, wanted: DatabaseAccess) -> bool:
    """Make the database of `wanted` with its user, who owns it and nothing else; whether it was made now.

    `server` is the administrator's access. What is there stays; the user's password is brought in line. Raises OSError.
    """
    import psycopg
    from psycopg import sql

    try:
        with psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=server.name,
            user=server.user,
            password=server.password,
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            user, name = sql.Identifier(wanted.user), sql.Identifier(wanted.name)
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (wanted.user,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, user, sql.Literal(wanted.password)))
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (wanted.name,)).fetchone():
                return False
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, user))
            # Whoever may log in may not look into the others' databases.
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
            own = sql.Identifier(server.name)
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(own))
            return True
    except psycopg.Error as error:
        raise OSError(0, (str(error).strip() or type(error).__name__).splitlines()[0]) from error
