"""The management API through the official Polaris SDK: every operation it has, against the real server."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from apache_polaris.sdk.management import ApiClient, Configuration, PolarisDefaultApi, models
from apache_polaris.sdk.management.exceptions import ApiException

from tests.catalog.conftest import Space
from tests.catalog.server import RunningCatalog

OPERATIONS = {
    name
    for name, _ in inspect.getmembers(PolarisDefaultApi, inspect.isfunction)
    if not name.startswith("_") and not name.endswith(("_with_http_info", "_without_preload_content"))
}


class Recorder:
    """The SDK, noting which of its operations were used."""

    def __init__(self, api: PolarisDefaultApi) -> None:
        self._api = api
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(self._api, name)


def sdk(server: RunningCatalog, token: str) -> Recorder:
    configuration = Configuration(host=f"{server.url}/api/management/v1", access_token=token)
    return Recorder(PolarisDefaultApi(ApiClient(configuration)))


@pytest.fixture
def api(own_server: RunningCatalog) -> Recorder:
    return sdk(own_server, own_server.root_token)


def refused(status: int, call: Any, *arguments: Any) -> None:
    with pytest.raises(ApiException) as caught:
        call(*arguments)
    assert caught.value.status == status, caught.value.body


def file_catalog(name: str, location: str) -> Any:
    storage = models.FileStorageConfigInfo(storageType="FILE", allowedLocations=[location])
    properties = models.CatalogProperties.from_dict({"default-base-location": location})
    assert properties is not None
    return models.PolarisCatalog(type="INTERNAL", name=name, properties=properties, storageConfigInfo=storage)


def test_every_operation_of_the_sdk(own_server: RunningCatalog, api: Recorder) -> None:
    location = own_server.location("demo")
    _catalogs(api, location)
    _principals(own_server, api)
    _roles(api)
    _grants(own_server, api)
    _taken_apart(api)
    assert api.used == OPERATIONS


def _catalogs(api: Recorder, location: str) -> None:
    api.create_catalog(models.CreateCatalogRequest(catalog=file_catalog("demo", location)))
    refused(409, api.create_catalog, models.CreateCatalogRequest(catalog=file_catalog("demo", location)))
    inside = file_catalog("inside", f"{location}/inside")
    refused(400, api.create_catalog, models.CreateCatalogRequest(catalog=inside))
    assert [catalog.name for catalog in api.list_catalogs().catalogs] == ["demo"]
    seen = api.get_catalog("demo")
    assert seen.storage_config_info.allowed_locations == [location]
    change = models.UpdateCatalogRequest(
        currentEntityVersion=seen.entity_version,
        properties={"default-base-location": location, "owner": "a"},
    )
    assert api.update_catalog("demo", change).properties.additional_properties["owner"] == "a"
    refused(409, api.update_catalog, "demo", change)
    refused(404, api.get_catalog, "none")


def _principals(server: RunningCatalog, api: Recorder) -> None:
    request = models.CreatePrincipalRequest(principal=models.Principal(name="ada", properties={"team": "x"}))
    made = api.create_principal(request)
    first = made.credentials.client_secret.get_secret_value()
    refused(409, api.create_principal, request)
    assert {principal.name for principal in api.list_principals().principals} == {"ada", "root"}
    seen = api.get_principal("ada")
    assert seen.properties == {"team": "x"}
    change = models.UpdatePrincipalRequest(currentEntityVersion=seen.entity_version, properties={"team": "y"})
    assert api.update_principal("ada", change).properties == {"team": "y"}
    refused(409, api.update_principal, "ada", change)
    own = sdk(server, server.token(made.credentials.client_id, first))
    rotated = own.rotate_credentials("ada").credentials
    refused(403, api.rotate_credentials, "ada")
    api.used |= own.used
    reset = api.reset_credentials("ada", models.ResetPrincipalRequest()).credentials
    secrets = [item.client_secret.get_secret_value() for item in (made.credentials, rotated, reset)]
    assert len(set(secrets)) == 3
    form = {"grant_type": "client_credentials", "client_id": reset.client_id, "scope": "PRINCIPAL_ROLE:ALL"}
    path = "/api/catalog/v1/oauth/tokens"
    answers = [server.send("POST", path, form={**form, "client_secret": secret}).status for secret in secrets]
    assert answers == [401, 401, 200]


def _roles(api: Recorder) -> None:
    role = models.PrincipalRole(name="engineer", properties={})
    api.create_principal_role(models.CreatePrincipalRoleRequest(principalRole=role))
    assert {item.name for item in api.list_principal_roles().roles} == {"engineer", "service_admin"}
    seen = api.get_principal_role("engineer")
    change = models.UpdatePrincipalRoleRequest(currentEntityVersion=seen.entity_version, properties={"a": "1"})
    assert api.update_principal_role("engineer", change).properties == {"a": "1"}
    content = models.CatalogRole(name="content", properties={})
    api.create_catalog_role("demo", models.CreateCatalogRoleRequest(catalogRole=content))
    assert {item.name for item in api.list_catalog_roles("demo").roles} == {"catalog_admin", "content"}
    seen = api.get_catalog_role("demo", "content")
    catalog_change = models.UpdateCatalogRoleRequest(currentEntityVersion=seen.entity_version, properties={"b": "2"})
    assert api.update_catalog_role("demo", "content", catalog_change).properties == {"b": "2"}
    for _ in range(2):
        api.assign_principal_role("ada", models.GrantPrincipalRoleRequest(principalRole=role))
        grant = models.GrantCatalogRoleRequest(catalogRole=content)
        api.assign_catalog_role_to_principal_role("engineer", "demo", grant)
    assert [item.name for item in api.list_principal_roles_assigned("ada").roles] == ["engineer"]
    assert [item.name for item in api.list_assignee_principals_for_principal_role("engineer").principals] == ["ada"]
    assert [item.name for item in api.list_catalog_roles_for_principal_role("engineer", "demo").roles] == ["content"]
    holders = api.list_assignee_principal_roles_for_catalog_role("demo", "content").roles
    assert [item.name for item in holders] == ["engineer"]


def _grants(server: RunningCatalog, api: Recorder) -> None:
    secret = api.reset_credentials("ada", models.ResetPrincipalRequest()).credentials
    token = server.token(secret.client_id, secret.client_secret.get_secret_value())
    base = "/api/catalog/v1/demo/namespaces"
    assert server.send("POST", base, {"namespace": ["n"]}, token=token).status == 403
    grant = models.CatalogGrant(type="catalog", privilege=models.CatalogPrivilege.NAMESPACE_FULL_METADATA)
    for _ in range(2):
        api.add_grant_to_catalog_role("demo", "content", models.AddGrantRequest(grant=grant))
    assert server.send("POST", base, {"namespace": ["n"]}, token=token).status == 200
    narrow = models.NamespaceGrant(type="namespace", namespace=["n"], privilege=models.NamespacePrivilege.TABLE_CREATE)
    api.add_grant_to_catalog_role("demo", "content", models.AddGrantRequest(grant=narrow))
    assert len(api.list_grants_for_catalog_role("demo", "content").grants) == 2
    unknown = models.NamespaceGrant(
        type="namespace", namespace=["no"], privilege=models.NamespacePrivilege.TABLE_CREATE
    )
    refused(404, api.add_grant_to_catalog_role, "demo", "content", models.AddGrantRequest(grant=unknown))
    for one in (grant, narrow):
        api.revoke_grant_from_catalog_role("demo", "content", None, models.RevokeGrantRequest(grant=one))
    assert api.list_grants_for_catalog_role("demo", "content").grants == []
    assert server.send("DELETE", f"{base}/n", token=token).status == 403
    assert server.send("DELETE", f"{base}/n", token=server.root_token).status == 204


def _taken_apart(api: Recorder) -> None:
    api.revoke_catalog_role_from_principal_role("engineer", "demo", "content")
    assert api.list_catalog_roles_for_principal_role("engineer", "demo").roles == []
    api.revoke_principal_role("ada", "engineer")
    assert api.list_principal_roles_assigned("ada").roles == []
    refused(400, api.delete_catalog, "demo")
    api.delete_catalog_role("demo", "content")
    api.delete_principal_role("engineer")
    api.delete_principal("ada")
    for call, name in ((api.delete_principal, "ada"), (api.delete_principal_role, "engineer")):
        refused(404, call, name)
    api.delete_catalog("demo")
    assert api.list_catalogs().catalogs == []


def test_what_the_service_needs_cannot_be_deleted(own_server: RunningCatalog, api: Recorder) -> None:
    own_server.add_catalog("demo")
    for call, arguments in (
        (api.delete_principal, ("root",)),
        (api.delete_principal_role, ("service_admin",)),
        (api.delete_catalog_role, ("demo", "catalog_admin")),
    ):
        with pytest.raises(ApiException) as caught:
            call(*arguments)
        assert caught.value.status in (400, 403)
    assert api.list_catalogs().catalogs[0].name == "demo"


def test_a_deleted_and_remade_catalog_starts_empty(space: Space) -> None:
    server = space.server
    space.make_namespace("raw")
    space.make_table("raw", "t")
    assert space.send("DELETE", "/namespaces/raw/tables/t").status == 204
    assert space.send("DELETE", "/namespaces/raw").status == 204
    server.manage("DELETE", f"/catalogs/{space.catalog}/catalog-roles/{space.owner.name}_access")
    server.manage("DELETE", f"/catalogs/{space.catalog}")
    server.add_catalog(space.catalog)
    assert space.send("GET", "/namespaces").status in (403, 404), "the old owner has a right in the new catalog"
    listed = server.send("GET", f"/api/catalog/v1/{space.catalog}/namespaces", token=server.root_token)
    assert listed.body["namespaces"] == []
