"""The profile's fields: dbt-duckdb's, of which one `attach:` entry must be the Iceberg catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dbt.adapters.duckdb.credentials import Attachment, DuckDBCredentials, PluginConfig
from dbt_common.exceptions import DbtRuntimeError
from pydantic import SecretStr

from floe_dev.model.connection import CatalogConnection, Credential

ADAPTER_TYPE = "floe"
_PLUGIN = "floe_dev.dbt.adapter.plugin"


@dataclass
class FloeCredentials(DuckDBCredentials):
    """DuckDB's credentials, in memory, without transactions, with our plugin."""

    @classmethod
    def __pre_deserialize__(cls, data: dict[Any, Any]) -> dict[Any, Any]:
        """Refuse a profile that would put tables anywhere but into the catalog."""
        aliases = [item.get("alias") for item in data.get("attach") or () if _is_iceberg(item)]
        if len(aliases) != 1 or not aliases[0]:
            raise DbtRuntimeError(
                "FLOE4002: the profile needs exactly one `attach:` entry of type iceberg with an alias: the catalog "
                f"that tables are written to (it has {len(aliases)})"
            )
        if data.get("path", ":memory:") != ":memory:":
            raise DbtRuntimeError(
                f"FLOE4002: the profile's path is {data['path']!r}; with type floe it must be ':memory:', since a "
                "table in a DuckDB file would not be in the catalog"
            )
        data = {"path": ":memory:", "database": aliases[0], **data}
        if data["database"] != aliases[0]:
            raise DbtRuntimeError(
                f"FLOE4002: the profile's database is {data['database']!r}; it must be the attached catalog "
                f"{aliases[0]!r}, since a table elsewhere would not be in the catalog"
            )
        checked: dict[Any, Any] = super().__pre_deserialize__(data)
        return checked

    def __post_init__(self) -> None:
        """Each statement is its own, as the commit that matters is the catalog's; our plugin configures DuckDB."""
        super().__post_init__()  # type: ignore[no-untyped-call]
        self.disable_transactions = True
        self.plugins = [*(self.plugins or []), PluginConfig(module=_PLUGIN, alias="floe")]

    @property
    def type(self) -> str:
        """The adapter's name in a profile."""
        return ADAPTER_TYPE

    @property
    def unique_field(self) -> str:
        """What anonymous usage statistics would hash; they are switched off."""
        return str(self.database)

    def catalog_attachment(self) -> Attachment:
        """The `attach:` entry of type iceberg."""
        return next(item for item in self.attach or () if item.alias == self.database)

    def connection(self) -> CatalogConnection:
        """The attachment as the value that every other client uses."""
        attachment = self.catalog_attachment()
        options: dict[str, Any] = {key.upper(): value for key, value in (attachment.options or {}).items()}
        return CatalogConnection(
            uri=str(options["ENDPOINT"]),
            warehouse=str(attachment.path),
            credential=Credential(
                client_id=str(options["CLIENT_ID"]), client_secret=SecretStr(str(options["CLIENT_SECRET"]))
            ),
            scope=str(options.get("OAUTH2_SCOPE", "PRINCIPAL_ROLE:ALL")),
            alias=str(attachment.alias),
            access_delegation=str(options.get("ACCESS_DELEGATION_MODE", "none")),
        )

    def _connection_keys(self) -> tuple[str, ...]:
        """What `dbt debug` prints: never the attachment's options, which hold the secret."""
        return ("database", "schema", "path")


def _is_iceberg(attachment: dict[str, Any]) -> bool:
    kind = attachment.get("type") or (attachment.get("options") or {}).get("type", "")
    return str(kind).lower() == "iceberg"
