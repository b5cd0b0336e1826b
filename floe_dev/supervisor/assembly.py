"""From a project and a stack file to the plan of one start: which services, which steps, which environment."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from floe_dev.catalogs.client import CatalogClient
from floe_dev.config.connection import connection_from_platform
from floe_dev.config.credentials import SERVICE_PRINCIPAL, StackSecrets, load_or_create_secrets
from floe_dev.config.overlay import remove_overlay, write_overlay
from floe_dev.config.project import load_project, platform_name
from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.forkrequest import SOCKET_VARIABLE
from floe_dev.drivers.markers import MARKER
from floe_dev.drivers.ports import LOOPBACK
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.layout import Layout
from floe_dev.model.project import Project
from floe_dev.model.stack import DriverKind, Service, Stack
from floe_dev.orchestrators.dagster import manifest, storage
from floe_dev.orchestrators.dagster import services as dagster
from floe_dev.storage.postgresql import DatabaseAccess
from floe_dev.supervisor import provisioning
from floe_dev.supervisor.child import EarlyChild, run_in_child
from floe_dev.supervisor.paths import socket_path
from floe_dev.supervisor.plan import Plan, Step
from floe_dev.supervisor.start_trace import start_context
from floe_dev.telemetry import service as telemetry
from floe_dev.tracing.context import VARIABLE as TRACE_VARIABLE

#: Set for every child: no usage data leaves the machine, output is not held back.
_QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
}
_CATALOG_PATH = "/api/catalog"


@dataclass
class Assembly:
    """Everything of one start that depends on the project."""

    project: Project
    stack: Stack
    layout: Layout
    instance: str
    #: Filled by the supervisor once the ports are chosen.
    ports: dict[str, int]
    #: The readiness check, loaded while the stack starts.
    _proof: EarlyChild | None = None
    #: The scoped principal's credential as the services get it that do not wait for the provisioning.
    _told: object = None

    def catalog_uri(self) -> str:
        """Base URI of the stack's own catalog, or of the platform's where the stack has none."""
        service = self.stack.catalog_service
        if service is None or service not in self.ports:
            return self.project.catalog().uri
        return f"http://{LOOPBACK}:{self.ports[service]}{_CATALOG_PATH}"

    def environment(self) -> dict[str, str]:
        """What every child has; the scoped principal's credential from the moment it exists."""
        environment = {
            **os.environ,
            **_QUIET,
            MARKER: self.instance,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "DAGSTER_DEPLOYMENT": platform_name(self.layout.root, os.environ),
            "POLARIS_URI": self.catalog_uri(),
            "POLARIS_WAREHOUSE": self.project.catalog().warehouse,
            **self.layout.environment(),
        }
        secrets = load_or_create_secrets(self.layout)
        if telemetry.NAME in self.ports:
            token = secrets.telemetry_token.get_secret_value()
            wanted, offered = self.project.spec.observability, self.project.platform.observability
            environment.update(
                telemetry.sender_environment(
                    self.layout,
                    self.ports[telemetry.NAME],
                    token,
                    traces=self._traces(),
                    lineage=wanted.lineage and offered.lineage,
                )
            )
        if self.stack.catalog_service is None:
            environment.update(connection_from_platform(self.project, os.environ).environment())
        elif (credential := secrets.principals.get(SERVICE_PRINCIPAL)) is not None:
            environment.update(self._connection(credential).environment())
        return environment

    def service_environment(self, service: Service) -> dict[str, str]:
        """What only this service is told: root's credential and the signing key go to the catalog alone.

        For a container it is what its file's variables stand for; the file says which of them it gets.
        """
        if service.name == telemetry.NAME:
            token = load_or_create_secrets(self.layout).telemetry_token.get_secret_value()
            platform = self.project.platform.observability
            return telemetry.receiver_environment(
                token,
                self.ports[telemetry.NAME],
                otlp_endpoint=platform.otlp_endpoint,
                lineage_endpoint=platform.lineage_endpoint,
            )
        secrets = load_or_create_secrets(self.layout)
        if service.driver is DriverKind.DOCKER:
            return {
                **os.environ,
                "FLOE_INSTANCE": self.instance,
                "FLOE_OTEL_SDK_DISABLED": "false" if self._traces() else "true",
                "FLOE_ROOT_SECRET": secrets.root.client_secret.get_secret_value(),
                "FLOE_SIGNING_KEY": secrets.signing_key.get_secret_value(),
                "FLOE_STORE_ROOT_SECRET": provisioning.store_keys(self.layout, provisioning.STORE_ROOT).secret_key,
                "FLOE_STORE_SECRET": provisioning.store_keys(self.layout, provisioning.STORE_USER).secret_key,
                "FLOE_DATABASE_PASSWORD": provisioning.store_keys(self.layout, provisioning.DATABASE_ROOT).secret_key,
            }
        if service.name != self.stack.catalog_service:
            return {}
        root = secrets.root
        return {
            "POLARIS_BOOTSTRAP_CREDENTIALS": f"POLARIS,{root.client_id},{root.client_secret.get_secret_value()}",
            "FLOE_CATALOG_SIGNING_KEY": secrets.signing_key.get_secret_value(),
        }

    def _traces(self) -> bool:
        """Whether spans are recorded."""
        return self.project.spec.observability.traces and self.project.platform.observability.traces

    def plan(self, fork: Callable[[], ForkClient | None]) -> Plan:
        """The graph: catalog -> provision -> readiness, manifest -> code server; the rest beside them.

        What the readiness check loads is a step of its own, `proof`, which waits for nothing of the stack.

        `fork` gives the fork server, once and while there is one.
        """
        catalog = (self.stack.catalog_service,) if self.stack.catalog_service else ()
        steps: list[Step] = [Step("prepare", self._prepare)]
        needs_credential: tuple[str, ...] = ("prepare",)
        if self.stack.provision:
            bucket: tuple[str, ...] = ()
            if self.stack.object_store_service is not None:
                steps.append(Step("bucket", self._bucket, (self.stack.object_store_service,)))
                bucket = ("bucket",)
            steps.append(Step("provision", self._provision, (*catalog, *bucket, "prepare"), outdated=self._outdated))
            needs_credential = ("provision",)
            self._told = self._credential()
        proof: tuple[str, ...] = ()
        if self.stack.provision:
            steps.append(Step("proof", partial(self._load_proof, fork), ("prepare",)))
            proof = ("proof",)
        steps.append(Step("readiness", self._readiness, (*needs_credential, *proof)))
        steps.append(Step("manifest", partial(self._manifest, fork), needs_credential))
        database: tuple[str, ...] = ()
        if self.stack.database_service is not None:
            steps.append(Step("database", self._database, (self.stack.database_service,)))
            database = ("database",)
        steps.append(Step("storage", partial(self._storage, fork), ("prepare", *database)))
        # The web server launches the runs in its own environment, so it starts with the principal's credential in it,
        # which every start but the first knows already.
        home = ("storage", "prepare") if self._told is not None else ("storage", *needs_credential)
        orchestrator = dagster.dagster_services(
            self.project, code_depends_on=("manifest", *needs_credential), home_depends_on=home
        )
        steps.append(Step("assets", self._assets, tuple(service.name for service in orchestrator)))
        # Nobody waits for the receiver: it starts when the code server has had its turn at the processors.
        receiver = telemetry.telemetry_service(depends_on=(dagster.CODE,))
        return Plan(services=(*self.stack.services, *orchestrator, receiver), steps=tuple(steps), urls=self._urls)

    async def _storage(self, fork: Callable[[], ForkClient | None]) -> str | None:
        if await asyncio.to_thread(storage.storage_is_made, self.layout, self._run_database()):
            return "unchanged"
        return await self._child("storage", fork(), after="dagster")

    def _run_database(self) -> DatabaseAccess | None:
        """Where Dagster keeps its runs and events; None: in SQLite."""
        service = self.stack.database_service
        return provisioning.run_database(self.layout, self.ports[service]) if service is not None else None

    async def _database(self) -> str | None:
        port = self.ports[str(self.stack.database_service)]
        return await asyncio.to_thread(provisioning.make_run_database, self.layout, port)

    def preload(self) -> Sequence[str]:
        """What the fork server imports, in this order."""
        return dagster.PRELOAD

    def connection(self, secrets: StackSecrets) -> CatalogConnection | None:
        """The scoped principal's connection; None before provisioning."""
        credential = secrets.principals.get(SERVICE_PRINCIPAL)
        return self._connection(credential) if credential else None

    def _connection(self, credential: object) -> CatalogConnection:
        spec = self.project.catalog()
        return CatalogConnection.model_validate(
            {
                "uri": self.catalog_uri(),
                "warehouse": spec.warehouse,
                "credential": credential,
                "scope": spec.credentials.scope,
                "alias": spec.alias,
                "access_delegation": spec.access_delegation,
            }
        )

    async def _child(self, name: str, fork: ForkClient | None = None, after: str | None = None) -> str | None:
        return await run_in_child(name, self.layout, self._child_environment(name, fork), fork, after)

    def _child_environment(self, name: str, fork: ForkClient | None = None) -> dict[str, str]:
        environment = self.environment()
        if fork is not None:
            environment[SOCKET_VARIABLE] = str(socket_path(self.layout.root, "fork"))
        environment[TRACE_VARIABLE] = start_context(self.instance, name).traceparent()
        return environment

    async def _bucket(self) -> str | None:
        endpoint = f"http://{LOOPBACK}:{self.ports[str(self.stack.object_store_service)]}"
        return await asyncio.to_thread(provisioning.make_bucket, self.layout, endpoint)

    async def _provision(self) -> str | None:
        """What was provisioned before only has to be looked at; the SDK's import alone costs ten times that."""
        if await asyncio.to_thread(provisioning.is_provisioned, self.project, self.catalog_uri()):
            return "unchanged"
        return await self._child("provision")

    async def _load_proof(self, fork: Callable[[], ForkClient | None]) -> str | None:
        # Not for Dagster's sake: with it comes half of what the check imports.
        environment = self._child_environment("readiness", fork())
        self._proof = EarlyChild("readiness", self.layout, environment, fork(), after="dagster")
        await self._proof.loaded()
        return None

    def _credential(self) -> object:
        """What the scoped principal has by now; None before the first provisioning."""
        return load_or_create_secrets(self.layout).principals.get(SERVICE_PRINCIPAL)

    def _outdated(self) -> Sequence[str]:
        """Who was told a credential that provisioning has replaced, since the catalog did not know it any more."""
        return (dagster.WEBSERVER,) if self._told not in (None, self._credential()) else ()

    async def _readiness(self) -> str | None:
        if self._proof is None:
            return await asyncio.to_thread(self._look)
        return await self._proof.run()

    def _look(self) -> str:
        """Whether the platform's catalog takes our credential; nothing is written there."""
        with CatalogClient(connection_from_platform(self.project, os.environ)) as client:
            return f"{len(client.namespaces())} namespaces"

    async def _manifest(self, fork: Callable[[], ForkClient | None]) -> str | None:
        if await asyncio.to_thread(manifest.is_current, self.project):
            return "unchanged"
        # dbt is forked by this step in turn, once dagster-dbt has brought it into the fork server.
        return await self._child("manifest", fork(), after="dagster")

    async def _prepare(self) -> str | None:
        await asyncio.to_thread(self._write_files)
        return None

    def _write_files(self) -> None:
        from floe_dev.dbt.profile import write_profile

        if self.stack.catalog_service is not None:
            observed = {self.project.spec.catalog: self.catalog_uri()}
            vended = "vended-credentials" if self.stack.object_store_service is not None else None
            write_overlay(self.layout, observed, self.project.platform_file, vended)
            # How clients reach the objects has changed with it.
            self.project = load_project(self.layout.root)
        else:
            remove_overlay(self.layout)
        dagster.prepare_home(self.layout, self.ports, self._run_database())
        write_profile(self.project)

    async def _assets(self) -> str | None:
        return await asyncio.to_thread(dagster.wait_for_assets, self.layout.root, self.ports)

    def _urls(self, ports: dict[str, int]) -> dict[str, str]:
        return {"dagster": f"http://{LOOPBACK}:{ports[dagster.WEBSERVER]}", "catalog": self.catalog_uri()}
