"""One provisioner for every catalog that speaks Polaris's management API, through the official SDK.

What exists is left as it is: a second run changes nothing, and a run after a crash goes on where it stopped. A
principal whose secret was lost (it is shown only once) gets a new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from floe_dev.catalogs.client import CatalogClient
from floe_dev.config.credentials import (
    READER_PRINCIPAL,
    SERVICE_PRINCIPAL,
    change_secrets,
    load_or_create_secrets,
)
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.layout import Layout

if TYPE_CHECKING:
    from apache_polaris.sdk.management import PolarisDefaultApi

#: Principal -> (principal role, catalog role, privileges on the catalog). The names of privileges are Polaris's.
ROLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    SERVICE_PRINCIPAL: ("floe_engineer", "floe_content", ("CATALOG_MANAGE_CONTENT",)),
    READER_PRINCIPAL: (
        "floe_reader",
        "floe_read",
        (
            "NAMESPACE_LIST",
            "NAMESPACE_READ_PROPERTIES",
            "TABLE_LIST",
            "TABLE_READ_PROPERTIES",
            "TABLE_READ_DATA",
            "VIEW_LIST",
            "VIEW_READ_PROPERTIES",
        ),
    ),
}


@dataclass
class ProvisionReport:
    """What was created and what was there already, as `kind name`."""

    created: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        if not self.created:
            return "unchanged"
        return f"created {len(self.created)}: {', '.join(self.created)}"


@dataclass(frozen=True)
class ObjectStorage:
    """An S3 store: its URL for clients on this machine, and for the catalog server, which may be in a network."""

    endpoint: str
    internal: str
    region: str


def provision(
    root: CatalogConnection,
    *,
    location: str,
    namespaces: tuple[str, ...],
    layout: Layout,
    objects: ObjectStorage | None = None,
) -> ProvisionReport:
    """Make catalog `root.warehouse` at `location` with its principals, roles, grants and namespaces.

    `objects` is where an `s3://` location's objects are; a catalog that knows another place of them is told this one.

    `root` is the connection with the root credential. New principals' credentials are stored in the project's secrets
    as soon as each is known. Raises FloeError 3001 (unreachable), 3002 (refused), 3003 (another location).
    """
    report = ProvisionReport()
    api = _management(root, _root_token(root))
    _Provisioner(api, root, layout, report).run(location, objects)
    _namespaces(root, namespaces, report, layout)
    return report


def _root_token(root: CatalogConnection) -> str:
    """Root's token; raises FloeError 3005 where the catalog was made with another secret than the one known here."""
    try:
        return fetch_token(root)
    except FloeError as error:
        if error.code is not Code.CATALOG_REFUSED:
            raise
        raise FloeError(
            Code.ROOT_SECRET_LOST,
            "the catalog does not take root's secret",
            why="it was made with another one, which this project's .floe/secrets.json does not have (any more); "
            f"{error.why}",
            fix="put the old .floe/secrets.json back; or begin anew, which deletes the stack's tables: "
            "floe down --volumes && floe up",
        ) from error


def fetch_token(connection: CatalogConnection) -> str:
    """An access token for the connection's principal; raises FloeError 3001 or 3002."""
    with CatalogClient(connection) as client:
        return client.token()


def is_complete(root: CatalogConnection, namespaces: tuple[str, ...], layout: Layout) -> bool:
    """Whether both principals get a token and see every namespace: a few calls each instead of importing the SDK.

    It does not see whether the catalog's location or a grant is another one: for whoever provisioned the same before.
    """
    principals = load_or_create_secrets(layout).principals
    if not set(ROLES) <= set(principals):
        return False
    for name in ROLES:
        connection = root.model_copy(update={"credential": principals[name]})
        try:
            with CatalogClient(connection) as client:
                if not all(client.has_namespace(tuple(namespace.split("."))) for namespace in namespaces):
                    return False
        except FloeError:
            return False
    return True


