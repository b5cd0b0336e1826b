"""`incremental` models: each strategy, each on_schema_change, one commit each."""

from __future__ import annotations

import pytest

from tests.dbt.conftest import Shop

_BASE = "select range as id, 'old' as name, 0 as v from range(5)"


def _incremental(shop: Shop, later: str, base: str = _BASE, **config: object) -> None:
    sql = f"{{% if is_incremental() %}} {later} {{% else %}} {base} {{% endif %}}"
    shop.model("orders", sql, materialized="incremental", **config)


def test_append_adds_rows(shop: Shop) -> None:
    _incremental(shop, "select 5::bigint as id, 'new' as name, 1 as v")
    shop.build()
    shop.build()
    assert [row["id"] for row in shop.rows("orders")] == [0, 1, 2, 3, 4, 5]
    operations = [s.summary.operation.value for s in shop.table("orders").snapshots() if s.summary]
    assert operations == ["append", "append"]


@pytest.mark.parametrize("strategy", ["merge", "delete+insert"])
def test_matching_rows_are_replaced(shop: Shop, strategy: str) -> None:
    later = "select range as id, 'new' as name, 1 as v from range(3, 7)"
    _incremental(shop, later, unique_key="id", incremental_strategy=strategy)
    shop.build()
    shop.build()
    shop.build()
    names = {row["id"]: row["name"] for row in shop.rows("orders")}
    assert names == {0: "old", 1: "old", 2: "old", 3: "new", 4: "new", 5: "new", 6: "new"}
    table = shop.table("orders")
    assert len(table.scan().to_arrow()) == 7
    assert not any(task.delete_files for task in table.scan().plan_files())


def test_only_files_that_hold_a_replaced_row_are_rewritten(shop: Shop) -> None:
    base = "select range as id, date '2024-01-01' + range::int as day, 0 as v from range(5)"
    later = "select 2::bigint as id, date '2024-01-03' as day, 1 as v"
    _incremental(shop, later, base, unique_key="id", incremental_strategy="merge", partition_by="day")
    shop.build()
    before = {task.file.file_path for task in shop.table("orders").scan().plan_files()}
    shop.build()
    after = {task.file.file_path for task in shop.table("orders").scan().plan_files()}
    assert len(before & after) == 4
    assert {row["id"]: row["v"] for row in shop.rows("orders")} == {0: 0, 1: 0, 2: 1, 3: 0, 4: 0}


def test_a_merge_can_update_only_some_columns(shop: Shop) -> None:
    later = "select range as id, 'new' as name, 1 as v from range(4, 6)"
    _incremental(shop, later, unique_key="id", incremental_strategy="merge", merge_update_columns=["v"])
    shop.build()
    shop.build()
    rows = {row["id"]: (row["name"], row["v"]) for row in shop.rows("orders")}
    assert rows[4] == ("old", 1)
    assert rows[5] == ("new", 1)
    assert len(rows) == 6


def test_a_merge_with_two_new_rows_for_one_key_is_refused(shop: Shop) -> None:
    later = "select 1::bigint as id, 'new' as name, v from (values (1), (2)) t(v)"
    _incremental(shop, later, unique_key="id", incremental_strategy="merge")
    shop.build()
    built = shop.dbt("build")
    assert "FLOE4009" in built.message("orders")
    assert "id = 1" in built.message("orders")
    assert len(shop.table("orders").snapshots()) == 1


def test_predicates_narrow_what_is_replaced(shop: Shop) -> None:
    later = "select range as id, 'new' as name, 1 as v from range(5)"
    _incremental(
        shop,
        later,
        unique_key="id",
        incremental_strategy="delete+insert",
        incremental_predicates=["DBT_INTERNAL_DEST.id >= 3"],
    )
    shop.build()
    shop.build()
    assert len(shop.rows("orders")) == 8


def test_full_refresh_keeps_the_history(shop: Shop) -> None:
    _incremental(shop, "select 9::bigint as id, 'new' as name, 1 as v")
    shop.build()
    shop.build()
    shop.build("--full-refresh")
    table = shop.table("orders")
    assert len(table.scan().to_arrow()) == 5
    assert len(table.snapshots()) == 3


@pytest.mark.parametrize(
    ("mode", "columns", "first"),
    [
        ("ignore", ["id", "name", "v"], None),
        ("append_new_columns", ["id", "name", "v", "extra"], None),
        ("sync_all_columns", ["id", "v", "extra"], None),
        ("fail", ["id", "name", "v"], "FLOE4008"),
    ],
)
def test_changed_columns_are_followed(shop: Shop, mode: str, columns: list[str], first: str | None) -> None:
    _incremental(shop, "select 9::bigint as id, 1 as v, 'e' as extra", on_schema_change=mode)
    shop.build()
    built = shop.dbt("build")
    assert [field.name for field in shop.table("orders").schema().fields] == columns
    if first is not None:
        assert first in built.message("orders")
        return
    assert built.exit_code == 0, built.output
    rows = {row["id"]: row for row in shop.rows("orders")}
    assert len(rows) == 6
    assert rows[9].get("extra") == ("e" if "extra" in columns else None)
    assert rows[0].get("name", "old") == "old"


def test_microbatch_replaces_exactly_its_days(shop: Shop) -> None:
    shop.model(
        "raw",
        "select range as id, timestamp '2024-01-01' + interval (range * 12) hour as made_at, "
        "'{{ var('v', 'a') }}' as v "
        "from range(8)",
        materialized="table",
        event_time="made_at",
    )
    shop.model(
        "daily",
        "select * from {{ ref('raw') }}",
        materialized="incremental",
        incremental_strategy="microbatch",
        event_time="made_at",
        batch_size="day",
        begin="2024-01-01",
        partition_by="day(made_at)",
    )
    window = ["--event-time-start", "2024-01-01", "--event-time-end", "2024-01-05"]
    shop.build(*window)
    assert len(shop.rows("daily")) == 8
    day = ["--event-time-start", "2024-01-02", "--event-time-end", "2024-01-03"]
    for _ in range(2):
        shop.build(*day, "--vars", "{v: b}")
    versions = {row["id"]: row["v"] for row in shop.rows("daily")}
    assert versions == {0: "a", 1: "a", 2: "b", 3: "b", 4: "a", 5: "a", 6: "a", 7: "a"}


def test_an_unknown_strategy_is_refused(shop: Shop) -> None:
    _incremental(shop, "select 1", incremental_strategy="insert_overwrite")
    shop.build()
    built = shop.dbt("build")
    assert built.exit_code == 1
    assert "insert_overwrite" in built.output
