"""Who may do what: principals from tokens, and the grants that reach them through principal and catalog roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from floe_dev.catalogs.rest import names
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import ApiError, forbidden, unauthorized
from floe_dev.catalogs.rest.privileges import satisfied_by
from floe_dev.catalogs.rest.tokens import Claims, mark_of

#: The name of the principal that every server begins with.
ROOT = "root"
#: The role of the root principal: everything in the management API.
SERVICE_ADMIN = "service_admin"
#: Made with every catalog and given to service_admin, as in Polaris: manages access and metadata, not data.
CATALOG_ADMIN = "catalog_admin"
ALL_ROLES = "PRINCIPAL_ROLE:ALL"
ROLE_PREFIX = "PRINCIPAL_ROLE:"


@dataclass(frozen=True)
class Principal:
    """Who asks, and the roles that the token activates."""

    id: int
    name: str
    roles: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        """Whether the management API is open."""
        return SERVICE_ADMIN in self.roles


def principal_of(tx: Transaction, claims: Claims) -> Principal:
    """The principal behind a token; 401 when it no longer exists."""
    # Asked at every request, and for each part of a batch: one statement.
    rows = tx.all(
        "SELECT p.name, p.secret, a.principal_role FROM floe_principals p "
        "LEFT JOIN floe_principal_assignments a ON a.principal_id = p.id WHERE p.id = ?",
        claims.principal_id,
    )
    if not rows or mark_of(rows[0][1]) != claims.mark:
        raise unauthorized("The principal of this token is gone, or has a new secret")
    roles = [row[2] for row in rows if row[2] is not None]
    asked = claims.scope.split()
    if ALL_ROLES not in asked:
        wanted = {scope.removeprefix(ROLE_PREFIX) for scope in asked}
        roles = [role for role in roles if role in wanted]
    return Principal(claims.principal_id, rows[0][0], tuple(sorted(roles)))


@dataclass(frozen=True)
class Grant:
    """One privilege on one securable: the whole catalog, a namespace with all below it, one table or one view."""

    type: str
    namespace: str
    name: str
    privilege: str

    def covers(self, kind: str, namespace: str | None, name: str | None) -> bool:
        """Whether the securable lies within this grant's."""
        if self.type == "catalog":
            return True
        if namespace is None:
            return False
        if self.type == "namespace":
            return namespace == self.namespace or namespace.startswith(self.namespace + ".")
        return self.type == kind and namespace == self.namespace and name == self.name


class Access:
    """What one principal may do in one catalog."""

    def __init__(self, principal: Principal, catalog: str, roles: Sequence[str], grants: Sequence[Grant]) -> None:
        """Made by `access_to`."""
        self._principal = principal
        self._catalog = catalog
        self._roles = roles
        self._grants = grants

    def may(
        self, privilege: str, namespace: names.Namespace | None = None, name: str | None = None, kind: str = "table"
    ) -> bool:
        """Whether a grant allows it on the catalog, a namespace, or a table or view (`kind`) in it."""
        enough = satisfied_by(privilege)
        key = names.key(namespace) if namespace else None
        return any(grant.privilege in enough and grant.covers(kind, key, name) for grant in self._grants)

    def demand(
        self,
        operation: str,
        *privileges: str,
        namespace: names.Namespace | None = None,
        name: str | None = None,
        kind: str = "table",
    ) -> None:
        """403 unless every privilege is there."""
        for privilege in privileges:
            if not self.may(privilege, namespace, name, kind):
                raise refused(self._principal, operation, self._roles)


def refused(principal: Principal, operation: str, roles: Sequence[str] = ()) -> ApiError:
    """403, naming who asked for what, with Polaris's words."""
    via = ", ".join([*roles, *principal.roles])
    return forbidden(
        f"Principal '{principal.name}' with activated PrincipalRoles '[{', '.join(principal.roles)}]' and activated "
        f"grants via '[{via}]' is not authorized for op {operation}"
    )


def access_to(tx: Transaction, principal: Principal, catalog: str) -> Access | None:
    """What the principal may do in a catalog; None when it holds no role there, which it cannot tell from absence."""
    # No role at all: a list that nothing is in, which SQL cannot write as an empty one.
    marks = ",".join("?" * len(principal.roles)) or "NULL"
    rows = tx.all(
        "SELECT DISTINCT a.catalog_role, g.type, g.namespace, g.name, g.privilege FROM floe_role_assignments a "  # noqa: S608
        "LEFT JOIN floe_grants g ON g.catalog_name = a.catalog_name AND g.catalog_role = a.catalog_role "
        f"WHERE a.catalog_name = ? AND a.principal_role IN ({marks})",
        catalog,
        *principal.roles,
    )
    if not rows and not _known_in(tx, principal, catalog):
        return None
    grants = [Grant(*row[1:]) for row in rows if row[1] is not None]
    return Access(principal, catalog, sorted({row[0] for row in rows}), grants)


def _known_in(tx: Transaction, principal: Principal, catalog: str) -> bool:
    """Whether the principal holds a role in the catalog that its token does not activate."""
    sql = (
        "SELECT 1 FROM floe_role_assignments r JOIN floe_principal_assignments p "
        "ON p.principal_role = r.principal_role WHERE r.catalog_name = ? AND p.principal_id = ? LIMIT 1"
    )
    return tx.one(sql, catalog, principal.id) is not None