class _Provisioner:
    def __init__(
        self, api: PolarisDefaultApi, root: CatalogConnection, layout: Layout, report: ProvisionReport
    ) -> None:
        self._api = api
        self._root = root
        self._layout = layout
        self._report = report

    def run(self, location: str, objects: ObjectStorage | None) -> None:
        from apache_polaris.sdk.management import models

        warehouse = self._root.warehouse
        storage = _storage(location, objects)
        catalog = models.PolarisCatalog(
            type="INTERNAL",
            name=warehouse,
            properties=models.CatalogProperties.model_validate(
                {"default-base-location": location, "polaris.config.drop-with-purge.enabled": "true"}
            ),
            storageConfigInfo=storage,
        )
        self._create(
            f"catalog {warehouse}", lambda: self._api.create_catalog(models.CreateCatalogRequest(catalog=catalog))
        )
        self._settle(location, storage)
        for principal, (principal_role, catalog_role, privileges) in ROLES.items():
            self._principal(principal)
            role = models.PrincipalRole(name=principal_role)
            self._create(
                f"principal role {principal_role}",
                lambda role=role: self._api.create_principal_role(  # type: ignore[misc]
                    models.CreatePrincipalRoleRequest(principalRole=role)
                ),
            )
            held = models.CatalogRole(name=catalog_role)
            self._create(
                f"catalog role {catalog_role}",
                lambda held=held: self._api.create_catalog_role(  # type: ignore[misc]
                    warehouse, models.CreateCatalogRoleRequest(catalogRole=held)
                ),
            )
            # Assignments and grants are PUTs: repeating one changes nothing.
            self._call(
                f"role of {principal}",
                lambda p=principal, r=role: self._api.assign_principal_role(  # type: ignore[misc]
                    p, models.GrantPrincipalRoleRequest(principalRole=r)
                ),
            )
            self._call(
                f"catalog role of {principal_role}",
                lambda r=principal_role, h=held: self._api.assign_catalog_role_to_principal_role(  # type: ignore[misc]
                    r, warehouse, models.GrantCatalogRoleRequest(catalogRole=h)
                ),
            )
            for privilege in privileges:
                grant = models.CatalogGrant(type="catalog", privilege=models.CatalogPrivilege(privilege))
                self._call(
                    f"grant {privilege} to {catalog_role}",
                    lambda r=catalog_role, g=grant: self._api.add_grant_to_catalog_role(  # type: ignore[misc]
                        warehouse, r, models.AddGrantRequest(grant=g)
                    ),
                )

    def _principal(self, name: str) -> None:
        from apache_polaris.sdk.management import models

        known = load_or_create_secrets(self._layout).principals.get(name)
        request = models.CreatePrincipalRequest(principal=models.Principal(name=name), credentialRotationRequired=False)
        created = self._create(f"principal {name}", lambda: self._api.create_principal(request))
        if created is None and known is not None and self._still_valid(known):
            return
        if created is None:
            created = self._call(f"credential of {name}", lambda: self._api.reset_credentials(name))
            self._report.created.append(f"credential of {name}")
        credentials = created.credentials
        credential = Credential(
            client_id=credentials.client_id,
            client_secret=SecretStr(credentials.client_secret.get_secret_value()),
        )
        change_secrets(self._layout, lambda secrets: secrets.with_principal(name, credential))

    def _still_valid(self, credential: Credential) -> bool:
        try:
            fetch_token(self._root.model_copy(update={"credential": credential}))
        except FloeError:
            return False
        return True

    def _settle(self, location: str, storage: Any) -> None:
        """The catalog lies where it should, or error 3003; where its store answers may have changed, and is updated."""
        from apache_polaris.sdk.management import models

        catalog = self._call("the catalog", lambda: self._api.get_catalog(self._root.warehouse))
        base = str(catalog.properties.default_base_location).rstrip("/")
        if base != location.rstrip("/"):
            raise FloeError(
                Code.CATALOG_MOVED,
                f"the catalog `{self._root.warehouse}` keeps its data at {base}",
                why=f"this project's warehouse is {location}: the project was moved or copied with its .floe folder",
                fix="move the project back, or `floe reset` to begin anew here",
            )
        if storage.storage_type != "S3":
            return
        known = catalog.storage_config_info.to_dict()
        if all(known.get(key) == value for key, value in storage.to_dict().items()):
            return
        change = models.UpdateCatalogRequest(
            currentEntityVersion=catalog.entity_version,
            properties=catalog.properties.to_dict(),
            storageConfigInfo=storage,
        )
        self._call("the catalog's storage", lambda: self._api.update_catalog(self._root.warehouse, change))
        self._report.created.append("storage configuration")

    def _create(self, what: str, call: Callable[[], Any]) -> Any:
        """The answer of a create; None where it was there already (409)."""
        from apache_polaris.sdk.management.exceptions import ApiException

        try:
            answer = call()
        except ApiException as error:
            if error.status == 409:
                self._report.unchanged.append(what)
                return None
            raise _refused(self._root, what, error.status, error.body) from None
        self._report.created.append(what)
        return answer

    def _call(self, what: str, call: Callable[[], Any]) -> Any:
        from apache_polaris.sdk.management.exceptions import ApiException

        try:
            return call()
        except ApiException as error:
            raise _refused(self._root, what, error.status, error.body) from None


def _storage(location: str, objects: ObjectStorage | None) -> Any:
    from apache_polaris.sdk.management import models

    if objects is None:
        return models.FileStorageConfigInfo(storageType="FILE", allowedLocations=[location])
    return models.AwsStorageConfigInfo(
        storageType="S3",
        allowedLocations=[location],
        endpoint=objects.endpoint,
        endpointInternal=objects.internal,
        pathStyleAccess=True,
        region=objects.region,
    )


def _namespaces(root: CatalogConnection, namespaces: tuple[str, ...], report: ProvisionReport, layout: Layout) -> None:
    """Created as the scoped principal, which so owns what it works with; root has no say over content."""
    credential = load_or_create_secrets(layout).principals[SERVICE_PRINCIPAL]
    with CatalogClient(root.model_copy(update={"credential": credential})) as client:
        for namespace in with_parents(namespaces):
            made = client.make_namespace(tuple(namespace.split(".")))
            (report.created if made else report.unchanged).append(f"namespace {namespace}")


def with_parents(namespaces: tuple[str, ...]) -> list[str]:
    """A catalog refuses `a.b` while there is no `a`."""
    parts = [namespace.split(".") for namespace in namespaces]
    return list(dict.fromkeys(".".join(p[: depth + 1]) for p in parts for depth in range(len(p))))


def _management(root: CatalogConnection, token: str) -> PolarisDefaultApi:
    from apache_polaris.sdk.management import ApiClient, Configuration, PolarisDefaultApi

    return PolarisDefaultApi(ApiClient(Configuration(host=root.management_uri, access_token=token)))


def _refused(connection: CatalogConnection, what: str, status: object, answer: object) -> FloeError:
    message = answer
    if isinstance(answer, str | bytes):
        try:
            message = json.loads(answer)
        except ValueError:
            message = answer
    if isinstance(message, dict):
        error = message.get("error", message)
        message = error.get("message", error) if isinstance(error, dict) else message.get("error_description", error)
    return FloeError(
        Code.CATALOG_REFUSED,
        f"the catalog refused {what}",
        why=f"{connection.management_uri} answered {status}: {message}",
        fix="floe logs catalog",
    )
