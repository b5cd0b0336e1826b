"""`table` models: replaced whole in one commit, history kept, laid out as configured."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from pyiceberg.manifest import ManifestContent
from pyiceberg.types import IntegerType, LongType, StringType

from floe_dev.compute.duckdb import connect
from floe_dev.model.summary import rows, rows_removed
from tests.dbt.conftest import SCHEMA, Shop


def test_a_rebuild_keeps_history_and_leaves_no_delete_files(shop: Shop) -> None:
    shop.model("orders", "select range as id, 'a' as state from range({{ var('n', 10) }})", materialized="table")
    shop.build()
    first = shop.table("orders").current_snapshot()
    shop.build("--vars", "{n: 25}")

    table = shop.table("orders")
    assert len(table.scan().to_arrow()) == 25
    assert first is not None
    assert len(table.scan(snapshot_id=first.snapshot_id).to_arrow()) == 10
    assert [s.summary.operation.value for s in table.snapshots() if s.summary] == ["append", "overwrite"]
    assert not any(task.delete_files for task in table.scan().plan_files())


def test_the_snapshot_says_who_made_it(shop: Shop) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=shop.folder, check=True)
    shop.model("orders", "select 1 as id", materialized="table")
    trace = "0af7651916cd43dd8448eb211c80319c"
    shop.build(environment={"FLOE_RUN_ID": "run-1", "TRACEPARENT": f"00-{trace}-b7ad6b7169203331-01"})

    snapshot = shop.table("orders").current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    summary = snapshot.summary.additional_properties
    assert summary["floe.run-id"] == "run-1"
    assert summary["floe.trace-id"] == trace
    assert summary["floe.dbt-node"] == "model.shop.orders"
    assert len(summary["floe.dbt-checksum"]) == 64
    assert summary["floe.principal"] == shop.connection.credential.client_id
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=shop.folder, capture_output=True, text=True, check=True)
    assert summary["floe.git-commit"] == head.stdout.strip()
    assert summary["floe.git-dirty"] == "false"
    secret = shop.connection.credential.client_secret.get_secret_value()
    assert secret not in str(summary)


def test_partitions_sort_order_and_properties_come_from_the_model(shop: Shop) -> None:
    shop.model(
        "events",
        "select range as id, timestamp '2024-01-01' + interval (range * 7) hour as at, "
        "case when range % 3 = 0 then null else 'r' || (range % 2) end as region from range(20)",
        materialized="table",
        partition_by=["day(at)", "region"],
        sort_order=["id desc"],
        table_properties={"write.metadata.previous-versions-max": 5},
    )
    shop.build()
    shop.build()

    table = shop.table("events")
    assert [(f.name, str(f.transform)) for f in table.spec().fields] == [("at_day", "day"), ("region", "identity")]
    assert table.sort_order().fields[0].direction.name == "DESC"
    assert table.properties["write.metadata.previous-versions-max"] == "5"
    assert len(shop.rows("events")) == 20
    one_day = table.scan(row_filter="at >= '2024-01-02T00:00:00' and at < '2024-01-03T00:00:00'")
    days = {task.file.partition[0] for task in one_day.plan_files()}
    assert days == {19724}
    assert len(table.scan(row_filter="region is null").to_arrow()) == 7


def test_a_changed_partitioning_is_followed(shop: Shop) -> None:
    sql = "select range as id, date '2024-01-01' + range::int as day from range(4)"
    shop.model("events", sql, materialized="table", partition_by="day")
    shop.build()
    shop.model("events", sql, materialized="table", partition_by="month(day)")
    shop.build()
    table = shop.table("events")
    assert [str(f.transform) for f in table.spec().fields] == ["month"]
    assert len(shop.rows("events")) == 4


def test_a_changed_schema_keeps_the_ids_of_columns_that_stay(shop: Shop) -> None:
    shop.model("orders", "select 1 as id, 'x' as name, 1.5::double as price, 1 as gone", materialized="table")
    shop.build()
    before = {field.name: field.field_id for field in shop.table("orders").schema().fields}
    shop.model("orders", "select 2::bigint as id, 7 as added, 'y' as name, 'free' as price", materialized="table")
    shop.build()

    schema = shop.table("orders").schema()
    assert [field.name for field in schema.fields] == ["id", "added", "name", "price"]
    after = {field.name: field.field_id for field in schema.fields}
    assert after["id"] == before["id"]
    assert after["name"] == before["name"]
    assert after["price"] != before["price"]
    assert isinstance(schema.find_type("id"), LongType)
    assert isinstance(schema.find_type("price"), StringType)
    assert isinstance(schema.find_type("added"), IntegerType)
    assert shop.rows("orders") == [{"id": 2, "added": 7, "name": "y", "price": "free"}]


def test_every_type_arrives_readable(shop: Shop) -> None:
    shop.model(
        "types",
        """
        select 1 as id, sum(range)::hugeint as huge, 200::utinyint as small, 1::ubigint as big, true as flag,
          12.34::decimal(10,2) as price, 1.5::float as ratio, date '2024-02-29' as day, time '12:30:00' as clock,
          timestamp '2024-01-01 10:00:00' as at, timestamptz '2024-01-01 10:00:00+00' as at_tz,
          '\\x00\\xFF'::blob as raw,
          '00000000-0000-0000-0000-000000000001'::uuid as key, [1, 2, null] as list,
          {'a': 1, 'b': {'c': 'x'}} as struct, map {'k': 1} as map,
          'a'::enum('a', 'b') as kind, '{"x": 1}'::json as doc,
          null as nothing,
          'käse' as "Größe", 1 as "select"
        from range(3)
        """,
        materialized="table",
    )
    shop.build()
    with connect(shop.connection) as database:
        row = database.execute(f"select * from {SCHEMA}.types").fetchone()
        names = [item[0] for item in database.description or []]
    assert row is not None
    values = dict(zip(names, row, strict=True))
    (arrow,) = shop.rows("types")
    assert values["huge"] == arrow["huge"] == 3
    assert values["list"] == arrow["list"] == [1, 2, None]
    assert values["struct"] == arrow["struct"] == {"a": 1, "b": {"c": "x"}}
    assert values["Größe"] == arrow["Größe"] == "käse"
    assert values["select"] == 1
    assert values["raw"] == arrow["raw"] == b"\x00\xff"
    assert arrow["map"] == [("k", 1)]
    assert values["nothing"] is None


def test_a_type_iceberg_has_not_is_refused_by_name(shop: Shop) -> None:
    shop.model("spans", "select interval 1 day as duration", materialized="table")
    built = shop.dbt("build")
    assert built.exit_code == 1
    assert "FLOE4006" in built.message("spans")
    assert "duration" in built.message("spans")


def test_no_rows_and_no_files(shop: Shop) -> None:
    shop.model("empty", "select 1 as id where false", materialized="table")
    shop.build()
    shop.build()
    assert shop.rows("empty") == []


def test_a_contract_is_kept_before_anything_is_committed(shop: Shop) -> None:
    shop.file(
        "models/schema.yml",
        """
