"""Making and dropping a test's lakehouse: as few requests as its isolation allows, each a few milliseconds."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from floe_dev.testing.admin import CATALOG, MANAGEMENT
from floe_dev.testing.lakehouse import NAMESPACE, Isolation, Lakehouse
from floe_dev.testing.recording import Recording

if TYPE_CHECKING:
    from floe_dev.testing.stack import TestStack

_SHARED = "floe_tests"
_ADMIN_ROLE = "catalog_admin"
_READER_ROLE = "floe_test_names"
_NOT_NAME = re.compile(r"\W+", re.ASCII)


def create_lakehouse(stack: TestStack, label: str, isolation: Isolation = "catalog") -> Lakehouse:
    """A new, empty lakehouse named after `label`; raises FloeError 3001 or 3002."""
    from pydantic import SecretStr

    from floe_dev.model.connection import CatalogConnection, Credential

    name = f"{_NOT_NAME.sub('_', label.lower()).strip('_')[:40]}_{secrets.token_hex(4)}"
    send = stack.admin.send
    if isolation == "namespace":
        catalog, namespace, roles = _SHARED, name, [name, _READER_ROLE]
        base = _shared_catalog(stack)
        send("POST", f"{CATALOG}/{_SHARED}/namespaces", {"namespace": [name]})
        send("POST", f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles", {"catalogRole": {"name": name}})
        grant = {"type": "namespace", "namespace": [name], "privilege": "CATALOG_MANAGE_CONTENT"}
        _grant(stack, _SHARED, name, grant)
    else:
        catalog, namespace, roles = name, NAMESPACE, [_ADMIN_ROLE]
        base = _create_catalog(stack, name)
        _grant(stack, name, _ADMIN_ROLE, {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"})
        send("POST", f"{CATALOG}/{name}/namespaces", {"namespace": [namespace]})
    made = send("POST", f"{MANAGEMENT}/principals", {"principal": {"name": name}})["credentials"]
    send("POST", f"{MANAGEMENT}/principal-roles", {"principalRole": {"name": name}})
    send("PUT", f"{MANAGEMENT}/principals/{name}/principal-roles", {"principalRole": {"name": name}})
    for role in roles:
        access = {"catalogRole": {"name": role}}
        send("PUT", f"{MANAGEMENT}/principal-roles/{name}/catalog-roles/{catalog}", access)
    credential = Credential(client_id=made["clientId"], client_secret=SecretStr(made["clientSecret"]))
    connection = CatalogConnection(
        uri=stack.root.uri, warehouse=catalog, credential=credential, access_delegation=stack.access_delegation
    )
    recording = Recording(stack.folder / "tests" / name)
    return Lakehouse(catalog, namespace, name, isolation, connection, stack, recording, base)


def drop_lakehouse(lakehouse: Lakehouse) -> None:
    """Drop what it holds, its principal and its files; what is gone already is no error."""
    send, role = lakehouse.stack.admin.send, lakehouse.principal
    folder = _own_folder(lakehouse)
    for namespace in lakehouse.namespaces():
        _drop_namespace(lakehouse, namespace, purge=folder is None)
    if lakehouse.isolation == "namespace":
        send("DELETE", f"{MANAGEMENT}/catalogs/{lakehouse.catalog}/catalog-roles/{role}", accept=(404,))
    else:
        send("DELETE", f"{MANAGEMENT}/catalogs/{lakehouse.catalog}", accept=(404,))
    send("DELETE", f"{MANAGEMENT}/principals/{role}", accept=(404,))
    send("DELETE", f"{MANAGEMENT}/principal-roles/{role}", accept=(404,))
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(lakehouse.folder, ignore_errors=True)


def _drop_namespace(lakehouse: Lakehouse, namespace: tuple[str, ...], *, purge: bool) -> None:
    send, base = lakehouse.stack.admin.send, lakehouse.path(namespace)
    for name in lakehouse.names(namespace, "tables"):
        # Folders go at once where they are ours; elsewhere only the catalog can delete them.
        query = "?purgeRequested=true" if purge else ""
        send("DELETE", f"{base}/tables/{quote(name, safe='')}{query}", accept=(404,))
    for name in lakehouse.names(namespace, "views"):
        send("DELETE", f"{base}/views/{quote(name, safe='')}", accept=(404,))
    send("DELETE", base, accept=(404,))


def _own_folder(lakehouse: Lakehouse) -> Path | None:
    """Where its files are, if in the run's own folder."""
    parts = urlsplit(lakehouse.base)
    if lakehouse.stack.pid is None or parts.scheme != "file":
        return None
    folder = Path(url2pathname(parts.path))
    return folder / lakehouse.namespace if lakehouse.isolation == "namespace" else folder


def _create_catalog(stack: TestStack, name: str) -> str:
    """The location of the catalog `name`, made if it is not there."""
    properties = {"polaris.config.drop-with-purge.enabled": "true"}
    location = stack.location(name)
    if location is not None:
        properties["default-base-location"] = location
    catalog = {
        "type": "INTERNAL",
        "name": name,
        "properties": properties,
        "storageConfigInfo": stack.storage_config(location),
    }
    path = f"{MANAGEMENT}/catalogs"
    made = stack.admin.send("POST", path, {"catalog": catalog}, accept=(409,))
    if "properties" not in made:
        made = stack.admin.send("GET", f"{path}/{name}")
    return str(made["properties"]["default-base-location"])


def _shared_catalog(stack: TestStack) -> str:
    """The location of the catalog whose namespaces tests get, made by whichever test is the first."""
    if stack.shared_location is None:
        base = _create_catalog(stack, _SHARED)
        roles = f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles"
        stack.admin.send("POST", roles, {"catalogRole": {"name": _READER_ROLE}}, accept=(409,))
        # Clients list a catalog before they work in it. Others' data stays out of reach.
        for privilege in ("NAMESPACE_READ_PROPERTIES", "TABLE_LIST", "VIEW_READ_PROPERTIES"):
            _grant(stack, _SHARED, _READER_ROLE, {"type": "catalog", "privilege": privilege})
        stack.shared_location = base
    return stack.shared_location


def _grant(stack: TestStack, catalog: str, role: str, grant: dict[str, Any]) -> None:
    path = f"{MANAGEMENT}/catalogs/{catalog}/catalog-roles/{role}/grants"
    stack.admin.send("PUT", path, {"grant": grant})
