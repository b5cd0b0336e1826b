"""Making and dropping a test's lakehouse: as few requests as its isolation allows, each a few milliseconds."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from floe_dev.errors import Code, FloeError
from floe_dev.testing.admin import CATALOG, MANAGEMENT, Admin, Ask
from floe_dev.testing.lakehouse import NAMESPACE, Isolation, Lakehouse
from floe_dev.testing.recording import Recording

if TYPE_CHECKING:
    from floe_dev.testing.stack import TestStack

_SHARED = "floe_tests"
_ADMIN_ROLE = "catalog_admin"
_READER_ROLE = "floe_test_names"
_BASE = "default-base-location"
#: A property that floe's own catalog heeds: where keys for a table's files may read as well.
_READABLE = "floe.readable-locations"
#: Floe's own path for all that a catalog holds.
_CONTENTS = "contents"
_NOT_NAME = re.compile(r"\W+", re.ASCII)


def create_lakehouse(
    stack: TestStack, label: str, isolation: Isolation = "catalog", *, template: bool = False
) -> Lakehouse:
    """A new, empty lakehouse named after `label`; raises FloeError 3001 or 3002.

    Every other lakehouse of the stack may read what is in one that is a `template`.
    """
    from pydantic import SecretStr

    from floe_dev.model.connection import CatalogConnection, Credential

    name = f"{_NOT_NAME.sub('_', label.lower()).strip('_')[:40]}_{secrets.token_hex(4)}"
    if isolation == "namespace":
        catalog, namespace, roles = _SHARED, name, [name, _READER_ROLE]
        base = _shared_catalog(stack)
        grant = {"type": "namespace", "namespace": [name], "privilege": "CATALOG_MANAGE_CONTENT"}
        place = [
            Ask("POST", f"{CATALOG}/{_SHARED}/namespaces", {"namespace": [name]}),
            Ask("POST", f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles", {"catalogRole": {"name": name}}),
            _grant(_SHARED, name, grant),
        ]
    else:
        catalog, namespace, roles = name, NAMESPACE, [_ADMIN_ROLE]
        base = ""
        place = [
            _make_catalog(stack, name, template=template),
            _grant(name, _ADMIN_ROLE, {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}),
            Ask("POST", f"{CATALOG}/{name}/namespaces", {"namespace": [namespace]}),
        ]
    answers = stack.admin.together(
        [
            *place,
            Ask("POST", f"{MANAGEMENT}/principals", {"principal": {"name": name}}),
            Ask("POST", f"{MANAGEMENT}/principal-roles", {"principalRole": {"name": name}}),
            Ask("PUT", f"{MANAGEMENT}/principals/{name}/principal-roles", {"principalRole": {"name": name}}),
            *(
                Ask(
                    "PUT",
                    f"{MANAGEMENT}/principal-roles/{name}/catalog-roles/{catalog}",
                    {"catalogRole": {"name": role}},
                )
                for role in roles
            ),
        ]
    )
    made = answers[len(place)]["credentials"]
    base = base or str(answers[0]["properties"][_BASE])
    credential = Credential(client_id=made["clientId"], client_secret=SecretStr(made["clientSecret"]))
    connection = CatalogConnection(
        uri=stack.root.uri, warehouse=catalog, credential=credential, access_delegation=stack.access_delegation
    )
    recording = Recording(stack.folder / "tests" / name)
    return Lakehouse(catalog, namespace, name, isolation, connection, stack, recording, base)


def drop_lakehouse(lakehouse: Lakehouse) -> None:
    """Drop what it holds, its principal and its files; what is gone already is no error."""
    role, folder, admin = lakehouse.principal, _own_folder(lakehouse), lakehouse.stack.admin
    place = f"/{lakehouse.catalog}/catalog-roles/{role}" if lakehouse.isolation == "namespace" else f"/{role}"
    rest = [
        Ask("DELETE", f"{MANAGEMENT}/catalogs{place}", accept=(404,)),
        Ask("DELETE", f"{MANAGEMENT}/principals/{role}", accept=(404,)),
        Ask("DELETE", f"{MANAGEMENT}/principal-roles/{role}", accept=(404,)),
    ]
    # Folders go at once where they are ours; elsewhere only the catalog can delete them.
    purge = folder is None
    if not _drop_at_once(admin, [_all_contents(lakehouse, purge=purge), *rest]):
        admin.together([*_contents(lakehouse, purge=purge), *rest])
    for own in (folder, lakehouse.folder):
        if own is not None and own.exists():
            shutil.rmtree(own, ignore_errors=True)


def _drop_at_once(admin: Admin, asks: list[Ask]) -> bool:
    """Send what drops everything as one batch; False where the server knows no such request, and nothing is done."""
    if admin.drops_contents:
        # Nobody waits for it: the server is at it while pytest reports the test and looks for the next.
        admin.together_soon(asks)
        return True
    if admin.drops_contents is False or not admin.is_floes:
        return False
    try:
        admin.together(asks)
    except FloeError as error:
        if error.code is not Code.CATALOG_REFUSED:
            raise
        # An older floe's. If it was refused for another reason, the single requests are refused too, and say so.
        admin.drops_contents = False
    else:
        admin.drops_contents = True
    return admin.drops_contents


def _all_contents(lakehouse: Lakehouse, *, purge: bool) -> Ask:
    """The one request of floe's own catalog that drops every table, view and namespace."""
    query = "?purgeRequested=true" if purge else "?"
    if lakehouse.isolation == "namespace":
        query += f"&namespace={quote(lakehouse.namespace, safe='')}"
    return Ask("DELETE", f"{MANAGEMENT}/catalogs/{lakehouse.catalog}/{_CONTENTS}{query.rstrip('?')}", accept=(404,))


