"""platform.yaml: what platform engineers write, one per environment: endpoints and secret_refs, never a credential."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from floe_dev.model.base import Model


class SecretRef(Model):
    """The name of a secret, never its value: `{secret_ref: polaris-client-id}`."""

    secret_ref: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the secret.")


class StorageCredentials(Model):
    """How the object store is reached."""

    mode: Literal["static", "iam_role", "vended", "none"] = "none"
    secret_ref: str | None = Field(default=None, description="Secret holding the static key pair.")
    role_arn: str | None = None


class Storage(Model):
    """One object store location."""

    type: Literal["s3", "azure", "gcs", "file"]
    endpoint: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    region: str | None = None
    bucket: str | None = Field(default=None, description="Bucket or container.")
    path: str | None = Field(default=None, description="Folder inside the bucket; for `file`, the folder itself.")
    path_style_access: bool = False
    credentials: StorageCredentials = StorageCredentials()


class Layer(Model):
    """A layer of the medallion: a namespace of a catalog on a storage."""

    name: str | None = None
    description: str | None = None
    storage_ref: str = Field(description="A name below `storage`.")
    catalog_ref: str = Field(default="default", description="A name below `catalogs`.")
    namespace: str | None = Field(default=None, description="The Iceberg namespace; the layer's own name if absent.")
    retention_days: int | None = Field(default=None, ge=1)


class CatalogCredentials(Model):
    """How clients authenticate at the catalog."""

    mode: Literal["oauth2", "sigv4", "none"] = "oauth2"
    client_id: SecretRef | None = None
    client_secret: SecretRef | None = None
    scope: str = "PRINCIPAL_ROLE:ALL"


class CatalogSpec(Model):
    """One Iceberg catalog."""

    type: Literal["polaris", "rest", "glue", "unity", "hive"] = "polaris"
    uri: str = Field(description="Base of the REST API, without /v1.")
    warehouse: str = Field(description="The catalog's name at its server.")
    alias: str = Field(default="polaris_catalog", description="The name engines attach it under.")
    credentials: CatalogCredentials = CatalogCredentials()
    access_delegation: Literal["none", "vended-credentials", "remote-signing"] = "none"
    token_refresh_enabled: bool = True
    properties: dict[str, str] = Field(default_factory=dict)


class ComputeSpec(Model):
    """One compute engine."""

    type: Literal["duckdb", "spark", "snowflake"] = "duckdb"
    properties: dict[str, Any] = Field(default_factory=dict)
    credentials: dict[str, SecretRef] = Field(default_factory=dict)


class PlatformObservability(Model):
    """Where telemetry goes."""

    traces: bool = True
    lineage: bool = True
    otlp_endpoint: str | None = None
    lineage_endpoint: str | None = None


class Platform(Model):
    """A whole platform.yaml."""

    version: str = "1.0.0"
    layers: dict[str, Layer] = Field(default_factory=dict)
    infrastructure: dict[str, Any] = Field(default_factory=dict)
    security: dict[str, Any] = Field(default_factory=dict)
    governance: dict[str, Any] = Field(default_factory=dict)
    storage: dict[str, Storage] = Field(default_factory=dict)
    catalogs: dict[str, CatalogSpec] = Field(default_factory=dict)
    compute: dict[str, ComputeSpec] = Field(default_factory=dict)
    observability: PlatformObservability = PlatformObservability()