models:
  - name: orders
    config: {contract: {enforced: true}}
    columns:
      - {name: id, data_type: bigint, constraints: [{type: not_null}]}
      - {name: name, data_type: varchar}
""",
    )
    shop.model("orders", "select 1::bigint as id, 'x' as name", materialized="table")
    shop.build()
    assert shop.table("orders").schema().find_field("id").required
    shop.model("orders", "select 'one' as id, 'x' as name", materialized="table")
    assert "contract" in shop.dbt("build").message("orders")
    shop.model("orders", "select null::bigint as id, 'x' as name", materialized="table")
    assert "FLOE4004" in shop.dbt("build").message("orders")
    assert len(shop.table("orders").snapshots()) == 1


def test_readers_see_the_old_rows_or_the_new_ones(shop: Shop) -> None:
    sql = "select range as id, {{ var('v', 0) }} as v from range(20000)"
    shop.model("orders", sql, materialized="table")
    shop.build()
    seen: set[tuple[int, int, int]] = set()
    stop = threading.Event()

    def read() -> None:
        with connect(shop.connection) as database:
            while not stop.is_set():
                row = database.execute(f"select count(*), min(v), max(v) from {SCHEMA}.orders").fetchone()
                assert row is not None
                seen.add(row)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in (1, 2):
            shop.build("--vars", f"{{v: {version}}}")
    finally:
        stop.set()
        reader.join()
    assert seen <= {(20000, v, v) for v in (0, 1, 2)}
    assert (20000, 2, 2) in seen or (20000, 1, 1) in seen


def test_two_builds_at_once_both_end_with_a_whole_table(shop: Shop) -> None:
    shop.model("orders", "select range as id, {{ var('v', 0) }} as v from range(50000)", materialized="table")
    shop.build()
    running = [
        shop.start("run", "--vars", f"{{v: {version}}}", "--target-path", f"target{version}") for version in (1, 2)
    ]
    for process in running:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    rows = shop.table("orders").scan().to_arrow()
    assert len(rows) == 50000
    assert len(set(rows["v"].to_pylist())) == 1
    assert len(shop.table("orders").snapshots()) == 3


def test_a_table_written_by_another_engine_is_replaced_too(shop: Shop) -> None:
    with connect(shop.connection) as database:
        database.execute(f"create schema {shop.connection.alias}.{SCHEMA}")
        database.execute(f"create table {shop.connection.alias}.{SCHEMA}.orders (id bigint)")
        database.execute(f"insert into {shop.connection.alias}.{SCHEMA}.orders select range from range(5)")
        database.execute(f"delete from {shop.connection.alias}.{SCHEMA}.orders where id = 0")
    shop.model("orders", "select 42::bigint as id", materialized="table")
    shop.build()
    assert shop.rows("orders") == [{"id": 42}]
    snapshot = shop.table("orders").current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    summary = snapshot.summary.additional_properties
    # Its delete file hides nothing any more, and does not count.
    assert (summary["total-records"], summary["total-position-deletes"], summary["total-delete-files"]) == (
        "1",
        "0",
        "0",
    )
    assert (rows(summary), rows_removed(summary)) == (1, 4)
    assert all(manifest.content is ManifestContent.DATA for manifest in snapshot.manifests(shop.table("orders").io))


def test_a_failing_model_changes_nothing(shop: Shop) -> None:
    shop.model("good", "select 1 as id", materialized="table")
    shop.model("orders", "select 1 as id", materialized="table")
    shop.build()
    shop.model("orders", "select 'x'::int as id", materialized="table")
    built = shop.dbt("build")
    assert built.exit_code == 1
    assert "Conversion Error" in built.message("orders")
    assert built.results["good"]["status"] == "success"
    assert shop.rows("orders") == [{"id": 1}]


def test_files_are_only_below_the_tables_location(shop: Shop) -> None:
    shop.model("orders", "select 1 as id", materialized="table")
    shop.build()
    table = shop.table("orders")
    root = Path(table.location().removeprefix("file://"))
    for task in table.scan().plan_files():
        assert Path(task.file.file_path.removeprefix("file://")).is_relative_to(root / "data")
    assert not list(shop.folder.rglob("*.duckdb"))
    assert not list(shop.folder.rglob("*.parquet"))
