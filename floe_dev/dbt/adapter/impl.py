"""The adapter: what dbt asks of a warehouse, answered by DuckDB for queries and by the catalog for everything else."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.impl import ConstraintSupport
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.capability import Capability, CapabilityDict, CapabilitySupport, Support
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.duckdb.impl import DuckDBAdapter
from dbt_common.contracts.constraints import ConstraintType
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

from floe_dev.catalogs.client import CatalogClient, escape_namespace
from floe_dev.compute.views import MEMORY, create_memory_schema, create_view, drop_view, identifier, store_view
from floe_dev.dbt.adapter.connections import FloeConnectionManager
from floe_dev.dbt.adapter.node_spans import trace_invocation
from floe_dev.dbt.adapter.stamp import snapshot_properties

if TYPE_CHECKING:
    from floe_dev.dbt.adapter.layout import TableLayout
    from floe_dev.dbt.adapter.table import Change, IcebergTable
    from floe_dev.dbt.adapter.types import Column
    from floe_dev.model.connection import CatalogConnection

STRATEGIES = ["append", "delete+insert", "merge", "microbatch"]


class FloeAdapter(DuckDBAdapter):
    """dbt-duckdb's adapter whose tables are Iceberg tables."""

    ConnectionManager = FloeConnectionManager

    CONSTRAINT_SUPPORT = {  # noqa: RUF012 - dbt's own declaration
        ConstraintType.not_null: ConstraintSupport.ENFORCED,
        ConstraintType.check: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.unique: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.primary_key: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.foreign_key: ConstraintSupport.NOT_SUPPORTED,
    }

    _capabilities: CapabilityDict = CapabilityDict(
        {
            Capability.SchemaMetadataByRelations: CapabilitySupport(support=Support.Full),
            # Source freshness without `loaded_at_field`: the catalog knows when a table was last written.
            Capability.TableLastModifiedMetadata: CapabilitySupport(support=Support.Full),
            Capability.TableLastModifiedMetadataBatch: CapabilitySupport(support=Support.Full),
            # Two batches at once would rewrite the same files and have to be tried again.
            Capability.MicrobatchConcurrency: CapabilitySupport(support=Support.Unsupported),
        }
    )

    def __init__(self, config: Any, mp_context: Any) -> None:
        """One catalog client a thread, made when it is first needed."""
        super().__init__(config, mp_context)
        self._clients = threading.local()
        trace_invocation(get_invocation_id())

    def calculate_freshness_from_metadata_batch(
        self,
        sources: list[BaseRelation],
        macro_resolver: Any = None,  # noqa: ARG002 - dbt's signature
    ) -> tuple[list[AdapterResponse | None], dict[BaseRelation, Any]]:
        """A source is as fresh as its table's current snapshot; one without a snapshot was never loaded.

        Raises FloeError 6002 for a table that is not there.
        """
        now = dt.datetime.now(dt.UTC)
        found: dict[BaseRelation, Any] = {}
        for source in sources:
            current = self._client.table(f"{source.schema}.{source.identifier}").current
            loaded = dt.datetime.fromtimestamp(current.timestamp_ms / 1000, dt.UTC) if current else None
            found[source] = self._create_freshness_response(loaded, now)
        return [None], found

    # What dbt calls by name.

    @available
    def stage_name(self) -> str:
        """A name that no other thread uses, for a table in memory."""
        return f"floe_stage_{uuid.uuid4().hex}"

    @available
    def drop_stage(self, relation: BaseRelation) -> None:
        """Free a table in memory."""
        self._cursor().execute(f"DROP TABLE IF EXISTS {relation}")

    @available.parse(lambda *_: AdapterResponse("OK"))
    def replace_table(self, relation: BaseRelation, query: str, model: Any) -> AdapterResponse:
        """Make the query's result the whole content of the table, in one commit; history is kept."""
        from floe_dev.dbt.adapter.table import Change, data_files

        self._require_catalog(relation)
        columns = self._columns(query)
        table = self._table(relation)
        if table.load() is None:
            drop_view(self._client, self._namespace(relation), str(relation.identifier))
        change = Change(
            content=lambda now: (query, data_files(now)),
            columns=columns,
            layout=self._layout(model),
            summary=self._summary(model),
            rebuild=True,
        )
        return self._apply(table, change)

    @available.parse(lambda *_: AdapterResponse("OK"))
    def change_table(self, relation: BaseRelation, query: str, model: Any, on_schema_change: str) -> AdapterResponse:
        """One incremental run: append, or replace the rows that match, in one commit."""
        from floe_dev.dbt.adapter import incremental

        self._require_catalog(relation)
        table = self._table(relation)
        existing = table.load()
        if existing is None:
            response: AdapterResponse = self.replace_table(relation, query, model)
            return response
        cursor = self._cursor()
        plan = incremental.plan(model)
        stage: str | None = None
        if plan.needs_stage:
            stage = f"{MEMORY}.main.{identifier(self.stage_name())}"
            cursor.execute(f"CREATE TABLE {stage} AS ({query})")
            query = f"SELECT * FROM {stage}"
        try:
            columns, added, changed = incremental.reconcile(existing, self._columns(query), on_schema_change)
            if changed is not None:
                table.evolve(changed)
            content = incremental.content(plan, cursor, str(relation), query, columns, added)
            return self._apply(
                table,
                self._change(model, content=content, columns=columns, new_columns=added),
            )
        finally:
            if stage is not None:
                cursor.execute(f"DROP TABLE IF EXISTS {stage}")

    @available.parse(lambda *_: AdapterResponse("OK"))
    def merge_snapshot(
        self, target: BaseRelation, source: BaseRelation, names: list[str], columns: Any, current: Any, model: Any
    ) -> None:
        """A dbt snapshot: close the rows that changed, add the new ones, in one commit."""
        from floe_dev.dbt.adapter import incremental

        table = self._table(target)
        existing = table.load()
        if existing is None:
            raise DbtRuntimeError(f"FLOE4005: the snapshot table {target} is gone")
        target_columns = incremental.columns_of_table(existing)
        content = incremental.snapshot_content(
            self._cursor(), str(target), str(source), names, dict(columns), current, target_columns
        )
        self._apply(table, self._change(model, content=content, columns=target_columns))

    @available.parse(lambda *_: AdapterResponse("OK"))
    def replace_view(self, relation: BaseRelation, query: str, model: Any) -> AdapterResponse:
        """Make the view in memory and keep its definition in the catalog."""
        from floe_dev.dbt.adapter.schema import new_schema

        columns = self._columns(query)
        create_view(self._cursor(), str(relation.schema), str(relation.identifier), query)
        namespace = self._namespace(relation)
        in_catalog = (*namespace, str(relation.identifier))
        catalog = self._iceberg
        if catalog.table_exists(in_catalog):
            catalog.drop_table(in_catalog)
        schema = new_schema(columns, self._layout(model))
        store_view(
            self._client,
            namespace,
            str(relation.identifier),
            query,
            schema.model_dump(mode="json", by_alias=True),
            self._summary(model),
        )
        return AdapterResponse("OK")

    @available.parse(lambda *_: None)
    def alter_columns(self, relation: BaseRelation, add: Sequence[Any] | None, remove: Sequence[Any] | None) -> None:
        """Add and drop columns through the catalog."""
        described = ", ".join(f"CAST(NULL AS {column.data_type}) AS {identifier(column.name)}" for column in add or ())
        added = self._columns(f"SELECT {described}") if described else []

        def change(update: Any) -> None:
            for column in remove or ():
                update.delete_column((column.name,))
            for column in added:
                update.add_column((column.name,), column.type)

        self._table(relation).evolve(change)

    @available
    def valid_incremental_strategies(self) -> list[str]:
        """The strategies of the incremental materialization."""
        return STRATEGIES

    @available.parse(lambda *_: "select 1 limit 0")
    def documentation_query(self, database: str, schemas: list[str]) -> str:
        """A query of constants: what `dbt docs` shows of tables, views and columns, from the catalog's metadata."""
        from floe_dev.dbt.adapter.documentation import documentation_query

        kind = "view" if database == MEMORY else "table"
        return documentation_query(self._client, database, [(schema,) for schema in schemas], kind)

    # What dbt asks of every adapter, answered by the catalog instead of information_schema, which would load every
    # table's metadata.

    def list_relations_without_caching(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        """Tables of a namespace, or its views where dbt looks into the memory database."""
        kind = "view" if schema_relation.database == MEMORY else "table"
        namespace = self._namespace(schema_relation)
        return [
            self.Relation.create(
                database=schema_relation.database,
                schema=schema_relation.schema,
                identifier=name,
                type=RelationType.View if kind == "view" else RelationType.Table,
                quote_policy={"database": True, "schema": True, "identifier": True},
            )
            for name in self._client.names(namespace, kind)
        ]

    def list_schemas(self, database: str) -> list[str]:  # noqa: ARG002
        """The catalog's namespaces; the memory database mirrors them."""
        return [".".join(namespace) for namespace in self._client.namespaces()]

    def check_schema_exists(self, database: str, schema: str) -> bool:
        """Whether the namespace exists."""
        return schema.lower() in [known.lower() for known in self.list_schemas(database)]

    def create_schema(self, relation: BaseRelation) -> None:
        """Create the namespace where it is missing."""
        if not self.check_schema_exists(str(relation.database), str(relation.schema)):
            self._iceberg.create_namespace_if_not_exists(self._namespace(relation))
        if relation.database == MEMORY:
            create_memory_schema(self._cursor(), str(relation.schema))

    def drop_schema(self, relation: BaseRelation) -> None:
        """Drop the namespace with its tables and views."""
        namespace = self._namespace(relation)
        for name in self._client.names(namespace, "view"):
            drop_view(self._client, namespace, name)
        for name in self._client.names(namespace, "table"):
            self._iceberg.drop_table((*namespace, name))
        self._client.send("DELETE", f"namespaces/{escape_namespace(namespace)}")
        self.cache.drop_schema(relation.database, relation.schema)

    def drop_relation(self, relation: BaseRelation) -> None:
        """Drop a table or view; nothing if it is not there."""
        from pyiceberg.exceptions import NoSuchTableError

        self.cache_dropped(relation)
        if relation.database == MEMORY and relation.schema == "main":
            self.drop_stage(relation)
            return
        if relation.database == MEMORY or relation.is_view:
            view = f"{MEMORY}.{identifier(str(relation.schema))}.{identifier(str(relation.identifier))}"
            self._cursor().execute(f"DROP VIEW IF EXISTS {view}")
            drop_view(self._client, self._namespace(relation), str(relation.identifier))
            return
        try:
            self._iceberg.drop_table((*self._namespace(relation), str(relation.identifier)))
        except NoSuchTableError:
            return

    def truncate_relation(self, relation: BaseRelation) -> None:
        """Remove all rows in one commit."""
        columns = ", ".join(identifier(column.name) for column in self.get_columns_in_relation(relation))
        self.replace_table(relation, f"SELECT {columns} FROM {relation} WHERE false", {})

    def rename_relation(self, from_relation: BaseRelation, to_relation: BaseRelation) -> None:
        """Rename a table in the catalog."""
        self.cache_renamed(from_relation, to_relation)
        self._iceberg.rename_table(
            (*self._namespace(from_relation), str(from_relation.identifier)),
            (*self._namespace(to_relation), str(to_relation.identifier)),
        )

    # Inside.

    @property
    def _connection(self) -> CatalogConnection:
        connection: CatalogConnection = self.config.credentials.connection()
        return connection

    @property
    def _client(self) -> CatalogClient:
        if not hasattr(self._clients, "http"):
            self._clients.http = CatalogClient(self._connection)
        client: CatalogClient = self._clients.http
        return client

    @property
    def _iceberg(self) -> Any:
        if not hasattr(self._clients, "iceberg"):
            from floe_dev.catalogs.traced import traced_catalog

            self._clients.iceberg = traced_catalog(self._connection)
        return self._clients.iceberg

    def _table(self, relation: BaseRelation) -> IcebergTable:
        from floe_dev.dbt.adapter.table import IcebergTable

        return IcebergTable(self._iceberg, (*self._namespace(relation), str(relation.identifier)))

    def _cursor(self) -> Any:
        connection = self.connections.get_thread_connection()
        return connection.handle.cursor()

    def _namespace(self, relation: BaseRelation) -> tuple[str, ...]:
        return (str(relation.schema),)

    def _columns(self, query: str) -> list[Column]:
        from floe_dev.dbt.adapter.types import UnsupportedTypeError, columns_of

        with self.connections.exception_handler(query):
            # Bound, not run.
            cursor = self._cursor()
            described = cursor.execute(f"SELECT * FROM ({query}) AS floe_query LIMIT 0").description
            try:
                return columns_of([item[0] for item in described], [item[1] for item in described])
            except UnsupportedTypeError as error:
                raise DbtRuntimeError(f"FLOE4006: {error}") from error

    def _layout(self, model: Any) -> TableLayout:
        from floe_dev.dbt.adapter.layout import LayoutError, TableLayout

        config = model.get("config", {}) if model else {}
        documented = (config.get("persist_docs") or {}).get("columns")
        columns = (model.get("columns") or {}) if model else {}
        properties = dict(config.get("table_properties") or {})
        if model and (config.get("persist_docs") or {}).get("relation") and model.get("description"):
            properties["comment"] = model["description"]
        try:
            return TableLayout.parse(
                config.get("partition_by") or config.get("partitioned_by"),
                config.get("sort_order") or config.get("sorted_by"),
                properties,
                frozenset(_required(columns)) if (config.get("contract") or {}).get("enforced") else frozenset(),
                {name: column["description"] for name, column in columns.items() if column.get("description")}
                if documented
                else {},
            )
        except LayoutError as error:
            raise DbtRuntimeError(str(error)) from error

    def _summary(self, model: Any) -> dict[str, str]:
        return snapshot_properties(model or {}, get_invocation_id(), self._connection.credential.client_id)

    def _change(self, model: Any, **parts: Any) -> Change:
        from floe_dev.dbt.adapter.table import Change

        return Change(layout=self._layout(model), summary=self._summary(model), **parts)

    def _apply(self, table: IcebergTable, change: Change) -> AdapterResponse:
        with self.connections.exception_handler("write " + ".".join(table.identifier)):
            rows = table.apply(self._cursor(), change)
        return AdapterResponse(f"OK {rows}", code="OK", rows_affected=rows)

    def _require_catalog(self, relation: BaseRelation) -> None:
        if relation.database != self.config.credentials.database:
            raise DbtRuntimeError(
                f"FLOE4002: {relation} would not be in the catalog: its database is {relation.database!r}, not "
                f"{self.config.credentials.database!r}. Remove `database` from the model's configuration."
            )


def _required(columns: dict[str, Any]) -> Iterator[str]:
    for name, column in columns.items():
        if any(constraint.get("type") == ConstraintType.not_null for constraint in column.get("constraints") or ()):
            yield name
