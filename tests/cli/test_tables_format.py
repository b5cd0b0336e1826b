"""Rows as text, CSV, JSON, JSON lines and Markdown."""

from __future__ import annotations

import csv
import io
import json
import string
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_dev.cli.render.style import cell_width, truncate
from floe_dev.cli.render.tables import FORMATS, table, write
from floe_dev.model.units import duration, size

ROWS: list[tuple[Any, ...]] = [
    (1, "plain", Decimal("10.50"), None),
    (20, 'quote " and, comma', Decimal("3.00"), date(2024, 1, 31)),
    (300, "wide 表 | pipe\nline", None, datetime(2024, 1, 31, 12, 0)),  # noqa: DTZ001
]
COLUMNS = ("id", "text", "amount", "at")


def written(form: str, rows: list[tuple[Any, ...]] = ROWS, columns: tuple[str, ...] = COLUMNS) -> str:
    return "".join(write(columns, rows, form=form))


def test_table_aligns_numbers_right_and_keeps_one_line_a_row() -> None:
    lines = written("table").splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("  1  plain")
    assert lines[3].startswith("300  wide 表 | pipe\\nline")
    assert "NULL" in lines[1]


def test_table_is_never_wider_than_asked() -> None:
    text = table(COLUMNS, ROWS, width=30)
    assert max(cell_width(line) for line in text.splitlines()) <= 30
    assert "…" in text


def test_csv_reads_back() -> None:
    rows = list(csv.reader(io.StringIO(written("csv"))))
    assert rows[0] == list(COLUMNS)
    assert rows[2] == ["20", 'quote " and, comma', "3.00", "2024-01-31"]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_keeps_numbers_and_exact_decimals(form: str) -> None:
    text = written(form)
    rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    assert rows[0] == {"id": 1, "text": "plain", "amount": "10.50", "at": None}
    assert rows[2]["at"] == "2024-01-31T12:00:00"


def test_json_without_rows_is_an_empty_array() -> None:
    assert json.loads(written("json", [])) == []
    assert written("jsonl", []) == ""


def test_two_columns_of_one_name_are_both_kept() -> None:
    assert json.loads(written("jsonl", [(1, 2)], ("x", "x"))) == {"x": 1, "x_1": 2}


def test_markdown_escapes_pipes() -> None:
    assert "wide 表 \\| pipe" in written("markdown")


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(), st.binary()),
            st.one_of(st.timedeltas(timedelta(0), timedelta(9)), st.lists(st.text(max_size=3), max_size=3)),
        ),
        max_size=5,
    ),
    st.integers(min_value=13, max_value=60),
)
def test_any_value_can_be_written_in_every_format(rows: list[tuple[Any, ...]], width: int) -> None:
    for form in FORMATS:
        text = "".join(write(("a", "b"), rows, form=form, width=width))
        assert text.endswith("\n") or (form == "jsonl" and not rows)
        if form == "table":
            assert len(text.split("\n")) == len(rows) + 2
        if form == "json":
            assert len(json.loads(text)) == len(rows)


@given(st.text(string.printable + "表é"), st.integers(min_value=1, max_value=20))
def test_truncate_keeps_the_width(text: str, width: int) -> None:
    assert cell_width(truncate(text, width)) <= max(width, 1)


def test_where_there_is_little_room_spare_columns_go_and_ids_stay_whole() -> None:
    row = ("7837566494776054836", "a name that is rather long", "17 assets", "ecb3c8a3")
    columns = ("snapshot", "name", "assets", "run")

    def shown(width: int) -> list[str]:
        text = table(columns, [row], width=width, spare=("run", "assets"), whole=("snapshot",))
        assert all(cell_width(line) <= width for line in text.splitlines())
        return text.splitlines()

    assert shown(80)[0].split() == ["snapshot", "name", "assets", "run"]
    assert shown(60)[0].split() == ["snapshot", "name", "assets"]
    assert shown(40)[0].split() == ["snapshot", "name"]
    assert shown(40)[1].startswith(f"{row[0]}  a name")
    assert shown(15)[1] == "783756…  a nam…"


def test_durations_and_sizes_read_as_people_say_them() -> None:
    assert [duration(s) for s in (None, 0.123, 8.44, 61, 3720)] == [
        "",
        "0.12 s",
        "8.44 s",
        "1 m 01 s",
        "1 h 02 m",
    ]
    assert [duration(s) for s in (0, 0.0004, 0.003, 12.34)] == ["0 ms", "400 µs", "3 ms", "12.3 s"]
    assert [size(s) for s in (None, 5, 2048, 3 * 2**20)] == ["", "5 B", "2.0 KiB", "3.0 MiB"]
