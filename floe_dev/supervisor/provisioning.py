"""What `up` provisions: bucket and user, Dagster's database, and the catalog with principals, grants and namespaces."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from floe_dev.catalogs import provision as provisioner
from floe_dev.config.credentials import load_or_create_secrets, store_credential
from floe_dev.config.private import write_private
from floe_dev.config.project import load_project
from floe_dev.config.stacks import load_stack
from floe_dev.drivers.ports import LOOPBACK
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.layout import Layout
from floe_dev.model.project import Project
from floe_dev.model.stack import DriverKind
from floe_dev.storage.base import StoreCredential
from floe_dev.storage.minio import REGION
from floe_dev.storage.postgresql import DatabaseAccess
from floe_dev.supervisor.state import load_state

#: Where every warehouse of a stack with an object store lies.
BUCKET = "lakehouse"
#: The store's own administrator, told to the store and used by the set-up alone.
STORE_ROOT = "root"
#: Whom the catalog works as: everything in the bucket, nothing beside it.
STORE_USER = "catalog"
#: PostgreSQL's administrator, as whom the catalog keeps its tables, and the user that Dagster has.
DATABASE_ROOT = "database"
DATABASE_USER = "dagster"
#: The name that the stack files give the administrator; every server has a database `postgres`.
_ADMINISTRATOR, _ANY_DATABASE = "floe", "postgres"


def provision_project(root: Path) -> str:
    """Create what is missing of catalog, principals, grants and namespaces; returns what was created."""
    project = load_project(root)
    secrets = load_or_create_secrets(project.layout)
    report = provisioner.provision(
        principal_connection(project, project.catalog().uri, secrets.root),
        location=_location(project),
        objects=object_storage(project),
        namespaces=project.namespaces(),
        layout=project.layout,
    )
    write_private(_mark(project), _wanted(project))
    return report.summary()


def is_provisioned(project: Project, uri: str) -> bool:
    """Whether exactly this was provisioned before, and both principals still see it at the catalog at `uri`.

    A project that was moved, another namespace or another set of grants is not: then the provisioner has to look.
    """
    if not _holds(_mark(project), _wanted(project)):
        return False
    root = load_or_create_secrets(project.layout).root
    return provisioner.is_complete(principal_connection(project, uri, root), project.namespaces(), project.layout)


def _wanted(project: Project) -> str:
    objects = object_storage(project)
    place = [_location(project), objects and asdict(objects), project.catalog().warehouse]
    return json.dumps([*place, project.namespaces(), provisioner.ROLES])


def object_storage(project: Project) -> provisioner.ObjectStorage | None:
    """How the catalog reaches the tables' objects in the project's stack; None where they are files."""
    state = load_state(project.layout)
    stack = load_stack(state.stack, project.root) if state is not None else None
    if state is None or stack is None or stack.object_store_service is None:
        return None
    services = {service.name: service for service in stack.services}
    store = services[stack.object_store_service]
    endpoint = f"http://{LOOPBACK}:{state.ports[store.name]}"
    contained = services[str(stack.catalog_service)].driver is DriverKind.DOCKER
    # In the project's network the store has its service's name, and the port it listens on itself.
    internal = f"http://{store.name}:{store.container_port}" if contained else endpoint
    return provisioner.ObjectStorage(endpoint=endpoint, internal=internal, region=REGION)


def make_bucket(layout: Layout, endpoint: str) -> str:
    """Make the bucket and the user that the catalog works as; returns what was made. Raises FloeError 2305."""
    from floe_dev.storage.minio import is_set_up, set_up
    from floe_dev.storage.policy import bucket_policy

    # What is there is looked at, and not asked as root: those calls are encrypted with keys that are slow on purpose.
    mark, wanted = layout.state_dir / "bucket.json", json.dumps(bucket_policy(BUCKET))
    user = store_keys(layout, STORE_USER)
    if _holds(mark, wanted) and is_set_up(endpoint, BUCKET, user):
        return "unchanged"
    try:
        made = set_up(endpoint, store_keys(layout, STORE_ROOT), BUCKET, user)
    except OSError as error:
        from floe_dev.supervisor.endpoints import demand_clock

        # A HEAD that is refused for it has no body that would say so.
        demand_clock("object store", endpoint)
        raise FloeError(
            Code.STORE_REFUSED,
            "the object store refused its set-up",
            why=f"{endpoint}: {error.strerror or error}",
            fix="floe logs minio",
        ) from error
    write_private(mark, wanted)
    return f"created {len(made)}: {', '.join(made)}" if made else "unchanged"


def run_database(layout: Layout, port: int) -> DatabaseAccess:
    """Dagster's own database in the stack's PostgreSQL."""
    secret = store_keys(layout, DATABASE_USER).secret_key
    return DatabaseAccess(LOOPBACK, port, DATABASE_USER, DATABASE_USER, secret)


def project_database(layout: Layout) -> DatabaseAccess | None:
    """Where Dagster keeps its runs and events in the project's stack; None: in SQLite."""
    state = load_state(layout)
    service = load_stack(state.stack, layout.root).database_service if state is not None else None
    return run_database(layout, state.ports[service]) if state is not None and service is not None else None


def make_run_database(layout: Layout, port: int) -> str:
    """Make Dagster's database and its user; returns what was made. Raises FloeError 2307."""
    from floe_dev.orchestrators.dagster.storage import forget_storage
    from floe_dev.storage.postgresql import set_up

    wanted = run_database(layout, port)
    secret = store_keys(layout, DATABASE_ROOT).secret_key
    try:
        made = set_up(DatabaseAccess(LOOPBACK, port, _ANY_DATABASE, _ADMINISTRATOR, secret), wanted)
    except OSError as error:
        raise FloeError(
            Code.DATABASE_REFUSED,
            "PostgreSQL refused its set-up",
            why=f"{LOOPBACK}:{port}: {error.strerror or error}",
            fix="floe logs postgres",
        ) from error
    if made:
        forget_storage(layout, wanted)
    return f"created database {wanted.name}" if made else "unchanged"


def store_keys(layout: Layout, user: str) -> StoreCredential:
    """The generated keys of a user of the object store."""
    known = store_credential(layout, user)
    return StoreCredential(known.client_id, known.client_secret.get_secret_value())


def _holds(mark: Path, wanted: str) -> bool:
    """Whether exactly this was made before, as the file that says so has it."""
    try:
        return mark.read_text(encoding="utf-8") == wanted
    except OSError:
        return False


def _mark(project: Project) -> Path:
    return project.layout.state_dir / "provisioned.json"


def _location(project: Project) -> str:
    if object_storage(project) is not None:
        return f"s3://{BUCKET}/{project.catalog().warehouse}"
    # Not as_uri(): PyArrow and DuckDB take locations literally, an escaped space would be another folder.
    return f"file://{project.layout.warehouse_dir}/{project.catalog().warehouse}"


def principal_connection(project: Project, uri: str, credential: Credential) -> CatalogConnection:
    """How the principal with that credential reaches the project's catalog at `uri`."""
    spec = project.catalog()
    return CatalogConnection(
        uri=uri,
        warehouse=spec.warehouse,
        credential=credential,
        scope=spec.credentials.scope,
        alias=spec.alias,
        access_delegation=spec.access_delegation,
    )
