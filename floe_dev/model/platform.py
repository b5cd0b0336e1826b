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

    mode: Literal["static", "iam_role", "vended", "none"] = Field(
        default="none", description="Where the credentials come from."
    )
    secret_ref: str | None = Field(default=None, description="Secret holding the static key pair.")
    role_arn: str | None = Field(default=None, description="Role that `iam_role` assumes.")


class Storage(Model):
    """One object store location."""

    type: str = Field(description="Kind of object store: `s3`, `azure`, `gcs`, `file`, or a registered storage.")
    endpoint: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    region: str | None = Field(default=None, description="Region of the bucket.")
    bucket: str | None = Field(default=None, description="Bucket or container.")
    path: str | None = Field(default=None, description="Folder inside the bucket; for `file`, the folder itself.")
    path_style_access: bool = Field(default=False, description="Bucket in the path, not in the host name.")
    credentials: StorageCredentials = Field(default=StorageCredentials(), description="How it is reached.")


class Layer(Model):
    """A layer of the medallion: a namespace of a catalog on a storage."""

    name: str | None = Field(default=None, description="Shown name.")
    description: str | None = Field(default=None, description="What belongs into the layer.")
    storage_ref: str = Field(description="A name below `storage`.")
    catalog_ref: str = Field(default="default", description="A name below `catalogs`.")
    namespace: str | None = Field(default=None, description="The Iceberg namespace; the layer's own name if absent.")
    retention_days: int | None = Field(default=None, ge=1, description="Days that snapshots are kept.")


class CatalogCredentials(Model):
    """How clients authenticate at the catalog."""

    mode: Literal["oauth2", "sigv4", "none"] = Field(default="oauth2", description="How clients authenticate.")
    client_id: SecretRef | None = Field(default=None, description="Secret with the principal's client id.")
    client_secret: SecretRef | None = Field(default=None, description="Secret with the principal's client secret.")
    scope: str = Field(default="PRINCIPAL_ROLE:ALL", description="OAuth2 scope; a scope is not a role.")


class CatalogSpec(Model):
    """One Iceberg catalog."""

    type: str = Field(
        default="polaris", description="Kind of catalog: `polaris`, `rest`, `glue`, or one that a package registers."
    )
    uri: str = Field(description="Base of the REST API, without /v1.")
    warehouse: str = Field(description="The catalog's name at its server.")
    alias: str = Field(default="polaris_catalog", description="The name engines attach it under.")
    credentials: CatalogCredentials = Field(default=CatalogCredentials(), description="How clients authenticate.")
    access_delegation: Literal["none", "vended-credentials", "remote-signing"] = Field(
        default="none", description="Whether the catalog vends storage credentials."
    )
    token_refresh_enabled: bool = Field(default=True, description="Whether clients refresh their token.")
    properties: dict[str, str] = Field(default_factory=dict, description="Further client properties.")


class ComputeSpec(Model):
    """One compute engine."""

    type: str = Field(
        default="duckdb", description="Kind of engine: `duckdb`, `spark`, `snowflake`, or one that a package registers."
    )
    properties: dict[str, Any] = Field(default_factory=dict, description="Settings of the engine, such as `threads`.")
    credentials: dict[str, SecretRef] = Field(default_factory=dict, description="Secrets of the engine by name.")


class PlatformObservability(Model):
    """Where telemetry goes."""

    traces: bool = Field(default=True, description="Collect traces.")
    lineage: bool = Field(default=True, description="Collect lineage.")
    otlp_endpoint: str | None = Field(default=None, description="OTLP/HTTP endpoint that traces are forwarded to.")
    lineage_endpoint: str | None = Field(default=None, description="OpenLineage endpoint that events are forwarded to.")


class Platform(Model):
    """A whole platform.yaml."""

    version: str = Field(default="1.0.0", description="Version of this file.")
    layers: dict[str, Layer] = Field(default_factory=dict, description="Layers by name: a namespace each.")
    infrastructure: dict[str, Any] = Field(default_factory=dict, description="Free-form; for the platform team.")
    security: dict[str, Any] = Field(default_factory=dict, description="Free-form; for the platform team.")
    governance: dict[str, Any] = Field(default_factory=dict, description="Free-form; for the platform team.")
    storage: dict[str, Storage] = Field(default_factory=dict, description="Object stores by name.")
    catalogs: dict[str, CatalogSpec] = Field(default_factory=dict, description="Catalogs by name.")
    compute: dict[str, ComputeSpec] = Field(default_factory=dict, description="Engines by name.")
    observability: PlatformObservability = Field(default=PlatformObservability(), description="Where telemetry goes.")
