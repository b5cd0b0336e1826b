"""The lakehouse's parts in containers, for whoever does not use pytest: subclasses of testcontainers' DockerContainer.

Every port is published on 127.0.0.1 only, and every secret is random. testcontainers' own reaper (Ryuk) ends what a
killed program left; where its image cannot be had, set TESTCONTAINERS_RYUK_DISABLED=true.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from testcontainers.community.minio import MinioContainer as CommunityMinioContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy
from testcontainers.core.waiting_utils import WaitStrategy

from floe_dev.config.stacks import load_stack
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.testing.stack import Storage


def image_of(stack: str, service: str) -> str:
    """The image that a stack's file names for a service, or the FLOE_IMAGE_* that takes its place; KeyError."""
    return {found.name: found.image or "" for found in load_stack(stack).services}[service]


#: What is pulled, or built by `floe images build` where nothing can be pulled.
POLARIS_IMAGE = image_of("lakehouse", "polaris")
CATALOG_IMAGE = image_of("lakehouse-lite", "catalog")
MINIO_IMAGE = image_of("lakehouse-lite", "minio")
REGION = "us-east-1"
BUCKET = "lakehouse"
_LOOPBACK = "127.0.0.1"
_API, _MANAGEMENT = 8181, 8182
#: Seconds a container has to be ready.
_START_SECONDS = 120
_STORE_USER = "floe-catalog"


class LoopbackContainer(DockerContainer):
    """A container whose ports are published on 127.0.0.1, and reached there, also from inside another container."""

    def publish(self, *ports: int) -> Self:
        """Publish ports on the loopback address, each at a free port of this machine."""
        # docker-py takes (address, port) here, None for any port; testcontainers' annotation has the port alone.
        bindings: dict[str, Any] = {f"{port}/tcp": (_LOOPBACK, None) for port in ports}
        self.ports.update(bindings)
        return self

    def get_container_host_ip(self) -> str:
        """127.0.0.1: nothing is published elsewhere."""
        return _LOOPBACK

    def get_exposed_port(self, port: int) -> int:
        """The port of this machine behind a container's port; raises what testcontainers raises."""
        return int(self.get_docker_client().port(self.get_container_id(), port))


class TokenWaitStrategy(WaitStrategy):
    """Ready when root gets a token: Polaris calls itself ready before that, also where it was never bootstrapped."""

    def wait_until_ready(self, container: Any) -> None:
        """Return once it does; raises TimeoutError with the last answer."""
        import time

        from floe_dev.catalogs.provision import fetch_token
        from floe_dev.errors import FloeError

        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                fetch_token(container.root())
            except FloeError as error:
                if time.monotonic() > deadline or container.status == "exited":
                    raise TimeoutError(f"the catalog gives no token: {error}") from error
                time.sleep(0.1)
            else:
                return


class PolarisContainer(LoopbackContainer):
    """Apache Polaris, or floe's own catalog behind the same contract (`image=CATALOG_IMAGE`), in-memory.

    with PolarisContainer() as polaris:
        RestCatalog("c", **polaris.root().pyiceberg_properties())
    """

    def __init__(
        self,
        image: str = POLARIS_IMAGE,
        *,
        secret: str | None = None,
        environment: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> None:
        """`secret` is root's (default: a random one); `environment` adds Polaris's settings."""
        super().__init__(image, _wait_strategy=TokenWaitStrategy(), **kwargs)
        self._secret = secret or secrets.token_urlsafe(24)
        self.publish(_API, _MANAGEMENT)
        self.with_envs(
            **{
                "POLARIS_PERSISTENCE_TYPE": "in-memory",
                "POLARIS_BOOTSTRAP_CREDENTIALS": f"POLARIS,root,{self._secret}",
                "AWS_REGION": REGION,
                **environment,
            }
        )

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`; the Iceberg API is at `/api/catalog`, the management API beside it."""
        return f"http://{_LOOPBACK}:{self.get_exposed_port(_API)}"

    def root(self, catalog: str = "") -> CatalogConnection:
        """Root's connection to a catalog (none: to the server)."""
        credential = Credential.model_validate({"client_id": "root", "client_secret": self._secret})
        return CatalogConnection(uri=f"{self.url}/api/catalog", warehouse=catalog, credential=credential)


class MinioContainer(LoopbackContainer, CommunityMinioContainer):
    """testcontainers' MinIO from the pinned image, with random keys, published on 127.0.0.1."""

    def __init__(self, image: str = MINIO_IMAGE, **kwargs: Any) -> None:
        """`kwargs` are those of testcontainers' MinioContainer, `access_key` and `secret_key` among them."""
        keys = {"access_key": "floe-root", "secret_key": secrets.token_urlsafe(24)}
        super().__init__(image, **{**keys, **kwargs})
        self.waiting_for(HttpWaitStrategy(self.port, "/minio/health/ready"))
        self.with_command(["server", "/data", "--address", f":{self.port}"])
        self.publish(self.port)
        self.with_envs(MINIO_ROOT_USER=self.access_key, MINIO_ROOT_PASSWORD=self.secret_key)

    @property
    def url(self) -> str:
        """The S3 address as this machine reaches it."""
        return f"http://{_LOOPBACK}:{self.get_exposed_port(self.port)}"


class LakehouseContainers:
    """Object store and catalog together, with a bucket; clients get vended keys.

    with LakehouseContainers() as containers:
        containers.catalog.root()      # make catalogs in it, at `containers.storage.base`
    """

    def __init__(
        self,
        catalog_image: str = CATALOG_IMAGE,
        minio_image: str = MINIO_IMAGE,
        *,
        labels: Mapping[str, str] = {},
    ) -> None:
        """Nothing is started yet; `labels` are put on both containers."""
        self._open = ExitStack()
        self._user_secret = secrets.token_urlsafe(24)
        self._network = Network(docker_network_kw={"labels": dict(labels)} if labels else None)
        more: dict[str, Any] = {"labels": dict(labels)} if labels else {}
        self.minio = MinioContainer(minio_image, network=self._network, network_aliases=["minio"], **more)
        keys = {"AWS_ACCESS_KEY_ID": _STORE_USER, "AWS_SECRET_ACCESS_KEY": self._user_secret}
        self.catalog = PolarisContainer(catalog_image, network=self._network, environment=keys, **more)

    @property
    def storage(self) -> Storage:
        """Where catalogs are to keep files."""
        inside = f"http://minio:{self.minio.port}"
        return Storage(f"s3://{BUCKET}", endpoint=self.minio.url, endpoint_internal=inside, region=REGION)

    def start(self) -> Self:
        """Start both; raises what testcontainers raises, and leaves nothing then."""
        from floe_dev.storage.base import StoreCredential
        from floe_dev.storage.minio import set_up

        try:
            self._open.enter_context(self._network)
            self._open.enter_context(self.minio)
            root = StoreCredential(self.minio.access_key, self.minio.secret_key)
            set_up(self.minio.url, root, BUCKET, StoreCredential(_STORE_USER, self._user_secret))
            self._open.enter_context(self.catalog)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Remove both with their network."""
        self._open.close()

    def __enter__(self) -> Self:
        """As `start`."""
        return self.start()

    def __exit__(self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        """As `stop`."""
        self.stop()