def _contents(lakehouse: Lakehouse, *, purge: bool) -> list[Ask]:
    """The requests that drop every table, view and namespace, deepest first."""
    found: list[Ask] = []
    query = "?purgeRequested=true" if purge else ""
    for namespace, tables, views in lakehouse.holdings():
        base = lakehouse.path(namespace)
        found += [Ask("DELETE", f"{base}/tables/{quote(name, safe='')}{query}", accept=(404,)) for name in tables]
        found += [Ask("DELETE", f"{base}/views/{quote(name, safe='')}", accept=(404,)) for name in views]
        found.append(Ask("DELETE", base, accept=(404,)))
    return found


def _own_folder(lakehouse: Lakehouse) -> Path | None:
    """Where its files are, if in the run's own folder."""
    parts = urlsplit(lakehouse.base)
    if lakehouse.stack.pid is None or parts.scheme != "file":
        return None
    folder = Path(url2pathname(parts.path))
    return folder / lakehouse.namespace if lakehouse.isolation == "namespace" else folder


def _make_catalog(stack: TestStack, name: str, accept: tuple[int, ...] = (), *, template: bool = False) -> Ask:
    properties = {"polaris.config.drop-with-purge.enabled": "true"}
    location = stack.location(name)
    if location is not None and stack.templates is not None:
        if template:
            location = f"{stack.templates}/{name}"
        else:
            properties[_READABLE] = stack.templates
        properties[_BASE] = location
    catalog = {
        "type": "INTERNAL",
        "name": name,
        "properties": properties,
        "storageConfigInfo": stack.storage_config(location),
    }
    return Ask("POST", f"{MANAGEMENT}/catalogs", {"catalog": catalog}, accept)


def _shared_catalog(stack: TestStack) -> str:
    """The location of the catalog whose namespaces tests get, made by whichever test is the first."""
    if stack.shared_location is None:
        roles = f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles"
        answers = stack.admin.together(
            [
                _make_catalog(stack, _SHARED, accept=(409,)),
                # Root's own right to purge what is dropped; its role alone manages, and deletes no data.
                _grant(_SHARED, _ADMIN_ROLE, {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}),
                Ask("POST", roles, {"catalogRole": {"name": _READER_ROLE}}, (409,)),
                # Clients list a catalog before they work in it. Others' data stays out of reach.
                *(
                    _grant(_SHARED, _READER_ROLE, {"type": "catalog", "privilege": privilege})
                    for privilege in ("NAMESPACE_READ_PROPERTIES", "TABLE_LIST", "VIEW_READ_PROPERTIES")
                ),
                Ask("GET", f"{MANAGEMENT}/catalogs/{_SHARED}"),
            ]
        )
        stack.shared_location = str(answers[-1]["properties"][_BASE])
    return stack.shared_location


def _grant(catalog: str, role: str, grant: dict[str, Any]) -> Ask:
    return Ask("PUT", f"{MANAGEMENT}/catalogs/{catalog}/catalog-roles/{role}/grants", {"grant": grant})
