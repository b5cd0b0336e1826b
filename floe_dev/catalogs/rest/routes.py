"""Every path the server answers, and the handler behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from floe_dev.catalogs.rest import commits, namespaces, oauth, tables, views
from floe_dev.catalogs.rest.config import get_config
from floe_dev.catalogs.rest.http import Call, Reply
from floe_dev.catalogs.rest.management import assignments, batch, catalogs, contents, grants, principals, roles
from floe_dev.catalogs.rest.server import Server

Handler = Callable[[Server, Call], Reply]

API = "/api/catalog"
MANAGEMENT = "/api/management/v1"


@dataclass(frozen=True)
class Endpoint:
    """A method and path template; `public` ones need no token, `repeatable` ones honour an Idempotency-Key."""

    method: str
    path: str
    handler: Handler
    public: bool = False
    repeatable: bool = False

    @property
    def writes(self) -> bool:
        """Whether the handler opens a write transaction."""
        return self.method not in {"GET", "HEAD"} and self.handler not in READING_POSTS


#: Posts that change nothing.
READING_POSTS = {oauth.token, tables.metrics}

_NS = "/v1/{prefix}/namespaces"
_N = _NS + "/{namespace}"
_T = _N + "/tables"
_TABLE = _T + "/{table}"
_V = _N + "/views"
_VIEW = _V + "/{view}"

#: The paths of the Iceberg REST specification, as clients see them in the configuration.
ICEBERG: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _NS, namespaces.list_namespaces),
    ("POST", _NS, namespaces.create_namespace),
    ("GET", _N, namespaces.load_namespace),
    ("HEAD", _N, namespaces.namespace_exists),
    ("DELETE", _N, namespaces.drop_namespace),
    ("POST", _N + "/properties", namespaces.update_properties),
    ("GET", _T, tables.list_tables),
    ("POST", _T, tables.create_table),
    ("GET", _TABLE, tables.load_table),
    ("HEAD", _TABLE, tables.table_exists),
    ("POST", _TABLE, commits.commit_table),
    ("DELETE", _TABLE, tables.drop_table),
    ("GET", _TABLE + "/credentials", tables.credentials),
    ("POST", _TABLE + "/metrics", tables.metrics),
    ("POST", _N + "/register", tables.register_table),
    ("POST", "/v1/{prefix}/tables/rename", tables.rename_table),
    ("POST", "/v1/{prefix}/transactions/commit", commits.commit_transaction),
    ("GET", _V, views.list_views),
    ("POST", _V, views.create_view),
    ("GET", _VIEW, views.load_view),
    ("HEAD", _VIEW, views.view_exists),
    ("POST", _VIEW, views.replace_view),
    ("DELETE", _VIEW, views.drop_view),
    ("POST", _N + "/register-view", views.register_view),
    ("POST", "/v1/{prefix}/views/rename", views.rename_view),
)

_P = "/principals/{principal}"
_R = "/principal-roles/{role}"
_C = "/catalogs/{catalog}"
_CR = _C + "/catalog-roles/{role}"

#: Polaris's management API.
POLARIS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/catalogs", catalogs.list_catalogs),
    ("POST", "/catalogs", catalogs.create_catalog),
    ("GET", _C, catalogs.get_catalog),
    ("PUT", _C, catalogs.update_catalog),
    ("DELETE", _C, catalogs.delete_catalog),
    ("GET", "/principals", principals.list_principals),
    ("POST", "/principals", principals.create_principal),
    ("GET", _P, principals.get_principal),
    ("PUT", _P, principals.update_principal),
    ("DELETE", _P, principals.delete_principal),
    ("POST", _P + "/rotate", principals.rotate),
    ("POST", _P + "/reset", principals.reset),
    ("GET", _P + "/principal-roles", assignments.list_assigned),
    ("PUT", _P + "/principal-roles", assignments.assign),
    ("DELETE", _P + "/principal-roles/{role}", assignments.unassign),
    ("GET", "/principal-roles", roles.list_principal_roles),
    ("POST", "/principal-roles", roles.create_principal_role),
    ("GET", _R, roles.get_principal_role),
    ("PUT", _R, roles.update_principal_role),
    ("DELETE", _R, roles.delete_principal_role),
    ("GET", _R + "/principals", assignments.list_holders),
    ("GET", _R + "/catalog-roles/{catalog}", assignments.list_carried),
    ("PUT", _R + "/catalog-roles/{catalog}", assignments.assign_catalog_role),
    ("DELETE", _R + "/catalog-roles/{catalog}/{catalog_role}", assignments.unassign_catalog_role),
    ("GET", _C + "/catalog-roles", roles.list_catalog_roles),
    ("POST", _C + "/catalog-roles", roles.create_catalog_role),
    ("GET", _CR, roles.get_catalog_role),
    ("PUT", _CR, roles.update_catalog_role),
    ("DELETE", _CR, roles.delete_catalog_role),
    ("GET", _CR + "/principal-roles", assignments.list_carriers),
    ("GET", _CR + "/grants", grants.list_grants),
    ("PUT", _CR + "/grants", grants.add_grant),
    ("POST", _CR + "/grants", grants.revoke_grant),
)

#: Beside Polaris's paths; `/batch`, which is over all of them, is made with them.
OWN: tuple[tuple[str, str, Handler], ...] = (("DELETE", _C + "/contents", contents.drop_contents),)


def _config(server: Server, call: Call) -> Reply:
    return get_config(server, call, [f"{method} {path}" for method, path, _ in ICEBERG])


def _live(_server: Server, _call: Call) -> Reply:
    return Reply.json({"status": "UP", "checks": []})


def _ready(server: Server, _call: Call) -> Reply:
    with server.database.read() as tx:
        tx.one("SELECT count(*) FROM floe_catalogs")
    return Reply.json({"status": "UP", "checks": [{"name": "database", "status": "UP"}]})


def _metrics(server: Server, _call: Call) -> Reply:
    return Reply(200, server.counters.text().encode(), {"content-type": "text/plain; version=0.0.4; charset=utf-8"})


def endpoints() -> list[Endpoint]:
    """All of them."""
    iceberg = [
        Endpoint(
            method,
            API + path,
            handler,
            repeatable=method not in {"GET", "HEAD"} and handler not in READING_POSTS,
        )
        for method, path, handler in ICEBERG
    ]
    managing = [Endpoint(method, MANAGEMENT + path, handler) for method, path, handler in (*POLARIS, *OWN)]
    together = batch.answering((each.method, each.path, each.handler) for each in (*iceberg, *managing))
    return [
        # Looked for in this order: the paths that are asked for most, and have no other way of being quick, first.
        Endpoint("POST", MANAGEMENT + "/batch", together),
        Endpoint("GET", "/q/health/live", _live, public=True),
        Endpoint("GET", "/q/health/ready", _ready, public=True),
        Endpoint("GET", "/q/metrics", _metrics, public=True),
        Endpoint("POST", API + "/v1/oauth/tokens", oauth.token, public=True),
        Endpoint("GET", API + "/v1/config", _config),
        *iceberg,
        *managing,
    ]
